"""The tool strip: tools in groups, at its foot the class and the one behind it, and the keys."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from app.actions.action_set import ActionSet
from app.theme.controls import draw_swatch, icon_button, line
from app.theme.theme import theme
from app.tools import TOOLS
from app.workspace import Workspace


class ToolStrip(QWidget):
    """40 px wide."""

    def __init__(self, workspace: Workspace, actions: ActionSet) -> None:
        super().__init__()
        self._workspace = workspace
        self.setObjectName("bars")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(40)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 8, 4, 8)
        layout.setSpacing(4)
        layout.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        group = ""
        self.buttons: dict[str, _ToolButton] = {}
        for tool in TOOLS:
            if group and tool.group != group:
                layout.addSpacing(4)
                layout.addWidget(line())
                layout.addSpacing(4)
            group = tool.group
            made = _ToolButton(tool.icon, tool.name)
            action_id = f"tool.{tool.id}"
            made.clicked.connect(lambda _on=False, i=action_id: actions.run(i))
            self.buttons[tool.id] = made
            layout.addWidget(made, 0, Qt.AlignmentFlag.AlignHCenter)
            qt = actions.qt[action_id]

            def follow(button: QToolButton = made, action: object = qt) -> None:
                button.setEnabled(action.isEnabled())  # type: ignore[attr-defined]
                button.setToolTip(action.toolTip())  # type: ignore[attr-defined]

            qt.changed.connect(follow)
            follow()
        layout.addStretch(1)
        layout.addWidget(line())
        self.swatches = Swatches(workspace)
        layout.addWidget(self.swatches, 0, Qt.AlignmentFlag.AlignHCenter)
        self.keys = icon_button(
            "keyboard", "Keys", size=20, role="muted", run=lambda: actions.run("help.keys")
        )
        self.keys.setToolTip(actions.tooltip("help.keys"))
        layout.addWidget(self.keys, 0, Qt.AlignmentFlag.AlignHCenter)
        workspace.tool_changed.connect(self.refresh)
        self.refresh()

    def refresh(self, _tool: str = "") -> None:
        """Mark the chosen tool."""
        for tool_id, made in self.buttons.items():
            made.setChecked(tool_id == self._workspace.tool_id)


class _ToolButton(QToolButton):
    """A tool: chosen ones have the selection's ground and an accent at the edge."""

    def __init__(self, icon_name: str, name: str) -> None:
        super().__init__()
        from app.theme.icons import icon

        self.setIcon(icon(icon_name, "text", 20))
        self.setIconSize(QSize(20, 20))
        self.setFixedSize(32, 28)
        self.setCheckable(True)
        self.setAutoExclusive(False)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.isChecked():
            painter = QPainter(self)
            painter.fillRect(0, 4, 2, self.height() - 8, theme().colour("accent"))


class Swatches(QWidget):
    """The class in front, the one behind it; a click swaps them."""

    swapped = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.setFixedSize(32, 32)
        self.setToolTip("<b>Class and background</b>&nbsp;&nbsp;X<br>Click to swap them.")
        self.setAccessibleName("Class and background")
        workspace.active_class_changed.connect(lambda _: self.update())
        workspace.classes_changed.connect(lambda _: self.update())
        theme().changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        classes = self._workspace.classes
        front = back = None
        if classes is not None:
            active = classes.get(self._workspace.active_class)
            behind = classes.get(self._workspace.background_class)
            front = active.colour if active is not None else None
            back = behind.colour if behind is not None else None
        draw_swatch(painter, QRectF(12, 12, 16, 16), back)
        painter.fillRect(3, 3, 18, 18, theme().colour("window"))
        draw_swatch(painter, QRectF(4, 4, 16, 16), front)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._workspace.swap_classes()
