"""Find parameters of the dense CRF on items with truth, and keep them only if they help elsewhere.

They are chosen on items that a run may train on and judged on the project's held-out items. What
lowers the score there is reported and never kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import ClassSet, MaskwrightError, Rect
from segcore.base.dataclass import dataclass
from segcore.metrics import ConfusionAccumulator, iou, mean
from segcore.projects.crf_params import keep_params, kept_params
from segcore.projects.model_witness import Models, key_of
from segcore.projects.stage import Stage, silent
from segcore.projects.training import split_items
from segcore.projects.witnesses import LabelWitness, Witness, confidence_layer
from segcore.refine import CrfParams, densecrf
from segcore.refine.pixels import seen_pixels, solver_window
from segcore.refine.tuning import Trial, search
from segcore.store import Item, Project

MOST_ITEMS = 12
"""Items of each side that are looked at, spread over all that there are."""
_MOST_PIXELS = 1 << 19
_CASES_BYTES = 1 << 30
_LEAST_GAIN = 1e-6


class NothingToTune(MaskwrightError):
    """No item has truth that parameters could be chosen by."""


@dataclass(frozen=True)
class Side:
    """Scores of one side: the items that were chosen on, or the held-out ones.

    Parameters
    ----------
    items : how many.
    without, found : (n,) IoU of each scored class without a CRF and with what was found, NaN for
        a class in neither.
    present : mean IoU with the parameters that were kept before; NaN if none were.
    """

    items: int
    without: NDArray[np.float64]
    found: NDArray[np.float64]
    present: float = float("nan")

    @property
    def before(self) -> float:
        return mean(self.without)[0]

    @property
    def after(self) -> float:
        return mean(self.found)[0]


@dataclass(frozen=True)
class TuneReport:
    """What a call of `tune` found.

    Parameters
    ----------
    params : the best on the items that were chosen on.
    trials : how many were tried.
    train, held_out : scores; None without held-out items with truth.
    kept : they are used from now on.
    reason : why not, a sentence, or "".
    classes : the scored classes, in the order of the scores.
    """

    params: CrfParams
    trials: int
    train: Side
    held_out: Side | None
    kept: bool
    reason: str
    classes: ClassSet

    def to_json(self) -> dict[str, Any]:
        """The schema of ``maskwright refine --tune --json``; undefined scores are NaN here."""

        def side(one: Side | None) -> dict[str, Any] | None:
            if one is None:
                return None
            names = [(int(c.id), c.name) for c in self.classes.scored]
            rows = zip(names, one.without.tolist(), one.found.tolist(), strict=True)
            return {
                "items": one.items,
                "mean_iou_without": one.before,
                "mean_iou_found": one.after,
                "mean_iou_present": one.present,
                "classes": [
                    {"id": i, "name": n, "without": a, "found": b, "gain": b - a}
                    for (i, n), a, b in rows
                ],
            }

        return {
            "params": self.params.to_json(),
            "trials": self.trials,
            "kept": self.kept,
            "reason": self.reason,
            "train": side(self.train),
            "held_out": side(self.held_out),
        }


@dataclass(frozen=True)
class _Case:
    """A part of an item: what the CRF gets, and what is right."""

    pixels: NDArray[np.uint8]
    ids: tuple[int, ...]
    shares: NDArray[np.float16]
    truth: NDArray[Any]
    spacing: tuple[float, float]

    def solved(self, params: CrfParams | None) -> NDArray[np.uint16]:
        shares = self.shares.astype(np.float32)
        if params is not None:
            shares = densecrf(self.pixels, shares, params, spacing=self.spacing)
        return np.asarray(np.array(self.ids, np.uint16)[shares.argmax(axis=0)])


def tune(
    project: Project,
    items: Sequence[Item],
    model: Models | None,
    *,
    trials: int = 30,
    seconds: float | None = 120.0,
    seed: int = 0,
    stage: Stage = silent,
) -> TuneReport:
    """Search parameters on items with truth, judge them on held-out ones, keep what helps.

    Parameters
    ----------
    items : of the project, which must be open for writing; those without truth are passed over.
    model : whose probabilities they are for; None for labels with their confidence.
    trials, seconds, seed : of the search; see `segcore.refine.tuning.search`.

    Raises
    ------
    NothingToTune : none of the items that may be chosen on has truth.
    NoDenseCrf : the solver is not installed.
    """
    with_truth = [item for item in items if item.truth is not None and item.state != "rejected"]
    training, held, _ = split_items(with_truth)
    if not training:
        raise NothingToTune(
            f"No item of {project.name} has truth that parameters could be chosen by.",
            "Add truth (maskwright new ... --truth DIR), and hold out a part of the items only.",
        )
    key = key_of(model)
    present = kept_params(project.models_dir, key)
    scored = [int(c.id) for c in project.classes.scored]
    cases = _cases(project, _spread(training), model, stage, "Reading")
    found: list[Trial] = search(
        lambda params: mean(_iou(cases, scored, params))[0],
        trials=trials,
        seconds=seconds,
        seed=seed,
        progress=lambda done, of: stage("Searching", done, of),
    )
    best = found[0].params
    train = _side(cases, scored, best, present)
    judged: Side | None = None
    if held:
        cases.clear()
        cases += _cases(project, _spread(held), model, stage, "Reading held-out items")
        judged = _side(cases, scored, best, present)
    reason = _why_not(judged)
    report = TuneReport(best, len(found), train, judged, not reason, reason, project.classes)
    if not reason:
        row = report.to_json()
        facts = {side: {k: row[side][k] for k in _FACTS} for side in ("train", "held_out")}
        keep_params(project.models_dir, key, best, facts | {"trials": len(found)})
    return report


_FACTS = ("items", "mean_iou_without", "mean_iou_found")


def _why_not(judged: Side | None) -> str:
    if judged is None:
        return "No held-out item has truth, so nothing says whether they help elsewhere."
    if not judged.after > judged.before + _LEAST_GAIN:
        return (
            f"On held-out items the mean IoU is {judged.before:.3f} without the dense CRF and "
            f"{judged.after:.3f} with it."
        )
    if judged.present > judged.after:
        return (
            f"On held-out items the parameters kept before reach {judged.present:.3f}, "
            f"these {judged.after:.3f}."
        )
    return ""


def _spread(items: Sequence[Item]) -> list[Item]:
    ordered = sorted(items, key=lambda item: item.name)
    places = np.linspace(0, len(ordered) - 1, min(MOST_ITEMS, len(ordered))).round().astype(int)
    return [ordered[place] for place in places.tolist()]


def _side(
    cases: Sequence[_Case], scored: Sequence[int], found: CrfParams, present: CrfParams | None
) -> Side:
    kept = float("nan") if present is None else mean(_iou(cases, scored, present))[0]
    return Side(len(cases), _iou(cases, scored, None), _iou(cases, scored, found), kept)


def _iou(
    cases: Sequence[_Case], scored: Sequence[int], params: CrfParams | None
) -> NDArray[np.float64]:
    counts = ConfusionAccumulator(scored)
    for case in cases:
        counts.add(case.truth, case.solved(params))
    return iou(counts.matrix)


def _cases(
    project: Project, items: Sequence[Item], model: Models | None, stage: Stage, title: str
) -> list[_Case]:
    """The middle of each item, read once; probabilities as half floats, a gigabyte at most."""
    made: list[_Case] = []
    held = 0
    for number, item in enumerate(items, 1):
        case = _case(project, item, model)
        held += case.shares.nbytes
        if made and held > _CASES_BYTES:
            break
        made.append(case)
        stage(title, number, len(items))
    return made


def _case(project: Project, item: Item, model: Models | None) -> _Case:
    z = item.shape.z // 2
    rect = _middle(item)
    truth = item.truth
    assert truth is not None  # chosen so
    with item.open_image() as image:
        witness: Witness = (
            LabelWitness(project.classes, item.labels, confidence_layer(item), z)
            if model is None
            else model.witness(project.classes, image, z, None)
        )
        ids, shares = witness.shares(rect)
        values = image.read(z, rect)
        pixels = seen_pixels(values, solver_window(image, z), invert=image.invert)
    spacing = (1.0, 1.0) if item.spacing is None else (item.spacing.y, item.spacing.x)
    return _Case(pixels, ids, shares.astype(np.float16), truth.read(rect, z), spacing)


def _middle(item: Item) -> Rect:
    """The whole slice, or as much of its middle as one trial should take."""
    height, width = item.shape.y, item.shape.x
    share = min(1.0, (_MOST_PIXELS / (height * width)) ** 0.5)
    part = Rect(0, 0, max(1, int(height * share)), max(1, int(width * share)))
    return part.shifted((height - part.height) // 2, (width - part.width) // 2)
