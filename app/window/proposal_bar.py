"""The bar of a proposal: a new prediction over a person's work waits for an answer. It says how
much would change, shows it, and takes it: whole, or a part."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QWidget

from app.actions.action_set import ActionSet
from app.theme.buttons import KeyButton, SplitButton, connect
from app.theme.controls import label, swatch_icon
from app.theme.icons import icon, pixmap
from app.theme.theme import theme
from app.window.floating import Floating
from app.workspace import Workspace

_PARTS = (
    ("proposal.take", "Everything"),
    ("proposal.take_rest", "Where I did not paint"),
    ("proposal.take_visible", "Visible part"),
    ("proposal.take_classes", "Ticked classes"),
)


class ProposalBar(Floating):
    """44 px at the lower edge of the canvas."""

    def __init__(self, workspace: Workspace, actions: ActionSet, ground: QWidget) -> None:
        super().__init__(ground)
        self._workspace, self._actions = workspace, actions
        self._mark, self.title = QLabel(), label(kind="group")
        self.detail = label()
        self.look = KeyButton("Look at it", "eye", tone="flat")
        self.look.setCheckable(True)
        self.look.setToolTip(
            "<b>Look at it</b>&nbsp;&nbsp;Alt+2, Alt+1<br>"
            "Show the proposal in place of the mask, and go back."
        )
        self._words = ""
        self.drop = KeyButton("Drop", "x", tone="flat")
        self.rest = KeyButton("Take where I did not paint", "shield-check", tone="flat")
        self.take = SplitButton("Take", "check", "", "Take a part of it")
        layout = self._row = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 8, 8)
        layout.setSpacing(8)
        for widget in (self._mark, self.title, self.detail):
            layout.addWidget(widget)
        layout.addSpacing(16)
        for part in (self.look, self.drop, self.rest, self.take):
            layout.addWidget(part)
        for part, action_id in (
            (self.drop, "proposal.drop"),
            (self.rest, "proposal.take_rest"),
        ):
            part.setToolTip(actions.tooltip(action_id))
        connect(self.drop, partial(actions.run, "proposal.drop"))
        connect(self.rest, partial(actions.run, "proposal.take_rest"))
        connect(self.look, self._turn_look)
        self.take.clicked.connect(self._take)
        self.take.opened.connect(self._open_menu)
        workspace.proposal_changed.connect(self.refresh)
        workspace.preview_changed.connect(self.refresh)
        workspace.item_opened.connect(self.refresh)
        workspace.project_closed.connect(self.refresh)
        workspace.offer.changed.connect(self._count)
        workspace.look_changed.connect(self._show_look)
        theme().changed.connect(self.refresh)

    def refresh(self, _changed: object = None) -> None:
        """Show the proposal that waits, unless a preview has the place."""
        workspace = self._workspace
        proposal = workspace.proposal
        if proposal is None or workspace.pending is not None:
            self.hide()
            return
        self._mark.setPixmap(pixmap("sparkles", "text", 20, self.devicePixelRatioF()))
        self._words = f"Proposal from {proposal.model}"
        self.title.setText(self._words)
        self.title.setToolTip(self._words)
        self._count()
        self._show_look()
        self.show()
        self.placed()

    def fit(self, room: int) -> None:
        self.take.updateGeometry()  # its words may be others: Qt would ask it again too late
        for part in (self.rest, self.look):
            part.set_compact(False)
        self.title.setText(self._words)
        for part in (self.rest, self.look):
            if self.sizeHint().width() > room:
                part.set_compact(True)
                self._row.activate()
        if self.sizeHint().width() > room:
            self.title.setText("Proposal")
            self._row.activate()

    def _count(self) -> None:
        offer = self._workspace.offer
        found, ticked = offer.differences, len(offer.ticked)
        if found is None:
            self.detail.setText("")
        elif not found.total:
            self.detail.setText("Nothing differs")
        elif ticked:
            self.detail.setText(f"{offer.ticked_pixels:,} of {found.total:,} px")
        else:
            self.detail.setText(f"{found.total:,} px would change")
        words = f"Take {ticked} class{'' if ticked == 1 else 'es'}" if ticked else "Take"
        self.take.show_state(words, "list-checks" if ticked else "check", "primary", True)
        self.take.main.setToolTip(self._actions.tooltip(self._taken_by))
        if self.isVisible():
            self.placed()

    @property
    def _taken_by(self) -> str:
        """The action of the button: ticks in the classes panel narrow it down."""
        return "proposal.take_classes" if self._workspace.offer.ticked else "proposal.take"

    def _take(self) -> None:
        self._actions.run(self._taken_by)

    # -- looking ------------------------------------------------------------------------------

    def _show_look(self) -> None:
        self.look.setChecked(self._workspace.view_mode == "model")

    def _turn_look(self) -> None:
        looking = self._workspace.view_mode == "model"
        self._workspace.set_view_mode("label" if looking else "model")
        self._show_look()

    # -- parts --------------------------------------------------------------------------------

    def _open_menu(self) -> None:
        """Above the bar, its right edge under the arrow that opened it."""
        menu = self.make_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        corner = self.take.mapToGlobal(self.take.rect().topRight())
        size = menu.sizeHint()
        menu.popup(QPoint(corner.x() - size.width(), corner.y() - size.height() - 12))

    def make_menu(self) -> QMenu:
        """What can be taken, with the pixels that each would change."""
        workspace, actions = self._workspace, self._actions
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        found = workspace.offer.differences
        counts = {
            "proposal.take": None if found is None else found.total,
            "proposal.take_rest": None if found is None else found.unpainted,
            "proposal.take_classes": workspace.offer.ticked_pixels,
        }
        for action_id, title in _PARTS:
            row = actions.rows[action_id]
            holds = row.when.holds(workspace)
            # Words, not a shortcut of its own: two owners of one key would both be silent.
            keys = f"\t{actions.keys_text(action_id)}"
            made = menu.addAction(icon(row.icon), title + keys)
            made.setEnabled(holds)
            made.setToolTip(actions.tooltip(action_id, holds=holds))
            made.triggered.connect(lambda _=False, name=action_id: actions.run(name))
            count = counts.get(action_id)
            if count is not None and holds:
                made.setText(_counted(title, count) + keys)
        self._add_classes(menu)
        return menu

    def _add_classes(self, menu: QMenu) -> None:
        """One class at a click; several are ticked in the classes panel."""
        workspace = self._workspace
        found, classes = workspace.offer.differences, workspace.classes
        one = menu.addMenu(icon("tag"), "One class")
        for c in () if classes is None else classes.active:
            count = 0 if found is None else found.classes.get(int(c.id), 0)
            if count:
                made = one.addAction(swatch_icon(c.colour), _counted(c.name, count))
                ids = frozenset((int(c.id),))
                made.triggered.connect(lambda _=False, ids=ids: workspace.take_proposal(ids))
        one.setEnabled(not one.isEmpty())


def _counted(title: str, count: int) -> str:
    return f"{title}: {count:,} px"
