"""Gestures: runs the tool's generator, shows what it yields, submits what it returns.

At most one gesture runs. Dropping it (Esc, focus lost, another item, undo) closes the generator
and takes its preview away; nothing else has to be put back.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal

from app.canvas.frame import Frame
from app.canvas.live import LiveStroke
from app.workspace import Pending, SolvedRegion, Workspace
from app.workspace.gesture import (
    Context,
    Event,
    Gesture,
    Key,
    Preview,
    SeedsPreview,
    Solved,
    StrokePreview,
    ToolKind,
)


class Gestures(QObject):
    """The gestures of one canvas."""

    previewed = Signal(object)
    """A Preview (other than a stroke, which the frame shows), or None: draw it above the tiles."""
    ended = Signal()
    _applied = Signal(object, object)

    def __init__(self, workspace: Workspace, frame: Frame, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace = workspace
        self._frame = frame
        self._gesture: Gesture | None = None
        self._tool: type[ToolKind] | None = None
        self._context: Context | None = None
        self._stroke: LiveStroke | None = None
        self._submitted: dict[LiveStroke, str | None] = {}
        self._seen: list[str] = []
        self.preview: Preview = None
        workspace.region_solved.connect(self._hear_solved)
        self._applied.connect(self._hear_applied)

    @property
    def is_running(self) -> bool:
        return self._gesture is not None

    @property
    def tool(self) -> type[ToolKind] | None:
        """The tool whose gesture runs."""
        return self._tool

    # -- running ------------------------------------------------------------------------------

    def begin(self, tool: type[ToolKind], context: Context) -> None:
        """Start a gesture; one that runs is dropped."""
        self.drop()
        self._tool, self._context = tool, context
        self._gesture = tool().gesture(context)
        self._step(None)

    def send(self, event: Event) -> None:
        """Give the running gesture an event."""
        if self._gesture is not None:
            self._step(event)

    def drop(self) -> bool:
        """Close the running gesture without an edit; False if there is none."""
        if self._gesture is None:
            return False
        self._gesture.close()
        if self._stroke is not None:
            self._frame.drop_stroke(self._stroke)
        self._end()
        return True

    def forget(self) -> None:
        """Another item is shown: drop the gesture and all strokes that wait for their labels."""
        self.drop()
        self._submitted.clear()
        self._frame.drop_strokes()

    def _step(self, event: Event | None) -> None:
        gesture = self._gesture
        assert gesture is not None
        try:
            preview = next(gesture) if event is None else gesture.send(event)
        except StopIteration as finished:
            self._finish(finished.value)
        except Exception:
            # A bug in a tool: its preview must not stay on the canvas for ever.
            self.drop()
            raise
        else:
            if gesture is self._gesture:
                self._show(preview)

    def _show(self, preview: Preview) -> None:
        if isinstance(preview, StrokePreview):
            assert self._context is not None
            if self._stroke is None:
                self._stroke = LiveStroke(
                    preview.radius,
                    preview.class_id,
                    self._context.guard,
                    square=preview.square,
                )
                self._frame.begin_stroke(self._stroke)
            self._stroke.instance = preview.instance
            if preview.added:
                self._frame.extend_stroke(self._stroke, list(preview.added))
            return
        if preview is self.preview and preview is not None:
            return
        self.preview = preview
        if isinstance(preview, SeedsPreview):
            self._workspace.report_seeds(bool(preview.strokes) or preview.box is not None)
            self._offer(preview)
        self.previewed.emit(preview)

    def _offer(self, preview: SeedsPreview) -> None:
        """Put a found region up for an answer, or take the offer back."""
        if preview.message:
            self._workspace.tell(preview.message)
        if preview.found is None:
            self._workspace.set_pending(None)
            return
        assert self._tool is not None
        assert self._context is not None
        count = int(preview.found.sum())
        self._workspace.set_pending(
            Pending(
                f"{self._tool.name} preview",
                self._tool.icon,
                f"{count:,} px as {self._context.class_name}",
                "Add seeds to refine it",
                take=lambda: self.send(Key("enter")),
                drop=lambda: self.send(Key("escape")),
            )
        )

    def _finish(self, edit: Any) -> None:
        stroke = self._stroke
        ticket = None if edit is None else self._workspace.submit(edit)
        if stroke is not None:
            if ticket is None:
                self._frame.drop_stroke(stroke)
            else:
                self._submitted[stroke] = None
                ticket.applied.add_done_callback(lambda future: self._applied.emit(stroke, future))
        self._end()

    def _end(self) -> None:
        had_pending = isinstance(self.preview, SeedsPreview)
        self._gesture = self._tool = self._context = self._stroke = None
        self.preview = None
        if had_pending:
            self._workspace.report_seeds(False)
            self._workspace.set_pending(None)
        self.previewed.emit(None)
        self.ended.emit()

    # -- answers ------------------------------------------------------------------------------

    def _hear_applied(self, stroke: LiveStroke, future: Any) -> None:
        if stroke not in self._submitted:
            return
        if future.cancelled() or future.exception() is not None:
            error = None if future.cancelled() else future.exception()
            del self._submitted[stroke]
            self._frame.drop_stroke(stroke)
            if error is not None:
                self._workspace.report(error)
            return
        applied = future.result()
        if applied is None or applied.patch.is_empty or applied.patch.id in self._seen:
            del self._submitted[stroke]
            self._frame.retire_stroke(stroke)
        else:
            self._submitted[stroke] = applied.patch.id

    def labels_shown(self, patch: Any) -> None:
        """The frame shows the labels after this patch: its stroke is no longer needed."""
        if patch is None:
            return
        self._seen = [*self._seen[-63:], patch.id]
        for stroke, awaited in list(self._submitted.items()):
            if awaited == patch.id:
                del self._submitted[stroke]
                self._frame.retire_stroke(stroke)

    def _hear_solved(self, solved: SolvedRegion) -> None:
        if self._tool is not None and self._tool.takes_keys:
            self.send(
                Solved(solved.number, solved.rect, solved.mask, solved.seconds, solved.reason)
            )
