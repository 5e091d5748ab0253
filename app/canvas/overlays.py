"""What is drawn above the tiles: outlines and seeds of a gesture, sentences, the focus ring."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontInfo,
    QImage,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
)

from app.canvas.look import Look
from app.canvas.sampling import centres
from app.canvas.solving import Solving, last_seed
from app.canvas.view import View
from app.theme import Theme, theme
from app.theme.icons import pixmap
from app.workspace.gesture import OutlinePreview, Point, Preview, SeedsPreview
from segcore.base import Rect

# How much of the light is taken from what a solver does not look at.
_SHADE = 70
_HATCH, _HATCH_LINE = 7, 2


class PreviewPainter:
    """Draws a gesture's preview; keeps the picture of a found region while nothing moves."""

    def __init__(self, solving: Solving) -> None:
        self._solving = solving
        self._kept: tuple[Any, QImage, Rect] | None = None

    def paint(
        self, painter: QPainter, view: View, preview: Preview, look: Look | None, ratio: float
    ) -> None:
        """Draw it; the painter works in device pixels."""
        if preview is None or look is None:
            self._kept = None
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if isinstance(preview, OutlinePreview):
            _paint_outline(painter, view, preview, _class_colour(look, preview.class_id), ratio)
        elif isinstance(preview, SeedsPreview):
            if preview.region is not None:
                _shade_around(painter, view, preview.region, ratio)
                if preview.found is not None:
                    self._paint_found(painter, view, preview, look, ratio)
            _paint_seeds(painter, view, preview, ratio)
            _paint_solving(painter, view, preview, self._solving.text, ratio, theme())
        painter.restore()

    def _paint_found(
        self, painter: QPainter, view: View, preview: SeedsPreview, look: Look, ratio: float
    ) -> None:
        key = (id(preview.found), preview.region, view, look.version, ratio)
        if self._kept is None or self._kept[0] != key:
            assert preview.region is not None
            drawn = found_pixels(
                view, preview.found, preview.region, look.colours[preview.class_id], ratio
            )
            if drawn is None:
                return
            self._kept = (key, *drawn)
        _, image, place = self._kept
        painter.drawImage(place.x, place.y, image)


def _class_colour(look: Look, class_id: int) -> QColor:
    blue, green, red, _ = (int(v) for v in look.colours[class_id])
    return QColor(red, green, blue)


def _at(view: View, point: Point) -> QPointF:
    y, x = view.to_screen(*point)
    return QPointF(x, y)


def _screen_rect(view: View, rect: Rect) -> QRectF:
    one = _at(view, (rect.y, rect.x))
    other = _at(view, (rect.bottom, rect.right))
    return QRectF(one, other).normalized()


# -- outline ----------------------------------------------------------------------------------


def _paint_outline(
    painter: QPainter, view: View, preview: OutlinePreview, colour: QColor, ratio: float
) -> None:
    points = [_at(view, p) for p in preview.points]
    line = QPolygonF(points)
    if preview.to is not None and points:
        line.append(points[0] if preview.closes else _at(view, preview.to))
    if len(points) >= 2:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour.red(), colour.green(), colour.blue(), 60))
        painter.drawPolygon(line)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for width, shade in ((4, QColor(0, 0, 0)), (2, colour)):
        painter.setPen(QPen(shade, width * ratio, j=Qt.PenJoinStyle.RoundJoin))
        painter.drawPolyline(line)
    for number, point in enumerate(points):
        half = (5 if number == 0 and preview.closes else 3) * ratio
        painter.setPen(QPen(QColor(0, 0, 0), ratio))
        painter.setBrush(QColor(255, 255, 255))
        painter.drawRect(QRectF(point.x() - half, point.y() - half, 2 * half, 2 * half))


# -- seeds ------------------------------------------------------------------------------------


def _paint_seeds(painter: QPainter, view: View, preview: SeedsPreview, ratio: float) -> None:
    if preview.box is not None:
        _frame(painter, _screen_rect(view, preview.box), ratio, dashed=True)
    for path, radius, marks_object in preview.strokes:
        _paint_seed(painter, view, path, radius, marks_object, ratio)


def paint_region(painter: QPainter, view: View, region: Rect, ratio: float) -> None:
    """Frame a region that is worked on, and take light from what is not; in device pixels."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _shade_around(painter, view, region, ratio)
    painter.restore()


def _shade_around(painter: QPainter, view: View, region: Rect, ratio: float) -> None:
    whole = QPainterPath()
    whole.addRect(_screen_rect(view, Rect(0, 0, *view.shape)))
    inner = QPainterPath()
    inner.addRect(_screen_rect(view, region))
    painter.fillPath(whole.subtracted(inner), QColor(0, 0, 0, _SHADE))
    _frame(painter, _screen_rect(view, region), ratio)


def _frame(painter: QPainter, rect: QRectF, ratio: float, *, dashed: bool = False) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for width, colour in ((3.0, QColor(0, 0, 0, 160)), (1.0, QColor(255, 255, 255))):
        pen = QPen(colour, width * ratio)
        if dashed and width == 1.0:
            pen.setDashPattern([6, 4])
        painter.setPen(pen)
        painter.drawRect(rect)


def found_pixels(
    view: View, found: Any, region: Rect, colour: Any, ratio: float
) -> tuple[QImage, Rect] | None:
    """A found region as it lies on the screen: hatched in the class's colour, its edge white and
    class in turn. With the device pixels that it covers; None if none of it is visible."""
    visible = view.visible.intersect(view.zoomed_of_image(region))
    if visible.is_empty:
        return None
    rows = centres(visible.y, visible.bottom, view.steps[0], view.shape[0]) - region.y
    columns = centres(visible.x, visible.right, view.steps[1], view.shape[1]) - region.x
    inside = ((rows >= 0) & (rows < region.height))[:, None] & (
        (columns >= 0) & (columns < region.width)
    )[None, :]
    mask = np.asarray(found, bool)[np.clip(rows, 0, region.height - 1)]
    mask = mask[:, np.clip(columns, 0, region.width - 1)] & inside
    step = max(1, round(ratio))
    diagonal = np.add.outer(
        np.arange(visible.y, visible.bottom), np.arange(visible.x, visible.right)
    )
    hatched = mask & (diagonal % (_HATCH * step) < _HATCH_LINE * step)
    square = np.ones((3, 3), np.uint8)
    solid = mask.view(np.uint8)
    line = cv2.dilate(solid, square, iterations=step) != cv2.erode(solid, square, iterations=step)
    halo = cv2.dilate(line.view(np.uint8), square, iterations=step) > 0
    dashes = (diagonal // (6 * step)) % 2 == 0
    opaque = np.array([*colour[:3], 255], np.float64)
    out = np.zeros((*mask.shape, 4), np.uint8)
    # Premultiplied, as Qt wants it.
    out[mask] = opaque * 0.25
    out[hatched] = opaque * 0.8
    out[halo] = (0, 0, 0, 255)
    out[line] = (255, 255, 255, 255)
    out[line & dashes] = opaque
    turned = np.ascontiguousarray(view.oriented(out))
    image = QImage(
        turned.data,
        turned.shape[1],
        turned.shape[0],
        turned.strides[0],
        QImage.Format.Format_ARGB32_Premultiplied,
    )
    # A copy, because the array goes when this returns.
    return image.copy(), view.screen_rect(visible)


def _paint_seed(
    painter: QPainter,
    view: View,
    path: tuple[Point, ...],
    radius: float,
    marks_object: bool,
    ratio: float,
) -> None:
    points = [_at(view, p) for p in path]
    if not points:
        return
    line = QPainterPath(points[0])
    for point in points[1:]:
        line.lineTo(point)
    if len(points) == 1:
        line.lineTo(points[0] + QPointF(0.01, 0))
    body, rim = QColor(255, 255, 255), QColor(0, 0, 0)
    if not marks_object:
        body, rim = QColor(40, 40, 40), QColor(255, 255, 255)
    wide = max(2 * radius * view.scale, 3 * ratio)
    for width, colour in ((wide + 2 * ratio, rim), (wide, body)):
        painter.setPen(
            QPen(
                QBrush(colour),
                width,
                Qt.PenStyle.SolidLine,
                Qt.PenCapStyle.RoundCap,
                Qt.PenJoinStyle.RoundJoin,
            )
        )
        painter.drawPath(line)
    arm = min(4 * ratio, wide / 2 - ratio)
    if arm < 2 * ratio:
        return
    painter.setPen(QPen(rim, 1.5 * ratio))
    length = line.length()
    signs = max(1, int(length / (40 * ratio)))
    for number in range(signs):
        at = line.pointAtPercent((number + 0.5) / signs)
        painter.drawLine(at - QPointF(arm, 0), at + QPointF(arm, 0))
        if marks_object:
            painter.drawLine(at - QPointF(0, arm), at + QPointF(0, arm))


def _paint_solving(
    painter: QPainter, view: View, preview: SeedsPreview, text: str, ratio: float, look: Theme
) -> None:
    """A small plate beside the newest seed: an answer is awaited. In device pixels."""
    seed = last_seed(preview)
    if seed is None or not text:
        return
    point, radius = seed
    at = _at(view, point)
    font = QFont(look.font("small"))
    # The painter works in device pixels here, where a font of points has one size on every screen.
    font.setPixelSize(round(QFontInfo(font).pixelSize() * ratio))
    painter.setFont(font)
    pad, icon = 6 * ratio, 14 * ratio
    width = painter.fontMetrics().horizontalAdvance(text) + icon + 3 * pad
    height = max(20 * ratio, painter.fontMetrics().height() + 4 * ratio)
    beside = radius * view.scale + 12 * ratio
    size_y, size_x = view.size
    x = at.x() + beside
    if x + width > size_x - pad:
        x = at.x() - beside - width
    x = min(max(x, pad), max(pad, size_x - width - pad))
    y = min(max(at.y() + 8 * ratio, pad), max(pad, size_y - height - pad))
    plate = QRectF(round(x), round(y), round(width), round(height))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(look.colour("separator"), ratio))
    painter.setBrush(look.colour("panel"))
    painter.drawRoundedRect(plate.adjusted(0.5, 0.5, -0.5, -0.5), 4 * ratio, 4 * ratio)
    drawn = pixmap("loader-circle", "muted", 14, ratio)
    place = QRectF(plate.x() + pad, plate.center().y() - icon / 2, icon, icon)
    painter.drawPixmap(place, drawn, QRectF(drawn.rect()))
    painter.setPen(look.colour("text"))
    words = plate.adjusted(icon + 2 * pad, 0, 0, 0)
    painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter), text)


# -- words and focus --------------------------------------------------------------------------


def paint_sentence(painter: QPainter, rect: QRect, sentence: tuple[str, str], theme: Theme) -> None:
    """A sentence in the middle of the canvas and a hint below it; nothing if both are empty."""
    message, hint = sentence
    if not message and not hint:
        return
    room = rect.adjusted(32, 32, -32, -32)
    room.setWidth(min(room.width(), 560))
    room.moveCenter(rect.center())
    flags = int(Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap)
    painter.setFont(theme.font("page"))
    height = painter.boundingRect(room, flags, message).height()
    painter.setFont(theme.font())
    below = painter.boundingRect(room, flags, hint).height() if hint else 0
    whole = height + (8 + below if hint else 0)
    top = rect.center().y() - whole // 2
    # A plate, because labels without their picture may lie under the words.
    plate = QRect(room.x() - 16, top - 16, room.width() + 32, whole + 32)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(theme.colour("separator"))
    painter.setBrush(theme.colour("panel"))
    painter.drawRoundedRect(QRectF(plate).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
    painter.setFont(theme.font("page"))
    painter.setPen(theme.colour("text"))
    painter.drawText(QRect(room.x(), top, room.width(), height), flags, message)
    painter.setFont(theme.font())
    painter.setPen(theme.colour("muted"))
    painter.drawText(QRect(room.x(), top + height + 8, room.width(), below + 4), flags, hint)


def paint_focus(painter: QPainter, rect: QRect, theme: Theme) -> None:
    """The ring that says: keys act here."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme.colour("focus"), 2, j=Qt.PenJoinStyle.MiterJoin))
    painter.drawRect(rect.adjusted(1, 1, -1, -1))
