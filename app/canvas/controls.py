"""Controls: what mouse, wheel and keys mean on the canvas.

Moving about (zoom, pan, window, slices, peek) is done here; everything else is an event for the
chosen tool's gesture.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence, QMouseEvent, QWheelEvent

from app.workspace.gesture import Context, Key, Mark, Pointer, ToolKind
from app.workspace.windowing import RightDrag, right_drag
from segcore.base import Rect

if TYPE_CHECKING:
    from app.canvas.canvas import Canvas

_NOTCH = 120.0
_ZOOM_STEP = 2 ** (1 / 4)
# A key held longer than this is a peek, and lets go when it is released.
_PEEK_S = 0.25
_KEYS = {
    Qt.Key.Key_Return: "enter",
    Qt.Key.Key_Enter: "enter",
    Qt.Key.Key_Escape: "escape",
    Qt.Key.Key_Backspace: "backspace",
}
# Tools that change nothing.
_LOOKERS = ("pick", "pan")
_BRUSHES = (Mark.BRUSH, Mark.ERASER, Mark.SEED)
_LEFT, _RIGHT, _MIDDLE = (
    Qt.MouseButton.LeftButton,
    Qt.MouseButton.RightButton,
    Qt.MouseButton.MiddleButton,
)


class Controls:
    """Turns events of the canvas into views, windows, slices and gestures."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._workspace = canvas.workspace
        self.space_held = False
        self._pan_from: QPointF | None = None
        self._window_from: tuple[QPointF, float, float] | None = None
        self._button = ""
        self._peek: tuple[int, float] | None = None
        self._notches = 0.0

    @property
    def is_panning(self) -> bool:
        return self._pan_from is not None

    @property
    def pans(self) -> bool:
        """True if a left drag would move the picture."""
        tool = self._canvas.tool
        return self.space_held or (tool is not None and tool.moves_view)

    # -- mouse --------------------------------------------------------------------------------

    def press(self, event: QMouseEvent) -> None:
        canvas = self._canvas
        canvas.setFocus(Qt.FocusReason.MouseFocusReason)
        canvas.cursor_painter.move(event.position())
        if canvas.view is None or self._workspace.item is None:
            return
        button = event.button()
        if button == _MIDDLE or (button == _LEFT and self.pans):
            self._pan_from = event.position()
            canvas.cursor_painter.refresh()
            return
        tool = canvas.tool
        if tool is None or self._button:
            return
        if button == _RIGHT and not tool.takes_right and not canvas.gestures.is_running:
            does = right_drag(tool, self._workspace.windowed)
            if does is RightDrag.WINDOW:
                self._window_from = (event.position(), *self._workspace.window)
            if does is not RightDrag.ERASE:
                return
            tool = canvas.tools["eraser"]
        if button not in (_LEFT, _RIGHT):
            return
        alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if button == _LEFT and alt and not tool.takes_right and tool.id != "pick":
            tool = canvas.tools["pick"]
        self._button = "left" if button == _LEFT else "right"
        held = event.modifiers()
        if held & Qt.KeyboardModifier.ShiftModifier and not canvas.gestures.is_running:
            canvas.cursor_painter.name_object(shift=True)
        self._begin(tool)
        canvas.gestures.send(self._pointer("press", event))

    def move(self, event: QMouseEvent) -> None:
        canvas = self._canvas
        place = event.position()
        if self._pan_from is not None and canvas.view is not None:
            ratio = canvas.ratio
            moved = place - self._pan_from
            dy, dx = round(moved.y() * ratio), round(moved.x() * ratio)
            if dy or dx:
                self._pan_from += QPointF(dx / ratio, dy / ratio)
                canvas.set_view(canvas.view.panned(dy, dx))
        elif self._window_from is not None:
            self._drag_window(place)
        elif canvas.gestures.is_running and canvas.view is not None:
            canvas.gestures.send(self._pointer("move", event))
        canvas.cursor_painter.move(place)

    def release(self, event: QMouseEvent) -> None:
        canvas = self._canvas
        if self._pan_from is not None and event.button() in (_LEFT, _MIDDLE):
            self._pan_from = None
            canvas.cursor_painter.refresh()
            return
        if self._window_from is not None and event.button() == _RIGHT:
            self._window_from = None
            return
        if not self._is_pressed(event.button()):
            return
        if canvas.gestures.is_running and canvas.view is not None:
            canvas.gestures.send(self._pointer("release", event))
        self._button = ""

    def double_click(self, event: QMouseEvent) -> None:
        canvas = self._canvas
        if canvas.gestures.is_running and canvas.view is not None and event.button() == _LEFT:
            canvas.gestures.send(self._pointer("double", event))
            if canvas.gestures.is_running:
                self._button = "left"
        else:
            self.press(event)

    def finish_stroke(self) -> None:
        """End a drag where the mouse is, as if the button had been released."""
        canvas = self._canvas
        place = canvas.cursor_painter.place
        if self._button and canvas.gestures.is_running and canvas.view and place is not None:
            y, x = canvas.view.to_image(*place)
            canvas.gestures.send(Pointer("release", y, x, self._button))
        self._button = ""

    def _is_pressed(self, button: Qt.MouseButton) -> bool:
        return self._button == {_LEFT: "left", _RIGHT: "right"}.get(button, "none")

    def _begin(self, tool: type[ToolKind]) -> None:
        canvas, workspace = self._canvas, self._workspace
        running = canvas.gestures.tool
        if running is tool or workspace.labels is None:
            return  # a gesture of many clicks goes on
        if tool.id not in _LOOKERS:
            self._show_what_is_painted(tool)
        c = None if workspace.classes is None else workspace.classes.get(workspace.active_class)
        # Not a copy: what is chosen between two seeds holds for the next.
        options = workspace.options_of(tool.id)
        if tool.id == "eraser" and workspace.tool_id == "brush":
            options = workspace.tool_options  # the right button erases with the same brush
        assert canvas.view is not None
        labels = workspace.shown_labels if tool.id == "pick" else workspace.labels
        canvas.gestures.begin(
            tool,
            Context(
                z=workspace.z,
                labels=labels or workspace.labels,
                class_id=workspace.active_class,
                class_name="" if c is None else c.name,
                guard=workspace.guard(),
                origin=workspace.person_origin(),
                options=options,
                scale=canvas.view.scale,
                objects=workspace.objects() if tool.makes_objects else None,
                refined=self._refined(tool),
                refine=self._refine,
                solve=workspace.solve_grabcut,
                choose_class=workspace.set_active_class,
            ),
        )

    def _show_what_is_painted(self, tool: type[ToolKind]) -> None:
        """Nobody paints what is not seen: the label and the mask come back, and the class."""
        workspace = self._workspace
        if workspace.view_mode != "label":
            workspace.set_view_mode("label")
        if workspace.mask_hidden:
            self._peek = None  # letting go of the key must not hide it again
            workspace.set_mask_hidden(False)
        if tool.makes_objects and workspace.active_class in workspace.hidden_classes:
            workspace.set_class_visible(workspace.active_class, True)

    def _refine(self, rect: Rect | None) -> None:
        """Put a rectangle behind a dense CRF, or all that is visible of the picture."""
        view = self._canvas.view
        if view is not None:
            chosen = view.visible_image if rect is None else rect
            self._workspace.refining.begin_later(chosen)

    def _refined(self, tool: type[ToolKind]) -> int:
        project = self._workspace.project
        if project is None or not tool.takes_keys or self._workspace.read_only:
            return 0
        return int(project.source("refined"))

    def _pointer(self, kind: str, event: QMouseEvent) -> Pointer:
        view = self._canvas.view
        assert view is not None
        tool = self._canvas.gestures.tool
        brushes = tool is not None and tool.cursor in _BRUSHES
        # A brush paints just what its circle encloses; what asks for a pixel gets the one seen.
        point = view.to_image if brushes else view.point_at
        y, x = point(*self._canvas.device(event.position()))
        held = event.modifiers()
        return Pointer(
            kind,
            y,
            x,
            self._button,
            alt=bool(held & Qt.KeyboardModifier.AltModifier),
            shift=bool(held & Qt.KeyboardModifier.ShiftModifier),
            control=bool(held & Qt.KeyboardModifier.ControlModifier),
        )

    # -- window -------------------------------------------------------------------------------

    def _drag_window(self, place: QPointF) -> None:
        """Right drag as in radiology: sideways is the width, up and down the level."""
        assert self._window_from is not None
        start, low, high = self._window_from
        width, level = high - low, (high + low) / 2
        # 300 logical pixels double or halve the width, and move the level by a width.
        moved = place - start
        wider = width * 2 ** (moved.x() / 300)
        level += moved.y() / 300 * width
        self._workspace.set_window(level - wider / 2, level + wider / 2)

    # -- wheel --------------------------------------------------------------------------------

    def wheel(self, event: QWheelEvent) -> None:
        canvas, workspace = self._canvas, self._workspace
        if canvas.view is None or workspace.labels is None:
            return
        # Qt turns Alt+wheel, and on macOS Shift+wheel, into a horizontal one.
        turned = event.angleDelta().y() or event.angleDelta().x()
        held = event.modifiers()
        if held & Qt.KeyboardModifier.ShiftModifier:
            self._resize_brush(turned / _NOTCH)
        elif workspace.labels.shape.is_volume and not held & Qt.KeyboardModifier.ControlModifier:
            self._notches += turned / _NOTCH
            whole = int(self._notches)
            if whole:
                self._notches -= whole
                workspace.set_slice(workspace.z + whole)
        else:
            canvas.zoom_by(_ZOOM_STEP ** (turned / _NOTCH), canvas.device(event.position()))
        canvas.cursor_painter.move(event.position())

    def _resize_brush(self, notches: float) -> None:
        size = self._workspace.tool_options.get("size")
        if size is None:
            return
        larger = size * 1.15**notches
        # At small sizes a notch is at least one pixel.
        step = 1 if notches > 0 else -1
        larger = max(larger, size + step) if step > 0 else min(larger, size + step)
        self._workspace.set_tool_option("size", float(round(min(4000.0, max(1.0, larger)))))

    # -- keys ---------------------------------------------------------------------------------

    def claims(self, event: QKeyEvent) -> bool:
        """True if a key belongs to the canvas now, before any shortcut of the window."""
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        if plain and event.key() in (Qt.Key.Key_Space, Qt.Key.Key_S):
            return self._workspace.item is not None
        if plain and event.key() == Qt.Key.Key_C:
            return self._workspace.refining.is_open
        if not self._canvas.gestures.is_running:
            return False
        return event.matches(QKeySequence.StandardKey.Undo) or (plain and event.key() in _KEYS)

    def key_press(self, event: QKeyEvent) -> bool:
        canvas = self._canvas
        if not self.claims(event):
            return False
        if event.isAutoRepeat():
            return True
        key = event.key()
        if key == Qt.Key.Key_Space:
            self.space_held = True
            canvas.cursor_painter.refresh()
        elif key in (Qt.Key.Key_S, Qt.Key.Key_C):
            self._peek = key, time.monotonic()
            self._turn_over(key)
        elif event.matches(QKeySequence.StandardKey.Undo):
            self.drop_gesture()
        else:
            self._send_key(_KEYS[Qt.Key(key)])
        return True

    def key_release(self, event: QKeyEvent) -> bool:
        if event.isAutoRepeat():
            return event.key() in (Qt.Key.Key_Space, Qt.Key.Key_S, Qt.Key.Key_C)
        if event.key() == Qt.Key.Key_Space and self.space_held:
            self.space_held = False
            self._canvas.cursor_painter.refresh()
            return True
        if self._peek is not None and event.key() == self._peek[0]:
            if time.monotonic() - self._peek[1] > _PEEK_S:
                self._turn_over(self._peek[0])
            self._peek = None
            return True
        return False

    def _turn_over(self, key: int) -> None:
        """Hide the mask or show it again; show a refined mask as it was or as it would be."""
        workspace = self._workspace
        if key == Qt.Key.Key_S:
            workspace.set_mask_hidden(not workspace.mask_hidden)
        else:
            workspace.refining.set_compared(not workspace.refining.compared)

    def _send_key(self, name: str) -> None:
        gestures = self._canvas.gestures
        if name == "escape" and gestures.tool is not None and not gestures.tool.takes_keys:
            self.drop_gesture()
        else:
            gestures.send(Key(name))

    def drop_gesture(self) -> bool:
        """Drop the running gesture and nothing else; False if there is none."""
        self._button = ""
        return self._canvas.gestures.drop()

    def interrupt(self) -> bool:
        """What undo takes back first: a gesture, or a region that waits to be taken."""
        return self.drop_gesture() or self._workspace.refining.drop()

    def focus_lost(self, event: QFocusEvent) -> None:
        """Whatever is held is let go; a gesture in progress is dropped."""
        self.space_held = False
        self._pan_from = self._window_from = None
        if self._peek is not None:
            self._turn_over(self._peek[0])
            self._peek = None
        running = self._canvas.gestures.tool
        if running is not None and event.reason() != Qt.FocusReason.PopupFocusReason:
            # Seeds stay: their options and their answer are elsewhere in the window.
            if running.takes_keys:
                self.finish_stroke()
            else:
                self.drop_gesture()
        self._canvas.cursor_painter.refresh()
