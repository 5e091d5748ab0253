"""Icons: Lucide's drawings in the colour of a role, crisp at the screen's own resolution."""

from __future__ import annotations

import functools
from pathlib import Path

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QImage, QPainter, QPixmap

from app.theme.theme import theme

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "icons"
# At 16 px a stroke of 1.5 turns to haze; at 20 px 2 is heavy.
_STROKES = {16: 2.0, 20: 1.8}


def exists(name: str) -> bool:
    """True if there is a drawing of this name."""
    return (FOLDER / f"{name}.svg").is_file()


def icon(name: str, role: str = "text", size: int = 16) -> QIcon:
    """An icon that draws itself in the colour of `role`, also after the theme has changed."""
    return QIcon(_Engine(name, role, size))


def pixmap(name: str, role: str = "text", size: int = 16, ratio: float = 1.0) -> QPixmap:
    """A drawing of `size` logical pixels for a screen with this device pixel ratio."""
    return _render(name, theme().hex(role), size, ratio)


def device_ratio(painter: QPainter) -> float:
    """Device pixels per logical pixel, where the painter is not scaled otherwise.

    `painter.device()` says it too, but making its Python object costs 40 ms the first time.
    """
    return max(1.0, painter.deviceTransform().m11())


@functools.lru_cache(maxsize=1024)
def _render(name: str, colour: str, size: int, ratio: float) -> QPixmap:
    from PySide6.QtSvg import QSvgRenderer

    pixels = max(1, round(size * ratio))
    image = QImage(pixels, pixels, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(_source(name, colour, size).encode()))
    painter = QPainter(image)
    renderer.render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    drawn = QPixmap.fromImage(image)
    drawn.setDevicePixelRatio(ratio)
    return drawn


def _source(name: str, colour: str, size: int) -> str:
    # QtSvg paints currentColor black, so the role's colour is written in.
    stroke = _STROKES.get(size, 1.6 if size > 20 else 2.0)
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    return text.replace("currentColor", colour).replace(
        'stroke-width="2"', f'stroke-width="{stroke}"'
    )


class _Engine(QIconEngine):
    """Draws by role when asked, so a change of theme needs no new icons."""

    def __init__(self, name: str, role: str, size: int) -> None:
        super().__init__()
        self._name, self._role, self._size = name, role, size

    def paint(self, painter: QPainter, rect: object, mode: QIcon.Mode, state: QIcon.State) -> None:
        ratio = device_ratio(painter)
        side = min(rect.width(), rect.height())  # type: ignore[attr-defined]
        drawn = self._drawn(side, ratio, mode, state)
        x = rect.x() + (rect.width() - side) // 2  # type: ignore[attr-defined]
        y = rect.y() + (rect.height() - side) // 2  # type: ignore[attr-defined]
        painter.drawPixmap(x, y, drawn)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self._drawn(min(size.width(), size.height()), 1.0, mode, state)

    def scaledPixmap(
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        side = round(min(size.width(), size.height()) / scale)
        return self._drawn(side, scale, mode, state)

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._role, self._size)

    def _drawn(self, side: int, ratio: float, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        role = self._role
        if mode == QIcon.Mode.Disabled:
            role = "disabled"
        return pixmap(self._name, role, side, ratio)
