"""What a person has chosen: class, tool and its options, look, window; and all the signals.

The half of the workspace that needs no project. Every signal is named in the past tense and
comes on the GUI thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.settings import Settings
from app.workspace.messages import Message, Remedy
from app.workspace.state import Cursor, Pending
from segcore.base import Rect

VIEW_MODES = ("label", "model", "truth")


class Choices(QObject):
    """Chosen state, changed by `set_...` methods, each with its signal."""

    project_opened = Signal(object)
    project_closed = Signal()
    item_requested = Signal(object)
    """The item is being read; the one before is still on screen."""
    item_opened = Signal(object)
    image_loaded = Signal(object)
    image_failed = Signal(object)
    labels_changed = Signal(object, object)
    """Labels, Patch | None (None: another layer altogether)."""
    step_turned = Signal(object)
    """Undo or redo has changed pixels of the open item: (first slice, last slice, Rect)."""
    label_committed = Signal(object)
    slice_changed = Signal(int)
    active_class_changed = Signal(int)
    classes_changed = Signal(object)
    tool_changed = Signal(str)
    tool_options_changed = Signal()
    look_changed = Signal()
    window_changed = Signal(float, float)
    jobs_changed = Signal()
    run_changed = Signal(object)
    models_changed = Signal()
    store_troubled = Signal(object)
    store_recovered = Signal()
    message_posted = Signal(object)
    prediction_tile_arrived = Signal(object)
    proposal_changed = Signal(object)
    preview_changed = Signal(object)
    cursor_moved = Signal(object)
    scores_changed = Signal(object)
    item_state_changed = Signal(object)
    queue_changed = Signal()
    history_changed = Signal()
    region_solved = Signal(object)
    zoom_changed = Signal(float)
    turned_changed = Signal(str)
    seeds_changed = Signal(bool)
    stroke_timed = Signal(float)
    core_changed = Signal(str)
    save_asked = Signal()
    """The disk takes nothing more: a person wants to save elsewhere."""
    training_asked = Signal()
    """The fine-tuning sheet is to be shown."""
    fill_asked = Signal(int)
    """An item with so many unlabelled pixels is to be accepted: which class do they get?"""

    def __init__(self, settings: Settings | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings or Settings(None, self)
        self.active_class = 0
        self.background_class = 0
        self.tool_id = "brush"
        self.view_mode = "label"
        self.fill_opacity: float = self.settings.get("overlay.fill")
        self.outline_opacity: float = self.settings.get("overlay.outline")
        self.mask_hidden = False
        self.hidden_classes: frozenset[int] = frozenset()
        self.locked_classes: frozenset[int] = frozenset()
        self.hovered_class = 0
        self.window: tuple[float, float] = (0.0, 255.0)
        self.cursor: Cursor | None = None
        self.pending: Pending | None = None
        self.zoom = 1.0
        self.visible: Rect | None = None
        self.turned = ""
        self.has_seeds = False
        self.stroke_ms = 0.0
        self.core_text = "Core starts with the first picture"
        self._options: dict[str, dict[str, Any]] = {}

    # -- class --------------------------------------------------------------------------------

    def set_active_class(self, class_id: int) -> None:
        """Choose what tools paint."""
        if class_id != self.active_class:
            self.active_class = class_id
            self.active_class_changed.emit(class_id)

    def swap_classes(self) -> None:
        """Exchange the class with the one behind it (0: erase to unlabelled)."""
        if self.background_class:
            behind, self.background_class = self.background_class, self.active_class
            self.set_active_class(behind)

    def set_background_class(self, class_id: int) -> None:
        self.background_class = class_id
        self.active_class_changed.emit(self.active_class)

    def set_class_visible(self, class_id: int, visible: bool) -> None:
        one = frozenset((class_id,))
        self.hidden_classes = self.hidden_classes - one if visible else self.hidden_classes | one
        self.look_changed.emit()

    def set_class_locked(self, class_id: int, locked: bool) -> None:
        one = frozenset((class_id,))
        self.locked_classes = self.locked_classes | one if locked else self.locked_classes - one
        if self.settings.get("overlay.hide_finished"):
            self.set_class_visible(class_id, not locked)
        else:
            self.look_changed.emit()

    def set_hovered_class(self, class_id: int) -> None:
        """The class row under the mouse: the canvas halves the other outlines; 0 for none."""
        if class_id != self.hovered_class:
            self.hovered_class = class_id
            self.look_changed.emit()

    # -- tool ---------------------------------------------------------------------------------

    def declare_tool(self, tool_id: str, defaults: dict[str, Any]) -> None:
        """A tool and its options; what was chosen in an earlier session comes first."""
        kept = self.settings.get("memory.tools").get(tool_id, {})
        self._options[tool_id] = {name: kept.get(name, value) for name, value in defaults.items()}

    def set_tool(self, tool_id: str) -> None:
        if tool_id != self.tool_id:
            self.drop_pending()
            self.tool_id = tool_id
            self.tool_changed.emit(tool_id)
            self.tool_options_changed.emit()

    @property
    def tool_options(self) -> dict[str, Any]:
        """Options of the active tool by name; change them by `set_tool_option`."""
        return self._options.setdefault(self.tool_id, {})

    def options_of(self, tool_id: str) -> dict[str, Any]:
        return self._options.setdefault(tool_id, {})

    def set_tool_option(self, name: str, value: Any) -> None:
        options = self.tool_options
        if options.get(name) == value:
            return
        options[name] = value
        kept = dict(self.settings.get("memory.tools"))
        plain = {k: v for k, v in options.items() if isinstance(v, bool | int | float | str)}
        kept[self.tool_id] = plain
        self.settings.set("memory.tools", kept)
        self.tool_options_changed.emit()

    # -- look ---------------------------------------------------------------------------------

    def set_view_mode(self, mode: str) -> None:
        """Show the label, the model's prediction or the truth."""
        if mode not in VIEW_MODES:
            raise ValueError(mode)
        if mode != self.view_mode:
            self.view_mode = mode
            self.look_changed.emit()

    def set_fill(self, share: float) -> None:
        self.fill_opacity = min(1.0, max(0.0, share))
        self.settings.set("overlay.fill", self.fill_opacity)
        self.look_changed.emit()

    def set_outline(self, share: float) -> None:
        self.outline_opacity = min(1.0, max(0.0, share))
        self.settings.set("overlay.outline", self.outline_opacity)
        self.look_changed.emit()

    def set_mask_hidden(self, hidden: bool) -> None:
        if hidden != self.mask_hidden:
            self.mask_hidden = hidden
            self.look_changed.emit()

    def set_window(self, low: float, high: float) -> None:
        """Values shown black and white."""
        if high <= low:
            high = low + 1e-6 * max(1e-3, abs(low))
        if (low, high) != self.window:
            self.window = (low, high)
            self.window_changed.emit(low, high)

    # -- reports of the canvas ----------------------------------------------------------------

    def report_cursor(self, cursor: Cursor | None) -> None:
        """The mouse is over another pixel, or has left."""
        self.cursor = cursor
        self.cursor_moved.emit(cursor)

    def report_zoom(self, scale: float) -> None:
        """Screen pixels per image pixel."""
        self.zoom = scale
        self.zoom_changed.emit(scale)

    def report_view(self, visible: Rect | None, turned: str) -> None:
        """Another part of the picture is on the canvas, or it is turned another way.

        Parameters
        ----------
        visible : pixels that are at least partly on the canvas; None without a picture.
        turned : how the picture is turned, such as ``90° right``; "" if it is not.
        """
        self.visible = visible
        if turned != self.turned:
            self.turned = turned
            self.turned_changed.emit(turned)

    def report_seeds(self, present: bool) -> None:
        """There are seeds of a gesture on the canvas, or none any more."""
        if present != self.has_seeds:
            self.has_seeds = present
            self.seeds_changed.emit(present)

    def report_stroke(self, milliseconds: float) -> None:
        """How long the last stroke took from the mouse event to the painted frame."""
        self.stroke_ms = milliseconds
        self.stroke_timed.emit(milliseconds)

    # -- what waits for an answer -------------------------------------------------------------

    def set_pending(self, pending: Pending | None) -> None:
        """Show a bar with Take and Drop, or none."""
        if pending != self.pending:
            self.pending = pending
            self.preview_changed.emit(pending)

    def take_pending(self) -> None:
        if self.pending is not None:
            pending, self.pending = self.pending, None
            self.preview_changed.emit(None)
            pending.take()

    def drop_pending(self) -> None:
        if self.pending is not None:
            pending, self.pending = self.pending, None
            self.preview_changed.emit(None)
            pending.drop()

    # -- messages -----------------------------------------------------------------------------

    def post(self, message: Message) -> None:
        """Show a toast or a banner."""
        self.message_posted.emit(message)

    def tell(
        self, text: str, remedy: tuple[str, Callable[[], None]] | None = None, *, key: str = ""
    ) -> None:
        """A toast, with a button if there is something to do; gone once `key` is taken back."""
        self.post(Message(text, key=key, remedy=None if remedy is None else Remedy(*remedy)))

    def take_back(self, key: str) -> None:
        """What a toast offers cannot be done any more."""
        self.post(Message("", key=key, withdrawn=True))

    def withdraw(self, key: str) -> None:
        """A banner's condition is over."""
        self.post(Message("", kind="banner", key=key, withdrawn=True))

    def report(self, error: Exception) -> None:
        """Show an error as a toast."""
        self.post(Message.of_error(error))
