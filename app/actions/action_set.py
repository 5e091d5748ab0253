"""The table as QActions of one window: enabled, checked, named and explained as things change."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu

from app.actions.action import Action
from app.actions.host import Host
from app.actions.table import ACTIONS, MENUS
from app.theme.icons import icon


class ActionSet(QObject):
    """One QAction a row, looked up by id.

    Parameters
    ----------
    host : the window; shortcuts work in its widget.
    rows : the table.
    """

    def __init__(self, host: Host, rows: Iterable[Action] = ACTIONS) -> None:
        super().__init__(host.widget)
        self._host = host
        self.rows: dict[str, Action] = {row.id: row for row in rows}
        self.qt: dict[str, QAction] = {}
        self._shown: dict[str, tuple[str, str]] = {}
        own = host.workspace.settings.get("memory.keys")
        for row in self.rows.values():
            made = QAction(icon(row.icon), row.title, host.widget)
            keys = own.get(row.id, list(row.keys))
            made.setShortcuts([QKeySequence(key) for key in keys])
            made.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            made.setAutoRepeat(row.id.startswith(("view.slice", "queue.", "view.fill", "tool.")))
            made.setCheckable(row.checked is not None)
            made.triggered.connect(lambda _checked=False, row_id=row.id: self.run(row_id))
            host.widget.addAction(made)
            self.qt[row.id] = made
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.refresh)
        workspace = host.workspace
        for signal in (
            workspace.project_opened,
            workspace.project_closed,
            workspace.item_opened,
            workspace.item_requested,
            workspace.labels_changed,
            workspace.look_changed,
            workspace.history_changed,
            workspace.queue_changed,
            workspace.jobs_changed,
            workspace.run_changed,
            workspace.proposal_changed,
            workspace.offer.changed,
            workspace.project_steps.changed,
            workspace.at_hand.changed,
            workspace.turned_changed,
            workspace.seeds_changed,
            workspace.preview_changed,
            workspace.tool_changed,
            workspace.tool_options_changed,
            workspace.active_class_changed,
        ):
            signal.connect(self.refresh_soon)
        self.refresh()

    def refresh_soon(self, *_: object) -> None:
        """Refresh once, after whatever else is happening now."""
        self._later.start()

    def run(self, action_id: str) -> None:
        """Run an action if its condition holds."""
        row = self.rows[action_id]
        if row.when.holds(self._host.workspace):
            row.run(self._host)
        self.refresh_soon()

    def refresh(self) -> None:
        """Ask every condition again."""
        workspace = self._host.workspace
        for row in self.rows.values():
            made = self.qt[row.id]
            holds = row.when.holds(workspace)
            title = row.title_for(workspace)
            if row.checked is not None:
                made.setChecked(row.checked(workspace))
            # Asked after every stroke: what has not changed is not written again.
            shown = (title, "" if holds else row.when.reason(workspace))
            if self._shown.get(row.id) != shown:
                self._shown[row.id] = shown
                made.setEnabled(holds)
                made.setText(title)
                made.setToolTip(self.tooltip(row.id, title, holds))

    def tooltip(self, action_id: str, title: str = "", holds: bool = True) -> str:
        """Name, shortcut and one sentence; and why not, where it cannot run."""
        row = self.rows[action_id]
        keys = self.keys_text(action_id)
        head = (title or row.title_for(self._host.workspace)).rstrip("…")
        parts = [f"<b>{head}</b>" + (f"&nbsp;&nbsp;{keys}" if keys else ""), row.tip]
        reason = "" if holds else row.when.reason(self._host.workspace)
        if reason:
            parts.append(f"<i>{reason}</i>")
        return "<br>".join(parts)

    def keys_text(self, action_id: str) -> str:
        """The first shortcut as this system writes it, or ""."""
        return self.qt[action_id].shortcut().toString(QKeySequence.SequenceFormat.NativeText)

    def set_keys(self, action_id: str, keys: list[str]) -> None:
        """Use other shortcuts for an action, now and later."""
        settings = self._host.workspace.settings
        own = dict(settings.get("memory.keys"))
        if keys == list(self.rows[action_id].keys):
            own.pop(action_id, None)
        else:
            own[action_id] = keys
        settings.set("memory.keys", own)
        self.qt[action_id].setShortcuts([QKeySequence(key) for key in keys])
        self._shown.pop(action_id, None)
        self.refresh()

    def owner_of(self, keys: str) -> str | None:
        """The action that has this shortcut, or None."""
        wanted = QKeySequence(keys)
        for action_id, made in self.qt.items():
            if any(
                k.matches(wanted) == QKeySequence.SequenceMatch.ExactMatch for k in made.shortcuts()
            ):
                return action_id
        return None

    def fill_menu(self, menu: QMenu, name: str) -> None:
        """Put the rows of a menu into `menu`, groups divided by a line."""
        group = ""
        for row in self.rows.values():
            where, _, at = row.menu.partition("/")
            if where != name:
                continue
            if group and at != group:
                menu.addSeparator()
            group = at
            menu.addAction(self.qt[row.id])

    def menus(self) -> dict[str, str]:
        """Menu id -> title."""
        return MENUS
