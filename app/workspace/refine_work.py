"""What refining a region computes beside the GUI thread: the job, and the edit of its answer.

Plain values in, plain values out; neither knows the workspace.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segcore import metrics
from segcore.base import ClassSet, Rect
from segcore.base.dataclass import dataclass
from segcore.labels import Guard, Labels

if TYPE_CHECKING:
    from segcore.images import ImageSource
    from segcore.refine import CrfParams
    from segcore.service.protocol import Densecrf

TOOL, ICON = "crf", "all-connected"


@dataclass(frozen=True)
class Change:
    """A score before and after, in the region; NaN where it is undefined."""

    before: float
    after: float

    @property
    def gain(self) -> float:
        return self.after - self.before

    def words(self, name: str) -> str:
        """Such as ``Dice 0.812 to 0.846``; "" without truth."""
        if math.isnan(self.before) or math.isnan(self.after):
            return ""
        return f"{name} {self.before:.3f} \N{RIGHTWARDS ARROW} {self.after:.3f}"


@dataclass(frozen=True)
class RefinedRegion:
    """An answer, ready to be taken.

    Parameters
    ----------
    edit : what taking it does.
    labels : the labels after it.
    handles : tiles that only these labels have.
    pixels : how many change.
    dice, iou : means over the classes in the region.
    classes : class id -> its IoU.
    """

    edit: Any
    labels: Labels
    handles: tuple[int, ...]
    pixels: int
    dice: Change
    iou: Change
    classes: dict[int, Change]


@dataclass(frozen=True, eq=False)
class Told:
    """What a model said of a region.

    Parameters
    ----------
    key : item, slice and model.
    rect : where.
    ids, shares, digest : as in `segcore.service.protocol.ProbabilitiesFound`.
    """

    key: Any
    rect: Rect
    ids: tuple[int, ...]
    shares: NDArray[Any]
    digest: str

    def answers(self, key: Any, rect: Rect) -> bool:
        """Whether nothing more has to be asked for this rectangle."""
        return bool(self.key == key) and self.rect.intersect(rect) == rect

    def said(self, event: Any) -> Told:
        """With the answer that came."""
        return Told(self.key, self.rect, event.ids, event.shares, event.model_digest)


@dataclass(frozen=True)
class Question:
    """Everything that a job needs, as it was when it was asked."""

    item: Any
    image: ImageSource
    labels: Labels
    z: int
    region: Rect
    seen: Rect
    window: tuple[float, float]
    guard: Guard
    classes: ClassSet
    models_dir: Path
    params: CrfParams
    tuned: bool
    told: Told | None

    def job(self) -> tuple[Densecrf, bool]:
        """The job, and whether its parameters are those that were found for this project."""
        from segcore.projects.crf_params import LABELS, kept_params
        from segcore.refine.evidence import with_certain
        from segcore.refine.pixels import seen_pixels
        from segcore.service.protocol import Densecrf

        ids, shares = self._shares()
        key = LABELS if self.told is None else self.told.digest
        kept = kept_params(self.models_dir, key) if self.tuned else None
        if self.guard.keep_origins:
            origins = self.labels.read(self.seen, self.z, "origin")
            certain = np.isin(origins, list(self.guard.keep_origins))
            classes = self.labels.read(self.seen, self.z)
            shares = with_certain(shares, classes, ids, certain)
        pixels = seen_pixels(
            self.image.read(self.z, self.seen), self.window, invert=self.image.invert
        )
        spacing = self.item.spacing
        job = Densecrf(
            key=f"crf:{self.item.id}",
            rect=self.region,
            seen=self.seen,
            image=pixels,
            ids=ids,
            shares=shares.astype(np.float16),
            params=(kept or self.params).to_json(),
            spacing=(1.0, 1.0) if spacing is None else (spacing.y, spacing.x),
        )
        return job, kept is not None

    def _shares(self) -> tuple[tuple[int, ...], NDArray[Any]]:
        if self.told is None:
            from segcore.projects.witnesses import LabelWitness, confidence_layer

            witness = LabelWitness(self.classes, self.labels, confidence_layer(self.item), self.z)
            return witness.shares(self.seen)
        told = self.told
        part = self.seen.shifted(-told.rect.y, -told.rect.x).slices
        return told.ids, np.asarray(told.shares[(slice(None), *part)], np.float32)


@dataclass(frozen=True)
class Answer:
    """What came back, and what it is to be compared with."""

    labels: Labels
    truth: Labels | None
    classes: ClassSet
    z: int
    rect: Rect
    found: NDArray[Any]
    guard: Guard
    origin: int

    def result(self) -> RefinedRegion:
        """The edit, the labels after it, and what it gains."""
        from segcore.edits import Paste
        from segcore.refine.effect import may_change
        from segcore.refine.outlines import follow_objects

        labels, rect, z = self.labels, self.rect, self.z
        mask = may_change(self.classes, labels, rect, z, self.found, self.guard)
        before = labels.read(rect, z)
        after = np.where(mask, self.found, before)
        objects = None
        if labels.has_plane("instance"):
            objects = follow_objects(before, labels.read(rect, z, "instance"), after)
        edit = Paste.of(
            z, rect, after, objects, mask,
            guard=self.guard, origin=self.origin, name="Dense CRF", tool=TOOL,
        )  # fmt: skip
        patch = edit.apply(labels)
        handles = tuple(change.after for change in patch.changes if change.after >= 0)
        gains = self._gains(before, after)
        return RefinedRegion(edit, labels.after(patch), handles, patch.changed_pixels, *gains)

    def _gains(
        self, before: NDArray[Any], after: NDArray[Any]
    ) -> tuple[Change, Change, dict[int, Change]]:
        """Mean Dice, mean IoU, and the IoU of each class."""
        if self.truth is None:
            nothing = Change(math.nan, math.nan)
            return nothing, nothing, {}
        truth = self.truth.read(self.rect, self.z)
        ids = [int(c.id) for c in self.classes.scored]
        counts = [metrics.confusion_matrix(truth, mask, ids) for mask in (before, after)]
        dice, iou = (
            Change(*(metrics.mean(score(matrix))[0] for matrix in counts))
            for score in (metrics.dice, metrics.iou)
        )
        rows = zip(ids, *(metrics.iou(matrix).tolist() for matrix in counts), strict=True)
        return dice, iou, {class_id: Change(one, other) for class_id, one, other in rows}


def release(result: RefinedRegion) -> None:
    """The tiles of a preview may go; the store will never have them."""
    result.labels.cache.unpin(result.handles)
