"""ViewedWidget: a widget that shows a picture through a `View`: it fits, zooms, pans and turns.

It knows the picture's size only, neither pixels nor labels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QPointF
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from app.canvas.view import View
from segcore.base import Rect

# Room around a fitted picture, logical pixels.
FIT_MARGIN = 24


class ViewedWidget(QWidget):
    """Holds the view; `view` is None while there is no picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view: View | None = None
        self._grid: Any = None
        self._turn = (0, False)
        self._fitting = True
        self._below = 0

    def view_changed(self, before: View | None) -> None:
        """Called with the view before, when `view` is another."""

    def zoom_centre(self) -> tuple[float, float] | None:
        """Where to zoom to if nobody says, in device pixels; None is the middle."""
        return None

    # -- size ---------------------------------------------------------------------------------

    @property
    def ratio(self) -> float:
        """Device pixels per logical pixel."""
        return self.devicePixelRatioF()

    def device_size(self) -> tuple[int, int]:
        """Height and width in device pixels."""
        return max(1, round(self.height() * self.ratio)), max(1, round(self.width() * self.ratio))

    def device(self, place: QPointF) -> tuple[float, float]:
        """A logical place of the widget in device pixels, (y, x)."""
        return place.y() * self.ratio, place.x() * self.ratio

    def show_grid(
        self, shape: tuple[int, int], aspect: float, flips: tuple[bool, bool] = (False, False)
    ) -> None:
        """Show a picture of this size: zoomed and turned as the one before, if it is alike.

        Parameters
        ----------
        flips : how the file's rows and columns are turned over to be looked at.
        """
        grid = (shape, aspect, flips)
        if self._grid != grid:
            self._turn = (0, False)
        elif self.view is not None and not self._fitting:
            return
        self._grid = grid
        rotation, mirrored = self._turn
        view = View(
            shape,
            self.device_size(),
            aspect=aspect,
            rotation=rotation,
            flip_y=flips[0],
            flip_x=flips[1] != mirrored,
        )
        self._fitting = True
        self._set_view(self._fitted(view))

    def show_no_grid(self) -> None:
        """There is no picture any more."""
        self.view = self._grid = None
        self._turn = (0, False)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.view is None:
            return
        size = self.device_size()
        if self._fitting:
            self._set_view(self._fitted(replace(self.view, size=size)))
        else:
            self._set_view(self.view.resized(size))

    # -- moving about -------------------------------------------------------------------------

    def fit(self) -> None:
        """The whole picture, as large as it fits."""
        if self.view is not None:
            self._fitting = True
            self._set_view(self._fitted(self.view))

    def leave_room(self, below: int) -> None:
        """So many logical pixels at the lower edge are covered: a fitted picture ends above."""
        if below != self._below:
            self._below = below
            self.fit_again()

    def fit_again(self) -> None:
        """Fit the picture anew, if it is fitted and nobody is drawing on it."""
        if self.view is not None and self._fitting and not self.is_held:
            view = self._fitted(self.view)
            if view != self.view:
                self._set_view(view)

    @property
    def is_held(self) -> bool:
        """Whether the picture must not move under the mouse now."""
        return False

    def zoom_by(self, factor: float, at: tuple[float, float] | None = None) -> None:
        """Zoom around a place in device pixels; the mouse's, or the middle if it is elsewhere."""
        if self.view is not None:
            self.zoom_to(self.view.scale * factor, at)

    def zoom_to(self, scale: float, at: tuple[float, float] | None = None) -> None:
        """Show this many device pixels per image pixel."""
        if self.view is None:
            return
        height, width = self.view.size
        place = at or self.zoom_centre() or (height / 2, width / 2)
        self.set_view(self.view.zoomed_at(*place, scale))

    def set_view(self, view: View) -> None:
        """Show this part; the picture no longer follows the size of the widget."""
        self._fitting = False
        self._set_view(view)

    def turn_by(self, quarters: int) -> None:
        """Turn what is on screen by so many quarters clockwise."""
        rotation, mirrored = self._turn
        self._turn_to((rotation + 90 * quarters) % 360, mirrored)

    def flip(self) -> None:
        """Turn what is on screen over, left to right."""
        # The mirror stands before the turning, so passing it through turns that round.
        rotation, mirrored = self._turn
        self._turn_to(-rotation % 360, not mirrored)

    def unturn(self) -> None:
        """Show the picture as its file has it."""
        self._turn_to(0, False)

    @property
    def turned_text(self) -> str:
        """How the picture is turned, in words; "" if it is not."""
        rotation, mirrored = self._turn
        turned = {0: "", 90: "90° right", 180: "180°", 270: "90° left"}[rotation]
        return ", ".join(word for word in ("mirrored" if mirrored else "", turned) if word)

    def _turn_to(self, rotation: int, mirrored: bool) -> None:
        if self.view is None:
            return
        self._turn = (rotation, mirrored)
        flip_y, flip_x = self._grid[2]
        turned = self.view.turned(rotation, flip_y, flip_x != mirrored)
        self._set_view(self._fitted(turned) if self._fitting else turned)

    def show_place(self, rect: Rect) -> None:
        """Bring a rectangle of the picture to the middle, if nothing of it is visible."""
        if self.view is None or not self.view.visible_image.intersect(rect).is_empty:
            return
        middle = rect.y + rect.height / 2, rect.x + rect.width / 2
        height, width = self.view.size
        self.set_view(self.view.moved_to(*middle, (height / 2, width / 2)))

    def _set_view(self, view: View) -> None:
        before, self.view = self.view, view
        self.view_changed(before)

    def _fitted(self, view: View) -> View:
        return view.fitted(self._margin(), round(self._below * self.ratio))

    def _margin(self) -> int:
        roomy = min(self.width(), self.height()) > 8 * FIT_MARGIN
        return round((FIT_MARGIN if roomy else 2) * self.ratio)
