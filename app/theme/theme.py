"""The theme in use: colours by role, fonts, and how both reach Qt."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontMetrics, QPalette
from PySide6.QtWidgets import QApplication

from app.theme.roles import ROLES, THEMES

if TYPE_CHECKING:
    from PySide6.QtWidgets import QStyle


class Theme(QObject):
    """Colours and fonts; `changed` tells painters to paint again."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.name = "dark"
        self._base: QFont | None = None
        self._scale = 1.0
        self._style: QStyle | None = None
        self._colours: dict[str, QColor] = {}

    # -- colours ------------------------------------------------------------------------------

    def hex(self, role: str) -> str:
        """The value of a role as ``#RRGGBB``."""
        return ROLES[role].value(self.name)

    def colour(self, role: str) -> QColor:
        """The colour of a role; callers do not change it."""
        found = self._colours.get(role)
        if found is None:
            found = self._colours[role] = QColor(self.hex(role))
        return found

    # -- fonts --------------------------------------------------------------------------------

    def font(self, kind: str = "text") -> QFont:
        """``text``, ``small`` (-1), ``group`` (semibold), ``page`` (+3, semibold); figures have
        one width in all of them."""
        base = QFont(self._base or QApplication.font())
        if kind == "small":
            base.setPointSizeF(base.pointSizeF() - 1)
        elif kind == "group":
            base.setWeight(QFont.Weight.DemiBold)
        elif kind == "page":
            base.setPointSizeF(base.pointSizeF() + 3)
            base.setWeight(QFont.Weight.DemiBold)
        base.setFeature(QFont.Tag("tnum"), 1)
        return base

    def line(self, lines: int = 1) -> int:
        """Height of so many lines of text in pixels."""
        return QFontMetrics(self.font()).height() * lines

    # -- applying -----------------------------------------------------------------------------

    def apply(self, name: str, *, scale: float = 1.0, family: str = "", sheet: bool = True) -> None:
        """Dress the application; live, so it may be called again.

        Without `sheet` the style sheet waits for `lay_sheet`, for whoever is about to build a
        window: with one, Qt dresses every part anew whenever what it is in finds its place.
        """
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            return
        if name not in THEMES:
            raise ValueError(name)
        self.name, self._scale = name, scale
        self._colours.clear()
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
        if family:
            font.setFamily(family)
        font.setPointSizeF((13 if _is_mac() else 9) * scale)
        self._base = font
        if self._style is None and app.style().name().lower() != "fusion":
            app.setStyle("Fusion")
        app.setFont(self.font())
        app.setPalette(self._palette())
        if sheet:
            self.lay_sheet()
        self.changed.emit()

    def lay_sheet(self) -> None:
        """Give the application the style sheet of the theme and text size in use."""
        from app.theme.sheet import style_sheet

        app = QApplication.instance()
        if isinstance(app, QApplication):
            sheet = style_sheet(self.hex, QFontMetrics(self.font()).height())
            if app.styleSheet() != sheet:  # Qt would dress every part anew, changed or not
                app.setStyleSheet(sheet)

    def finish(self) -> None:
        """Put our own style over Fusion: distances, check boxes, tooltips after 600 ms.

        Apart from `apply`, because a style in Python costs 70 ms of a start; it is called once
        the first picture is on screen, and by the first dialog.
        """
        from app.theme.style import Style

        app = QApplication.instance()
        if self._style is None and isinstance(app, QApplication):
            self._style = Style()
            app.setStyle(self._style)

    def _palette(self) -> QPalette:
        palette = QPalette()
        roles = {
            QPalette.ColorRole.Window: "panel",
            QPalette.ColorRole.WindowText: "text",
            QPalette.ColorRole.Base: "field",
            QPalette.ColorRole.AlternateBase: "panel",
            QPalette.ColorRole.ToolTipBase: "raised",
            QPalette.ColorRole.ToolTipText: "text",
            QPalette.ColorRole.PlaceholderText: "muted",
            QPalette.ColorRole.Text: "text",
            QPalette.ColorRole.Button: "raised",
            QPalette.ColorRole.ButtonText: "text",
            QPalette.ColorRole.BrightText: "danger",
            QPalette.ColorRole.Link: "accent",
            QPalette.ColorRole.Highlight: "selection",
            QPalette.ColorRole.HighlightedText: "text",
            QPalette.ColorRole.Light: "separator",
            QPalette.ColorRole.Midlight: "separator",
            QPalette.ColorRole.Mid: "separator",
            QPalette.ColorRole.Dark: "separator",
            QPalette.ColorRole.Shadow: "shadow",
            QPalette.ColorRole.Accent: "accent",
        }
        for role, name in roles.items():
            palette.setColor(role, self.colour(name))
        for role in (
            QPalette.ColorRole.WindowText,
            QPalette.ColorRole.Text,
            QPalette.ColorRole.ButtonText,
            QPalette.ColorRole.HighlightedText,
        ):
            palette.setColor(QPalette.ColorGroup.Disabled, role, self.colour("disabled"))
        return palette


def _is_mac() -> bool:
    import sys

    return sys.platform == "darwin"


@functools.cache
def theme() -> Theme:
    """The one theme of this process."""
    return Theme()
