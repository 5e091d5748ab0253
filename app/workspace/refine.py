"""Refining: a region behind a dense CRF, shown before it is taken.

What a slider moves is asked again a moment later; only the newest answer counts. The model's
probabilities come from the core, the CRF runs in the refiner, everything else beside the GUI
thread. What is shown is the very edit that Enter hands to the scribe.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from app.workspace.jobs import source_paths
from app.workspace.messages import Message
from app.workspace.models import ModelRow, current_model
from app.workspace.refine_work import ICON, TOOL, Answer, Question, RefinedRegion, Told, release
from app.workspace.state import Pending
from segcore.base import MaskwrightError, Rect
from segcore.labels import Labels

if TYPE_CHECKING:
    from app.workspace.workspace import Workspace
    from segcore.refine import CrfParams

DEBOUNCE_MS = 120
# With the rim around it. The worst case, noise and eleven classes, takes about five seconds.
MOST_PIXELS = 1 << 20
NUMBERS = ("appearance", "colour", "smoothness", "reach", "rounds")


class Refining(QObject):
    """The region that is being refined in the open item, if any."""

    changed = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._workspace = workspace
        self.region: Rect | None = None
        self.result: RefinedRegion | None = None
        self.is_working = False
        self.compared = False
        """The mask as it was before is shown."""
        self._z = 0
        self._asked = 0
        self._told: Told | None = None
        self._awaited: tuple[int, Told] | None = None
        self._solving = 0
        self._values: tuple[Any, ...] = ()
        self._tuned = False
        self._speaker = "mask"
        self._applying: Any = None
        self._pending: Pending | None = None
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.setInterval(DEBOUNCE_MS)
        self._clock.timeout.connect(self._ask)
        workspace.tool_options_changed.connect(self._follow_options)
        workspace.labels_changed.connect(self._follow_labels)
        workspace.slice_changed.connect(lambda _: self.drop())
        workspace.window_changed.connect(lambda *_: self._again())
        workspace.preview_changed.connect(self._follow_pending)
        workspace.project_closed.connect(self._forget)
        workspace.jobs.heard.connect(self._hear)

    # -- for the canvas and the tool ------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return self.region is not None

    @property
    def shown(self) -> Labels | None:
        """The labels to show in place of the item's, or None."""
        return None if self.result is None or self.compared else self.result.labels

    def set_compared(self, compared: bool) -> None:
        """Show the mask as it was before, or as it would be."""
        if self.is_open and compared != self.compared:
            self.compared = compared
            self.changed.emit()

    def begin(self, rect: Rect) -> None:
        """Refine a rectangle of the slice on screen; an empty one only drops the one before."""
        workspace = self._workspace
        labels = workspace.labels
        self.drop()
        if labels is None or workspace.image is None or workspace.project is None:
            return
        rect = rect.intersect(labels.extent)
        if rect.is_empty:
            return
        if workspace.read_only:
            workspace.post(Message("This project is open for reading.", tone="warning"))
        elif importlib.util.find_spec("pydensecrf") is None:
            workspace.post(
                Message(
                    "The dense CRF needs the package pydensecrf2, which is not installed.",
                    tone="warning",
                    hint="Install it with: pip install pydensecrf2",
                )
            )
        elif not labels.has_plane("class"):
            workspace.post(
                Message("This item has no mask yet.", tone="warning", hint="Predict it first.")
            )
        else:
            workspace.set_view_mode("label")
            self.region, self._z = rect, workspace.z
            self._values = self._chosen()
            self.changed.emit()
            self._ask()

    def begin_later(self, rect: Rect) -> None:
        """As `begin`, once the gesture that asks for it has ended."""
        QTimer.singleShot(0, self, lambda: self.begin(rect))

    def take(self) -> None:
        """Put the answer into the mask: one step."""
        workspace, result = self._workspace, self.result
        if result is None or self.is_working:
            self._offer()  # the bar went when it was clicked; the answer is still to come
            return
        ticket = workspace.submit(result.edit)
        # The labels after it come in a moment; until then the preview stays on screen.
        self._applying = result if ticket is not None and result.pixels else None
        self._close(keep=self._applying is not None)

    def drop(self) -> bool:
        """Forget the region, the mask stays as it is; False if there is none."""
        if not self.is_open:
            return False
        self._close(keep=False)
        return True

    # -- asking -------------------------------------------------------------------------------

    def _chosen(self) -> tuple[Any, ...]:
        options = self._workspace.options_of(TOOL)
        names = (*NUMBERS, "tuned", "source", "keep_mine")
        return tuple(options.get(name) for name in names)

    def _follow_options(self) -> None:
        if not self.is_open:
            return
        before, self._values = self._values, self._chosen()
        if before == self._values:
            return
        moved = before[: len(NUMBERS)] != self._values[: len(NUMBERS)]
        if moved and self._tuned and self._workspace.options_of(TOOL).get("tuned"):
            # A slider that moves is meant; it could not be seen beside what was found.
            self._workspace.set_tool_option("tuned", False)
            return
        self._again()

    def _again(self) -> None:
        if self.is_open:
            self._clock.start()

    def _ask(self) -> None:
        """Ask for what is chosen now: the model first, if it is to speak and has not yet."""
        workspace, region, labels = self._workspace, self.region, self._workspace.labels
        if region is None or labels is None or workspace.item is None:
            return
        self._asked += 1
        self._solving = 0
        self.is_working = True
        params = self._params()
        # A rim in steps, so that a slider does not make the model speak again each time.
        rim = 40 * math.ceil(params.reach / 40)
        seen = region.grown(rim).intersect(labels.extent)
        if seen.area > MOST_PIXELS:
            size = f"{seen.area / 1e6:.1f} megapixels with what is around it"
            self._fail(
                f"The region has {size}; one is what can be shown while you wait. "
                "Zoom in, drag a smaller rectangle, or use maskwright refine."
            )
            return
        model = current_model(workspace.project) if self._by_model() else None
        if model is not None:
            self._speaker = model.name
        else:
            self._speaker = "mask (no model here)" if self._by_model() else "mask"
        key = () if model is None else (workspace.item.id, self._z, model.path)
        if model is None:
            self._prepare(seen, params, None)
        elif self._told is not None and self._told.answers(key, seen):
            self._prepare(seen, params, self._told)
        elif self._awaited is None or not self._awaited[1].answers(key, seen):
            self._ask_model(model, key, seen)
        if self.is_open:
            self._offer()

    def _ask_model(self, model: ModelRow, key: Any, seen: Rect) -> None:
        try:
            question = self._question(model, seen)
        except MaskwrightError as error:
            self._fail(str(error))
            return
        number = self._workspace.jobs.ask_core(question)
        self._awaited = number, Told(key, seen, (), np.zeros((0, 0, 0)), "")

    def _by_model(self) -> bool:
        return bool(self._workspace.options_of(TOOL).get("source", "model") == "model")

    def _question(self, model: ModelRow, seen: Rect) -> Any:
        from segcore.service.protocol import Probabilities

        workspace = self._workspace
        assert workspace.project is not None
        return Probabilities(
            key="crf",
            image_paths=tuple(str(path) for path in source_paths(workspace.item)),
            model_path=str(model.path),
            class_rows=tuple(workspace.project.classes.to_rows()),
            rect=seen,
            z=self._z,
            as_stack=workspace.item.as_stack,
        )

    def _params(self) -> CrfParams:
        """What the sliders say."""
        from segcore.refine import CrfParams

        options = self._workspace.options_of(TOOL)
        return CrfParams(
            appearance_weight=float(options.get("appearance", 10)),
            appearance_colour=float(options.get("colour", 13)),
            appearance_sigma=float(options.get("reach", 80)),
            smooth_weight=float(options.get("smoothness", 3)),
            iterations=int(options.get("rounds", 5)),
        )

    def _prepare(self, seen: Rect, params: CrfParams, told: Told | None) -> None:
        """Make the job beside the GUI thread, and hand it to the refiner."""
        workspace, region = self._workspace, self.region
        labels, image, item = workspace.labels, workspace.image, workspace.item
        assert labels is not None
        assert image is not None
        assert region is not None
        tuned = bool(workspace.options_of(TOOL).get("tuned", True))
        question = Question(
            item, image, labels, self._z, region, seen, workspace.window, workspace.guard(),
            workspace.project.classes, workspace.project.models_dir, params, tuned,
            told,
        )  # fmt: skip
        number = self._asked

        def hand_over(made: tuple[Any, bool]) -> None:
            if number == self._asked and self.is_open:
                job, self._tuned = made
                self._solving = workspace.jobs.ask_refiner(job)

        workspace.background.run(question.job, hand_over, self._failed(number))

    def _failed(self, number: int) -> Callable[[Exception], None]:
        def fail(error: Exception) -> None:
            if number == self._asked and self.is_open:
                if not isinstance(error, MaskwrightError):
                    self._close(keep=False)
                    raise error
                self._fail(str(error))

        return fail

    # -- hearing ------------------------------------------------------------------------------

    def _hear(self, event: Any) -> None:
        number = getattr(event, "number", 0)
        if not self.is_open or not number:
            return
        kind = type(event).__name__
        if self._awaited is not None and number == self._awaited[0]:
            if kind == "ProbabilitiesFound":
                self._told = self._awaited[1].said(event)
                self._awaited = None
                self._ask()
            elif kind == "JobChanged" and event.state in ("failed", "lost"):
                self._awaited = None
                self._fail(event.reason)
        elif number == self._solving:
            if kind == "RegionRefined":
                self._finish(Rect(*event.rect), np.asarray(event.classes))
            elif kind == "JobChanged" and event.state in ("failed", "lost"):
                self._fail(event.reason)
            elif kind == "JobChanged" and event.state == "running":
                self._offer(event.progress)

    def _finish(self, rect: Rect, found: NDArray[Any]) -> None:
        """Make the edit of an answer, and what is to be seen of it, beside the GUI thread."""
        workspace, number = self._workspace, self._asked
        labels = workspace.labels
        assert labels is not None
        answer = Answer(
            labels, workspace.truth, workspace.project.classes, self._z, rect, found,
            workspace.guard(), int(workspace.project.source("refined")),
        )  # fmt: skip

        def show(result: RefinedRegion) -> None:
            if number != self._asked or not self.is_open:
                release(result)
                return
            before, self.result = self.result, result
            self.is_working = False
            if before is not None:
                release(before)
            self._offer()
            self.changed.emit()

        workspace.background.run(answer.result, show, self._failed(number))

    def _follow_labels(self, labels: Labels | None, patch: Any) -> None:
        taken, self._applying = self._applying, None
        if taken is not None:
            self.result = None if self.result is taken else self.result
            release(taken)
            self.changed.emit()
        elif patch is None:
            self.drop()
        else:
            self._again()

    def _fail(self, reason: str) -> None:
        """An answer will not come: say why; an earlier one stays."""
        self.is_working = False
        self._workspace.post(Message(reason or "The region was not refined.", tone="warning"))
        if self.result is None:
            self._close(keep=False)
        else:
            self._offer()

    # -- the bar ------------------------------------------------------------------------------

    def _offer(self, progress: float = 0.0) -> None:
        """Put it up for an answer, with what it would change."""
        result = self.result
        if result is None or self.is_working:
            detail = "Asking the model" if self._awaited is not None else "Refining"
            detail += f", {progress:.0%}" if progress else ""
        else:
            known = f"{result.pixels:,} px change", result.dice.words("Dice")
            detail = "   ".join(filter(None, known))
        self._pending = Pending(
            f"Dense CRF from {self._speaker}" + (", tuned" if self._tuned else ""),
            ICON,
            detail,
            "" if result is None else "Hold C to see the mask before",
            take=self.take,
            drop=lambda: self._close(keep=False),
        )
        self._workspace.set_pending(self._pending)

    def _follow_pending(self, pending: Any) -> None:
        # Another preview has taken the place of ours.
        if self.is_open and pending is not None and pending is not self._pending:
            self.drop()

    def _close(self, *, keep: bool) -> None:
        """Nothing is refined any more; `keep` leaves the preview until the labels have it."""
        result = self.result
        self.region, self.is_working, self.compared = None, False, False
        self._asked += 1
        self._clock.stop()
        for number in (self._solving, 0 if self._awaited is None else self._awaited[0]):
            if number:
                self._workspace.jobs.forget_question(number)
        self._awaited, self._solving = None, 0
        if not keep and result is not None:
            self.result = None
            release(result)
        ours, self._pending = self._pending, None
        if ours is not None and self._workspace.pending is ours:
            self._workspace.set_pending(None)
        self.changed.emit()

    def _forget(self) -> None:
        self.drop()
        self.result = self._applying = self._told = None
