"""Frame: what is on the canvas now, tile by tile, and which tiles are still being made.

It turns a view and a scene into blits. When a tile is missing, the frame before stays under it,
moved and scaled, so nothing ever flashes. Strokes that the labels do not have yet lie in one
picture above the tiles, drawn again only where they grow.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QRectF, Signal
from PySide6.QtGui import QImage, QPainter

from app.canvas.composed import ComposedTiles, Tile
from app.canvas.grid import Place, tile_rect, tiles_over
from app.canvas.live import LiveStroke, Point
from app.canvas.outline import margin
from app.canvas.scene import Scene, compose
from app.canvas.view import View
from segcore.base import Rect

# What may be composed on the GUI thread at one go: well inside a 60 Hz frame of 16 ms.
_BUDGET_S = 0.010


class Frame(QObject):
    """The tiles of one canvas. All rectangles it speaks of are device pixels of the canvas."""

    changed = Signal(object)
    """A Rect that has to be painted again."""
    settled = Signal()
    """Everything visible is on screen as it should be."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tiles = ComposedTiles(self)
        self.view: View | None = None
        self.scene: Scene | None = None
        self.focus: tuple[float, float] | None = None
        """Where the person looks, in device pixels: missing tiles near it come first."""
        self._shown: dict[Place, Tile] = {}
        self._awaited: set[Place] = set()
        self._keys: dict[Place, Any] = {}
        self._previous: tuple[View, dict[Place, Tile]] | None = None
        self.strokes: list[LiveStroke] = []
        self._retired: list[LiveStroke] = []
        self._live: tuple[NDArray[np.uint8], QImage] | None = None
        self._live_rect = Rect(0, 0, 0, 0)
        self.tiles.arrived.connect(self._arrived)

    # -- what is shown ------------------------------------------------------------------------

    def show(self, view: View | None, scene: Scene | None, changed: Rect | None = None) -> None:
        """Show this from now on; paints what is ready and asks for the rest.

        Parameters
        ----------
        changed : if given, the scene differs from the one before in the labels of this rectangle
            of the picture only.
        """
        if view is None or scene is None:
            self.view = self.scene = self._previous = None
            self._shown, self._awaited, self._keys = {}, set(), {}
            self.drop_strokes()
            self.tiles.request(())
            return
        before, self.view = self.view, view
        if scene is not self.scene:
            if changed is not None and before is not None and before.steps == view.steps:
                reach = margin(scene.line_width, scene.steps)
                stale = set(tiles_over(view.zoomed_of_image(changed).grown(reach)))
                self._keys = {p: key for p, key in self._keys.items() if p not in stale}
            else:
                self._keys = {}
            self.scene = scene
        if before is None or _geometry(before) != _geometry(view):
            if before is not None and self._shown and _alike(before, view):
                self._previous = (before, self._shown)
            else:
                self._previous = None
            self._shown = {}
        if before != view and self.strokes:
            for stroke in self.strokes:
                stroke.place(view)
        self._refresh(everything=before != view)
        if before != view:
            self._redraw_live()

    def forget_previous(self) -> None:
        """The next frame shows another picture: nothing of this one stays under it."""
        self._previous, self._shown = None, {}
        self.drop_strokes()

    @property
    def is_settled(self) -> bool:
        """True if every visible tile is on screen in its newest state."""
        return not self._awaited

    def close(self) -> None:
        """End the threads that compose."""
        self.tiles.close()

    # -- tiles --------------------------------------------------------------------------------

    def _key(self, place: Place) -> Any:
        key = self._keys.get(place)
        if key is None:
            view, scene = self.view, self.scene
            assert view is not None
            assert scene is not None
            key = (scene.key(tile_rect(place, scene.zoomed)), view.orientation)
            self._keys[place] = key
        return key

    def _refresh(self, *, everything: bool = False) -> None:
        view, scene = self.view, self.scene
        assert view is not None
        assert scene is not None
        visible = list(tiles_over(view.visible))
        missing: list[tuple[float, Place]] = []
        for place in visible:
            key = self._key(place)
            shown = self._shown.get(place)
            if shown is not None and shown.key == key:
                continue
            tile = self.tiles.get(key)
            if tile is not None:
                self._put(place, tile)
            else:
                missing.append((self._distance(place), place))
        missing.sort()
        began = time.perf_counter()
        left: list[tuple[float, Place]] = []
        for number, (distance, place) in enumerate(missing):
            if time.perf_counter() - began > _BUDGET_S:
                left.extend(missing[number:])
                break
            made = self.tiles.make_now(
                self._key(place), scene, tile_rect(place, scene.zoomed), view.oriented
            )
            if made is None:
                left.append((distance, place))
            else:
                self._put(place, made)
        self._awaited = {place for _, place in left}
        self.tiles.request(
            (distance, place, self._key(place), scene, view.oriented) for distance, place in left
        )
        if everything:
            keep = set(visible)
            self._shown = {p: t for p, t in self._shown.items() if p in keep}
            self.changed.emit(Rect(0, 0, *view.size))
        self._after_tiles()

    def _put(self, place: Place, tile: Tile) -> None:
        self._shown[place] = tile
        view, scene = self.view, self.scene
        assert view is not None
        assert scene is not None
        self.changed.emit(view.screen_rect(tile_rect(place, scene.zoomed)))

    def _arrived(self, place: Place) -> None:
        if self.scene is None or place not in self._awaited:
            return
        tile = self.tiles.get(self._key(place))
        if tile is not None:
            self._awaited.discard(place)
            self._put(place, tile)
            self._after_tiles()

    def _after_tiles(self) -> None:
        if not self._awaited:
            if self._previous is not None:
                self._previous = None
                assert self.view is not None
                self.changed.emit(Rect(0, 0, *self.view.size))
            self.settled.emit()
        self._sweep()

    def _distance(self, place: Place) -> float:
        view, scene = self.view, self.scene
        assert view is not None
        assert scene is not None
        rect = view.screen_rect(tile_rect(place, scene.zoomed))
        y, x = self.focus or (view.size[0] / 2, view.size[1] / 2)
        return math.hypot(rect.y + rect.height / 2 - y, rect.x + rect.width / 2 - x)

    # -- strokes ------------------------------------------------------------------------------

    def begin_stroke(self, stroke: LiveStroke) -> None:
        """Show a stroke above the labels from now on."""
        if self.view is not None:
            stroke.place(self.view)
            self.strokes.append(stroke)

    def extend_stroke(self, stroke: LiveStroke, points: list[Point]) -> None:
        """The stroke goes on to these points: draw what it adds."""
        if self.view is None or stroke not in self.strokes:
            return
        dirty = stroke.extend(points, self.view)
        if not dirty.is_empty:
            self._draw_live(dirty)

    def retire_stroke(self, stroke: LiveStroke) -> None:
        """The labels have it: take it away as soon as their tiles are on screen."""
        self._retired.append(stroke)
        self._sweep()

    def drop_stroke(self, stroke: LiveStroke) -> None:
        """It will not be painted: take it away at once."""
        if stroke in self.strokes:
            self.strokes.remove(stroke)
            self._redraw_live()

    def drop_strokes(self) -> None:
        """Take all away."""
        self.strokes, self._retired = [], []
        self._redraw_live()

    def _sweep(self) -> None:
        if not self._retired or self.view is None or self.scene is None:
            return
        waiting = [tile_rect(place, self.scene.zoomed) for place in self._awaited]
        done = [
            stroke
            for stroke in self._retired
            if all(rect.intersect(stroke.bounds(self.view)).is_empty for rect in waiting)
        ]
        if done:
            self._retired = [s for s in self._retired if s not in done]
            self.strokes = [s for s in self.strokes if s not in done]
            self._redraw_live()

    def _redraw_live(self) -> None:
        """Draw all strokes again, after one of them has gone or the view has changed."""
        old, self._live_rect = self._live_rect, Rect(0, 0, 0, 0)
        if not old.is_empty:
            if self._live is not None:
                self._live[0][old.slices] = 0
            self.changed.emit(old)
        if self.view is None:
            self._live = None
            return
        for stroke in self.strokes:
            rect = stroke.bounds(self.view).intersect(self.view.visible)
            if not rect.is_empty:
                self._draw_live(rect)

    def _draw_live(self, dirty: Rect) -> None:
        view, scene = self.view, self.scene
        if view is None or scene is None:
            return
        rect = dirty.grown(margin(scene.line_width, scene.steps)).intersect(view.visible)
        if rect.is_empty:
            return
        pixels = compose(scene, rect, self.tiles.sampler, self.strokes, resident_only=True)
        if pixels is None:
            return
        place = view.screen_rect(rect)
        if self._live is None or self._live[0].shape[:2] != view.size:
            buffer = np.zeros((*view.size, 4), np.uint8)
            image = QImage(
                buffer.data,
                view.size[1],
                view.size[0],
                buffer.strides[0],
                QImage.Format.Format_ARGB32_Premultiplied,
            )
            self._live = (buffer, image)
        self._live[0][place.slices] = view.oriented(pixels)
        self._live_rect = self._live_rect.union(place)
        self.changed.emit(place)

    # -- painting -----------------------------------------------------------------------------

    def paint(self, painter: QPainter, rect: Rect) -> None:
        """Blit what is ready inside `rect`; the painter works in device pixels."""
        view, scene = self.view, self.scene
        if view is None or scene is None:
            return
        if self._previous is not None and self._awaited:
            self._paint_previous(painter, view)
        for place in tiles_over(view.zoomed_rect(rect)):
            tile = self._shown.get(place)
            if tile is None:
                continue
            at = view.screen_rect(tile_rect(place, scene.zoomed))
            part = at.intersect(rect)
            if not part.is_empty:
                inner = part.shifted(-at.y, -at.x)
                painter.drawImage(
                    part.x, part.y, tile.image, inner.x, inner.y, inner.width, inner.height
                )
        part = self._live_rect.intersect(rect)
        if self._live is not None and not part.is_empty:
            painter.drawImage(
                part.x, part.y, self._live[1], part.x, part.y, part.width, part.height
            )

    def _paint_previous(self, painter: QPainter, view: View) -> None:
        assert self._previous is not None
        before, tiles = self._previous
        sy, sx = before.steps
        painter.save()
        for place, tile in tiles.items():
            old = tile_rect(place, before.zoomed)
            corners = [
                view.to_screen(old.y / sy, old.x / sx),
                view.to_screen(old.bottom / sy, old.right / sx),
            ]
            top, bottom = sorted(c[0] for c in corners)
            left, right = sorted(c[1] for c in corners)
            painter.drawImage(QRectF(left, top, right - left, bottom - top), tile.image)
        painter.restore()


def _geometry(view: View) -> Any:
    return view.shape, view.steps, view.orientation


def _alike(one: View, other: View) -> bool:
    return one.shape == other.shape and one.orientation == other.orientation
