"""The tool bar: the tool and its options at the left, the loop (undo, go on, accept, predict,
fine-tune) at the right. What has no room goes into "more"; Accept, Fine-tune and class never do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from app.actions.action_set import ActionSet
from app.theme.buttons import KeyButton, SplitButton, connect
from app.theme.controls import ComboBox, icon_button, label, line, swatch_icon
from app.theme.icons import icon
from app.theme.more_button import MoreButton
from app.theme.theme import theme
from app.tools import BY_ID
from app.window.options import option_widgets, what_is_on
from app.workspace import Workspace


class ToolBar(QWidget):
    """36 px high."""

    def __init__(
        self, workspace: Workspace, actions: ActionSet, show_training: Callable[[], None]
    ) -> None:
        super().__init__()
        self._workspace, self._actions = workspace, actions
        self._sheet_shown = False
        self.setObjectName("bars")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.tool_icon, self.tool_name = QLabel(), label(kind="group")
        self.class_box = ComboBox()
        self.class_box.setAccessibleName("Class")
        self.class_box.setToolTip("What the tool paints (1 to 9, 0)")
        self.class_box.setIconSize(QSize(16, 16))
        self.options = QWidget()
        self._options_layout = QHBoxLayout(self.options)
        self._options_layout.setContentsMargins(0, 0, 0, 0)
        self._options_layout.setSpacing(8)
        self._option_parts: list[tuple[QWidget, ...]] = []
        self.more = MoreButton("More options of this tool")
        self.undo, self.redo = self._action_button("mask.undo"), self._action_button("mask.redo")
        self.previous = self._action_button("queue.previous")
        self.next = self._action_button("queue.next")
        self.position = label()
        self.position.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.accept = KeyButton("Accept", "circle-check", actions.keys_text("queue.accept"))
        self.predict = KeyButton("Predict", "sparkles")
        self.fine_tune = SplitButton(
            "Fine-tune", "graduation-cap", "", "What it learns from, and its settings"
        )
        self._lay_out()
        connect(self.accept, lambda: actions.run("queue.accept"))
        connect(self.predict, lambda: actions.run("model.predict"))
        self.fine_tune.clicked.connect(lambda: self._fine_tune(show_training))
        self.fine_tune.opened.connect(show_training)
        self._connect()
        self._show_tool()

    def _action_button(self, action_id: str) -> QToolButton:
        row = self._actions.rows[action_id]
        made = icon_button(row.icon, row.title, size=20)
        qt = self._actions.qt[action_id]
        made.clicked.connect(lambda _checked=False: self._actions.run(action_id))

        def follow() -> None:
            made.setEnabled(qt.isEnabled())
            made.setToolTip(qt.toolTip())
            made.setAccessibleName(qt.text())  # as the menu says it, with the step's name

        qt.changed.connect(follow)
        follow()
        return made

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(8)
        self._fixed: list[QWidget] = [self.tool_icon, self.tool_name, self.class_box]
        for widget in self._fixed:
            layout.addWidget(widget)
        layout.insertSpacing(2, 8)
        layout.addSpacing(8)
        layout.addWidget(self.options)
        layout.addWidget(self.more)
        layout.addStretch(1)
        for part in (
            (self.undo, self.redo),
            (self.previous, self.position, self.next),
            (self.accept,),
            (self.predict, self.fine_tune),
        ):
            for widget in (_divider(), *part):
                layout.addWidget(widget)
                self._fixed.append(widget)
        self.setFixedHeight(max(36, theme().line() + 20))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.more.clicked.connect(self._show_more)
        self.more.hide()

    def minimumSizeHint(self) -> QSize:
        return QSize(600, self.sizeHint().height())

    def _connect(self) -> None:
        workspace = self._workspace
        workspace.tool_changed.connect(self._show_tool)
        # Later than the options' own controls, which ask the same signal.
        workspace.tool_options_changed.connect(self._mark_more, Qt.ConnectionType.QueuedConnection)
        workspace.classes_changed.connect(self._show_classes)
        workspace.active_class_changed.connect(self._show_active)
        workspace.item_requested.connect(self._show_position)
        workspace.queue_changed.connect(self._show_position)
        workspace.project_closed.connect(self._closed)
        workspace.run_changed.connect(self.refresh)
        workspace.preview_changed.connect(self.refresh)
        workspace.proposal_changed.connect(self.refresh)
        workspace.jobs_changed.connect(self.refresh)
        for action_id in ("queue.accept", "model.predict", "model.fine_tune"):
            self._actions.qt[action_id].changed.connect(self.refresh)
        self.class_box.activated.connect(
            lambda _: workspace.set_active_class(self.class_box.currentData())
        )
        theme().changed.connect(self._themed)

    # -- showing ------------------------------------------------------------------------------

    def _themed(self) -> None:
        self.setFixedHeight(max(36, theme().line() + 20))
        self._show_tool()

    def _show_tool(self, _tool: str = "") -> None:
        tool = BY_ID.get(self._workspace.tool_id)
        if tool is None:
            return
        self.tool_icon.setPixmap(icon(tool.icon, "text", 20).pixmap(20, 20))
        self.tool_name.setText(tool.name)
        for part in self._option_parts:
            for widget in part:
                self._options_layout.removeWidget(widget)
                widget.hide()
                widget.deleteLater()
        self._option_parts = option_widgets(self._workspace, tool, self._actions)
        for part in self._option_parts:
            for widget in part:
                self._options_layout.addWidget(widget)
        self._fit()

    def _show_classes(self, classes: Any) -> None:
        self.class_box.clear()
        for c in classes.active:
            self.class_box.addItem(swatch_icon(c.colour), c.name, int(c.id))
        widest = max(
            (self.fontMetrics().horizontalAdvance(c.name) for c in classes.active), default=0
        )
        self.class_box.setFixedWidth(min(200, max(136, widest + 80)))
        self._show_active(self._workspace.active_class)

    def _show_active(self, class_id: int) -> None:
        row = self.class_box.findData(class_id)
        if row >= 0:
            self.class_box.setCurrentIndex(row)

    def _show_position(self, *_: object) -> None:
        workspace = self._workspace
        if workspace.requested is None or not len(workspace.queue):
            self.position.setText("")
            return
        row = workspace.queue.row_of(workspace.requested) + 1
        total = len(workspace.queue)
        self.position.setText(f"{row:,} of {total:,}" if row else f"{total:,} items")
        self.position.setMinimumWidth(
            self.fontMetrics().horizontalAdvance(f"{total:,} of {total:,}") + 8
        )

    def _closed(self) -> None:
        self.class_box.clear()
        self.position.setText("")

    def refresh(self, *_: object) -> None:
        """Enable what can be used; one button is primary, by what is to be done next."""
        workspace, actions = self._workspace, self._actions
        for button, action_id in ((self.accept, "queue.accept"), (self.predict, "model.predict")):
            button.setEnabled(actions.qt[action_id].isEnabled())
            button.setToolTip(actions.qt[action_id].toolTip())
        run = workspace.runs.view
        if workspace.runs.starting:
            self.fine_tune.show_state("Preparing", "loader-circle", "", True)
        elif run is not None and run.is_running:
            done = f"Fine-tuning {round(run.share * 100)} %"
            text = "Cancelling…" if run.state == "cancelling" else done
            self.fine_tune.show_state(text, "loader-circle", "", True)
        else:
            ended = run is not None and run.state == "done" and not run.promoted
            enabled = actions.qt["model.fine_tune"].isEnabled()
            # The sheet has a primary button itself; half of a button is no invitation.
            quiet = workspace.awaits_answer or ended or self._sheet_shown or not enabled
            self.fine_tune.show_state(
                "Fine-tune", "graduation-cap", "" if quiet else "primary", enabled
            )
        self.fine_tune.main.setToolTip(actions.qt["model.fine_tune"].toolTip())

    def show_sheet(self, shown: bool) -> None:
        """The fine-tuning sheet is on screen, or no longer."""
        self._sheet_shown = shown
        self.refresh()

    def _fine_tune(self, show_training: Callable[[], None]) -> None:
        if self._workspace.runs.is_running:
            show_training()  # the button reopens a closed sheet
        else:
            self._actions.run("model.fine_tune")

    # -- room ---------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()

    def _fit(self) -> None:
        """First Predict and flags become icons, then options go into "more", the last first."""
        self.predict.set_compact(self.width() < 1500)
        for part in self._option_parts:
            for widget in part:
                if isinstance(widget, KeyButton):
                    widget.set_compact(self.width() < 1500)
                widget.show()
        self.more.hide()
        fixed = sum(w.sizeHint().width() + 8 for w in self._fixed)
        room = self.width() - fixed - 48
        used = 0
        for part in self._option_parts:
            used += sum(w.sizeHint().width() + 8 for w in part)
            hidden = used > room
            for widget in part:
                widget.setVisible(not hidden)
            if hidden:
                self.more.show()
        self._mark_more()

    def _mark_more(self, *_: object) -> None:
        """What is on must be seen, also where its control has no room: it changes every stroke."""
        hidden = [part for part in self._option_parts if part[0].isHidden()]
        self.more.show_on([text for part in hidden for text in what_is_on(part)])

    def _show_more(self) -> None:
        from PySide6.QtWidgets import QMenu, QWidgetAction

        menu = QMenu(self)
        tool = BY_ID[self._workspace.tool_id]
        for shown, made in zip(
            self._option_parts, option_widgets(self._workspace, tool, self._actions), strict=True
        ):
            if shown[0].isVisible():
                continue
            holder = QWidget()
            row = QHBoxLayout(holder)
            row.setContentsMargins(8, 4, 8, 4)
            for widget in made:
                row.addWidget(widget)
            action = QWidgetAction(menu)
            action.setDefaultWidget(holder)
            menu.addAction(action)
        menu.exec(self.more.mapToGlobal(self.more.rect().bottomLeft()))


def _divider() -> QWidget:
    holder = QWidget()
    layout = QHBoxLayout(holder)
    layout.setContentsMargins(4, 4, 4, 4)
    layout.addWidget(line(vertical=True))
    return holder
