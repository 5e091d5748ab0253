"""The mouse's own mark on the canvas, and the read-out of what lies under it.

A brush is a circle (or square) of true size in black and white hairlines: what it encloses is what
gets painted, at every zoom. Under 6 px it becomes a crosshair.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.workspace import Cursor
from app.workspace.gesture import Mark as Shape
from segcore.base import Rect

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas
    from app.canvas.picture import Picture

log = logging.getLogger(__name__)
_LEAST = 6.0


class CursorPainter:
    """Follows the mouse over one canvas."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._at: QPointF | None = None
        self._drawn = Rect(0, 0, 0, 0)
        self._reported: object = None

    @property
    def place(self) -> tuple[float, float] | None:
        """Device pixels (y, x) under the mouse; None if it is elsewhere."""
        return None if self._at is None else self._canvas.device(self._at)

    def move(self, at: QPointF) -> None:
        """The mouse is here."""
        self._at = at
        self.refresh()

    def leave(self) -> None:
        """The mouse has left the canvas."""
        self._at = None
        self.refresh()

    def refresh(self) -> None:
        """The mouse, the tool, its size or the zoom have changed."""
        canvas = self._canvas
        self._choose_pointer()
        fresh = self._bounds()
        for rect in (self._drawn, fresh):
            if not rect.is_empty:
                canvas.frame.changed.emit(rect)
        self._drawn = fresh
        self._report()

    # -- read-out -----------------------------------------------------------------------------

    def read_again(self) -> None:
        """The labels under the mouse have changed, though the mouse has not moved."""
        self._reported = None
        self._report()

    def _report(self) -> None:
        canvas, workspace = self._canvas, self._canvas.workspace
        pixel = None
        if canvas.view is not None and self.place is not None and workspace.item is not None:
            pixel = canvas.view.pixel_at(*self.place)
        shown = workspace.shown_labels
        chosen = (workspace.tool_id, workspace.active_class)
        state = (pixel, workspace.z, id(shown), id(canvas.picture), chosen)
        if state == self._reported:
            return
        self._reported = state
        if not canvas.gestures.is_running:
            self.name_object()
        if pixel is None:
            workspace.report_cursor(None)
            return
        y, x = pixel
        class_id, origin, instance = None, 0, 0
        if shown is not None and shown.extent.contains(y, x):
            index = next(shown.tiles_in(Rect(y, x, 1, 1), workspace.z), None)
            if index is not None:
                z0, rect = shown.tile_rect(index)
                at = workspace.z - z0, y - rect.y, x - rect.x
                classes = shown.tile_resident("class", index)
                origins = shown.tile_resident("origin", index)
                instances = shown.tile_resident("instance", index)
                class_id = None if classes is None else int(classes[at])
                origin = 0 if origins is None else int(origins[at])
                instance = 0 if instances is None else int(instances[at])
        known = Cursor(workspace.z, y, x, None, class_id, origin, instance)
        picture = canvas.picture
        if picture is None:
            workspace.report_cursor(known)
        elif picture.reads_at_once(known.z):
            values = picture.values_at(known.z, y, x)
            workspace.report_cursor(replace(known, values=values))
        else:
            workspace.report_cursor(known)
            self._read_beside(picture, known)

    def name_object(self, shift: bool = False) -> None:
        """Say which object painting would extend or make here."""
        canvas, workspace = self._canvas, self._canvas.workspace
        tool, place, labels = canvas.tool, self.place, workspace.labels
        text = ""
        if tool is not None and tool.makes_objects and canvas.view and place and labels:
            objects = workspace.objects()
            if objects is not None:
                at = canvas.view.to_image(*place)
                number = objects.begun_at(labels, workspace.z, at, shift)
                text = objects.words(number, is_new=number == objects.fresh)
        workspace.object_named.emit(text)

    def _read_beside(self, picture: Picture, known: Cursor) -> None:
        """Values that may have to be decoded come a little later, if the mouse is still there."""
        workspace = self._canvas.workspace

        def fill(values: tuple[float, ...]) -> None:
            if workspace.cursor == known:
                workspace.report_cursor(replace(known, values=values))

        workspace.background.run_latest(
            "cursor",
            lambda: picture.values_at(known.z, known.y, known.x),
            fill,
            lambda error: log.info("a value could not be read: %s", type(error).__name__),
        )

    # -- the mark -----------------------------------------------------------------------------

    def _kind(self) -> Shape:
        tool = self._canvas.tool
        if self._canvas.controls.pans:
            return Shape.HAND
        return Shape.CROSS if tool is None else tool.cursor

    def _radii(self) -> tuple[float, float] | None:
        """Half height and half width of the brush in device pixels; None if it is no brush."""
        canvas = self._canvas
        if canvas.view is None or self._kind() not in (Shape.BRUSH, Shape.ERASER, Shape.SEED):
            return None
        size = canvas.workspace.tool_options.get("size")
        if size is None:
            return None
        down, right = canvas.view.steps
        if canvas.view.rotation % 180:
            down, right = right, down
        return float(size) / 2 * down, float(size) / 2 * right

    def _choose_pointer(self) -> None:
        canvas = self._canvas
        kind = self._kind()
        if canvas.view is None:
            shape = Qt.CursorShape.ArrowCursor
        elif kind is Shape.HAND or canvas.controls.is_panning:
            held = canvas.controls.is_panning
            shape = Qt.CursorShape.ClosedHandCursor if held else Qt.CursorShape.OpenHandCursor
        elif self._radii() is not None:
            shape = Qt.CursorShape.BlankCursor
        else:
            shape = Qt.CursorShape.CrossCursor
        if canvas.cursor().shape() != shape:
            canvas.setCursor(shape)

    def _bounds(self) -> Rect:
        """Device pixels that the mark touches."""
        place, radii = self.place, self._radii()
        if place is None or radii is None:
            return Rect(0, 0, 0, 0)
        reach_y, reach_x = max(radii[0], 14.0) + 4, max(radii[1], 14.0) + 4
        return Rect.from_bounds(
            math.floor(place[0] - reach_y),
            math.floor(place[1] - reach_x),
            math.ceil(place[0] + reach_y),
            math.ceil(place[1] + reach_x),
        ).intersect(Rect(0, 0, *self._canvas.device_size()))

    def paint(self, painter: QPainter) -> None:
        """Draw the mark; the painter works in device pixels."""
        place, radii = self.place, self._radii()
        if place is None or radii is None:
            return
        canvas = self._canvas
        width = max(1.0, round(canvas.ratio))
        y, x = place
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if min(radii) * 2 < _LEAST:
            self._cross(painter, y, x, 5 * width, 12 * width, width)
        else:
            square = canvas.workspace.tool_options.get("shape") == "square"
            for grown, colour in ((width, Qt.GlobalColor.black), (0.0, Qt.GlobalColor.white)):
                painter.setPen(QPen(QColor(colour), width))
                half_y, half_x = radii[0] + grown, radii[1] + grown
                around = QRectF(x - half_x, y - half_y, 2 * half_x, 2 * half_y)
                if square:
                    painter.drawRect(around)
                else:
                    painter.drawEllipse(around)
            kind = self._kind()
            if kind is Shape.BRUSH and min(radii) > 10 * width:
                self._cross(painter, y, x, 0, 3 * width, width)
            elif kind is Shape.ERASER:
                self._sign(painter, y, x, width, plus=False)
            elif kind is Shape.SEED:
                background = canvas.workspace.tool_options.get("marks") == "background"
                self._sign(painter, y, x, width, plus=not background)
        painter.restore()

    @staticmethod
    def _cross(
        painter: QPainter, y: float, x: float, inner: float, outer: float, width: float
    ) -> None:
        for thick, colour in ((3 * width, Qt.GlobalColor.black), (width, Qt.GlobalColor.white)):
            painter.setPen(QPen(QColor(colour), thick, c=Qt.PenCapStyle.FlatCap))
            for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                painter.drawLine(
                    QPointF(x + dx * inner, y + dy * inner), QPointF(x + dx * outer, y + dy * outer)
                )

    @staticmethod
    def _sign(painter: QPainter, y: float, x: float, width: float, *, plus: bool) -> None:
        arm = 4 * width
        for thick, colour in ((3 * width, Qt.GlobalColor.black), (width, Qt.GlobalColor.white)):
            painter.setPen(QPen(QColor(colour), thick, c=Qt.PenCapStyle.FlatCap))
            painter.drawLine(QPointF(x - arm, y), QPointF(x + arm, y))
            if plus:
                painter.drawLine(QPointF(x, y - arm), QPointF(x, y + arm))
