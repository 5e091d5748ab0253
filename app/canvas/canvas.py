"""Canvas: the picture, its mask, and everything that is done to them with mouse and keys.

It shows what the workspace says is open and chosen, and asks the workspace for every change.
`paintEvent` decodes and composes nothing: it blits tiles of a `Frame` and draws a few lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from app.canvas.bar import PendingBar
from app.canvas.controls import Controls
from app.canvas.cursors import CursorPainter
from app.canvas.frame import Frame
from app.canvas.gestures import Gestures
from app.canvas.latency import Latency
from app.canvas.looks import Looks
from app.canvas.overlays import PreviewPainter, paint_focus, paint_region, paint_sentence
from app.canvas.picture import Picture
from app.canvas.scene import Scene
from app.canvas.slices import SliceSlider
from app.canvas.solving import Solving
from app.canvas.stream import Stream
from app.canvas.view import View
from app.canvas.viewed import ViewedWidget
from app.theme import theme
from app.workspace import Workspace
from app.workspace.gesture import ToolKind
from segcore.base import MaskwrightError, Rect
from segcore.labels import Labels


class Canvas(ViewedWidget):
    """The picture and its mask, for looking and correcting.

    Parameters
    ----------
    workspace : what is open and chosen.
    tools : what can be done to the mask, in the order of the tool strip.
    """

    settled = Signal()
    """All that is visible is on screen in its newest state."""

    def __init__(
        self,
        workspace: Workspace,
        tools: Sequence[type[ToolKind]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.tools = {tool.id: tool for tool in tools}
        self.frame = Frame(self)
        self.gestures = Gestures(workspace, self.frame, self)
        self.cursor_painter = CursorPainter(self)
        self.solving = Solving(self)
        self.preview_painter = PreviewPainter(self.solving)
        self.controls = Controls(self)
        self.bar = PendingBar(workspace, self)
        self.slider = SliceSlider(workspace, self)
        self.stream = Stream()
        self.looks = Looks(workspace)
        self.latency = Latency()
        self._picture: Picture | None = None
        self._pictures = 0
        self._error: MaskwrightError | None = None
        self._opening = False
        self._event_at: float | None = None
        self._focus_by_key = False
        self._latencies: list[float] = []

        self.setObjectName("canvas")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 120)
        self._connect()
        for tool in tools:
            workspace.declare_tool(tool.id, tool.defaults())
        self._describe()

    def _connect(self) -> None:
        workspace = self.workspace
        self.frame.changed.connect(self._repaint)
        self.frame.settled.connect(self.settled)
        self.frame.settled.connect(workspace.picture_shown)
        self.frame.tiles.failed.connect(self._fail)
        self.gestures.previewed.connect(self.solving.follow)
        self.gestures.previewed.connect(lambda _: self.update())
        self.solving.changed.connect(self.update)
        self.gestures.ended.connect(self._report_stroke)
        self.gestures.ended.connect(self.fit_again)
        workspace.item_opened.connect(self._open_item)
        workspace.image_loaded.connect(self._load_image)
        workspace.image_refined.connect(self._load_image)
        workspace.image_grew.connect(self._load_image)
        workspace.image_failed.connect(self._fail)
        workspace.labels_changed.connect(self._change_labels)
        workspace.slice_changed.connect(self._change_slice)
        workspace.step_turned.connect(lambda bounds: self.show_place(bounds[2]))
        workspace.project_closed.connect(self._close)
        workspace.window_changed.connect(lambda *_: self.refresh())
        workspace.look_changed.connect(self.change_look)
        workspace.settings.changed.connect(self._follow_hatch)
        workspace.scores_changed.connect(self._follow_hatch)
        workspace.active_class_changed.connect(lambda _: self.change_look())
        workspace.classes_changed.connect(lambda _: self.change_look())
        workspace.tool_changed.connect(lambda _: self._change_tool())
        workspace.tool_options_changed.connect(self.cursor_painter.refresh)
        workspace.interrupt = self.controls.interrupt
        workspace.refining.changed.connect(self._show_refining)
        workspace.object_score.looked.connect(self.refresh)
        workspace.prediction_tile_arrived.connect(self._take_predicted)
        workspace.proposal_changed.connect(lambda _: self._end_stream())
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(1046, 612)

    @property
    def tool(self) -> type[ToolKind] | None:
        """The chosen tool."""
        return self.tools.get(self.workspace.tool_id)

    @property
    def is_settled(self) -> bool:
        """True if nothing visible is still being composed or waits for its labels."""
        return self.frame.is_settled and not self.frame.strokes

    @property
    def picture(self) -> Picture | None:
        return self._picture

    # -- what is open -------------------------------------------------------------------------

    def _open_item(self, item: Any) -> None:
        self.gestures.forget()
        self.frame.forget_previous()
        self.stream.end()
        self._error = None
        self._picture = None
        # Picture, window and labels come one by one; the first frame shows them together.
        self._opening = True
        self._describe()

    def _load_image(self, image: Any) -> None:
        self._pictures += 1
        self._picture = Picture(image, self._pictures)
        self._error = None
        self.show_grid(
            (image.shape.y, image.shape.x),
            image.spacing.y / image.spacing.x if image.spacing else 1.0,
            image.view_flip,
        )
        self.refresh()

    def _change_labels(self, labels: Labels | None, patch: Any) -> None:
        if patch is None:
            self._opening = False
            if labels is not None and self._picture is None:
                self.show_grid((labels.shape.y, labels.shape.x), 1.0)
        if patch is not None and self.workspace.view_mode == "label":
            self.stream.end()
        if patch is None or not self.looks.knows_sources:
            self.change_look()
        else:
            shows_label = self.workspace.view_mode == "label"
            self.refresh(patch.bounds[2] if patch.bounds and shows_label else None)
        self.gestures.labels_shown(patch)
        self.cursor_painter.read_again()

    def _change_slice(self, z: int) -> None:
        # A stroke belongs to its slice; scrolling while painting ends the stroke there.
        self.controls.finish_stroke()
        self.frame.drop_strokes()
        self.refresh()

    def _change_tool(self) -> None:
        self.gestures.drop()
        self.cursor_painter.refresh()

    def _close(self) -> None:
        self.gestures.forget()
        self.stream.end()
        self._picture = self._error = None
        self.show_no_grid()
        self.workspace.report_view(None, "")
        self._opening = False
        self.frame.show(None, None)
        self.update()

    def _fail(self, error: MaskwrightError) -> None:
        self._error = error
        self._picture = None
        self._describe()
        self.refresh()
        self.update()

    def _take_predicted(self, tile: Any) -> None:
        shown = self.workspace.shown_labels
        mode = self.workspace.view_mode
        base = self.workspace.labels
        if base is None or mode == "truth" or (mode == "label" and shown and shown.planes):
            return
        self.stream.take(tile, base.shape)
        self.refresh()

    def _show_refining(self) -> None:
        self.refresh()
        self.update()

    def _end_stream(self) -> None:
        if self.stream.labels is not None:
            self.stream.end()
            self.refresh()

    # -- look ---------------------------------------------------------------------------------

    def change_look(self) -> None:
        """Colours, opacities or visible classes are others now."""
        self.looks.renew()
        self.refresh()
        self.cursor_painter.refresh()
        if self.gestures.preview is not None:
            self.update()

    def _hatches(self) -> bool:
        """Whether pixels without a class are marked: where they are the exception. In an item that
        is painted from nothing they are the ground, and lines all over it would only disturb."""
        workspace, areas = self.workspace, self.workspace.scores.areas
        if workspace.view_mode != "label" or self.stream.labels is not None:
            return False
        unlabelled = 0 < areas.get(0, 0) < sum(areas.values()) / 2
        return unlabelled and bool(workspace.settings.get("overlay.unlabelled"))

    def _follow_hatch(self, *_: object) -> None:
        shown = self.frame.scene
        if shown is not None and shown.hatched != self._hatches():
            self.refresh()

    def refresh(self, changed: Rect | None = None) -> None:
        """Show what the workspace says now; `changed` is the only part that has other labels."""
        workspace = self.workspace
        if self._opening:
            return
        labels = self.stream.labels or workspace.shown_labels
        if self.view is None or self.looks.current is None or workspace.item is None:
            self.frame.show(None, None)
            self.update()
            return
        self.frame.focus = self.cursor_painter.place
        shown, hatched = self.frame.scene, self._hatches()
        self.frame.show(
            self.view,
            Scene(
                self._picture,
                labels,
                workspace.z,
                workspace.window,
                self.view.steps,
                self.view.zoomed,
                self.looks.current,
                max(1, round(self.ratio)),
                () if self.stream.labels is not None else workspace.further_labels,
                hatched,
            ),
            changed if shown is not None and shown.hatched == hatched else None,
        )

    def view_changed(self, before: View | None) -> None:
        self.refresh()
        self.cursor_painter.refresh()
        if self.view is None:
            return
        self.workspace.report_view(self.view.visible_image, self.turned_text)
        if before is None or before.scale != self.view.scale:
            self.workspace.report_zoom(self.view.scale)

    @property
    def is_held(self) -> bool:
        return self.gestures.is_running

    def zoom_centre(self) -> tuple[float, float] | None:
        return self.cursor_painter.place

    # -- events -------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.bar.place()
        self.slider.place()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.latency.event_came()
        self.controls.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.latency.event_came()
        self.controls.move(event)
        if event.buttons():
            self.bar.avoid(event.position().toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.controls.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.controls.double_click(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.controls.wheel(event)
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.accept()  # the right button is a tool here

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self.controls.key_press(event):
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if not self.controls.key_release(event):
            super().keyReleaseEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self.cursor_painter.leave()
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        # A ring round the picture all day would compete with it; by keyboard one must see it.
        self._focus_by_key = event.reason() in (
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
        )
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.controls.focus_lost(event)
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            # While a gesture runs, Ctrl+Z, Esc and Enter are the gesture's and not the window's.
            if self.controls.claims(event):
                event.accept()
                return True
        elif event.type() == QEvent.Type.DevicePixelRatioChange:
            self.resizeEvent(QResizeEvent(self.size(), self.size()))
        return super().event(event)

    # -- painting -----------------------------------------------------------------------------

    def _repaint(self, rect: Rect) -> None:
        """Have a rectangle of device pixels painted again."""
        ratio = self.ratio
        if ratio == 1:
            self.update(rect.x, rect.y, rect.width, rect.height)
        else:
            left, top = int(rect.x / ratio) - 1, int(rect.y / ratio) - 1
            width, height = int(rect.width / ratio) + 3, int(rect.height / ratio) + 3
            self.update(left, top, width, height)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        ratio = self.ratio
        painter.scale(1 / ratio, 1 / ratio)
        for part in event.region():  # type: ignore[attr-defined]
            rect = _device_rect(part, ratio)
            painter.setClipRect(rect.x, rect.y, rect.width, rect.height)
            painter.fillRect(rect.x, rect.y, rect.width, rect.height, theme().colour("canvas"))
            self.frame.paint(painter, rect)
        painter.setClipping(False)
        if self.view is not None and self.workspace.item is not None:
            self.preview_painter.paint(
                painter, self.view, self.gestures.preview, self.looks.current, ratio
            )
            refined = self.workspace.refining.region
            if refined is not None and self.workspace.view_mode == "label":
                paint_region(painter, self.view, refined, ratio)
            self.cursor_painter.paint(painter)
        painter.resetTransform()
        paint_sentence(painter, self.rect(), self._sentence(), theme())
        if self.hasFocus() and self._focus_by_key:
            paint_focus(painter, self.rect(), theme())
        painter.end()
        self.latency.frame_painted()

    def _report_stroke(self) -> None:
        median = self.latency.take_median()
        if median is not None:
            self.workspace.report_stroke(median)

    def _sentence(self) -> tuple[str, str]:
        """What stands on the canvas in words: (sentence, hint), both may be empty."""
        if self._error is not None:
            return self._error.message, self._error.hint
        if self.workspace.project is None:
            return "Nothing is open.", "Open a project, or drop images here."
        if self.workspace.item is None:
            if self.workspace.requested is not None:
                return "", ""
            return "This project has no items.", "Import images to begin."
        if self.workspace.overviews.decoding:
            return "Decoding the picture", self.workspace.overviews.decoding
        return "", ""

    def _describe(self) -> None:
        """Name and description for those who hear the window instead of seeing it."""
        item = self.workspace.item
        self.setAccessibleName("Canvas" if item is None else f"Canvas, {item.name}")
        message, hint = self._sentence()
        self.setAccessibleDescription(
            f"{message} {hint}".strip() or "The picture and its mask; paint with the mouse."
        )

    def shut_down(self) -> None:
        """End the threads that compose tiles; the last call."""
        self.gestures.forget()
        self.frame.close()


def _device_rect(part: QRect, ratio: float) -> Rect:
    if ratio == 1:
        return Rect(part.y(), part.x(), part.height(), part.width())
    top, left = int(part.y() * ratio), int(part.x() * ratio)
    bottom = int((part.y() + part.height()) * ratio + 0.999)
    right = int((part.x() + part.width()) * ratio + 0.999)
    return Rect.from_bounds(top, left, bottom, right)
