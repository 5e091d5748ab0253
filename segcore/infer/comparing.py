"""Holding the engines that pay on this machine against torch in float32, on real images.

It is done when a model is made, and what was seen is written into its self-description; the
predictor goes by that (`segcore.infer.engines`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore import metrics
from segcore.base import ClassSet, Rect
from segcore.base.dataclass import dataclass
from segcore.infer.engines import candidates
from segcore.infer.mapping import map_classes
from segcore.infer.openvino_engine import NotConverted
from segcore.infer.predictor import Prediction, Predictor
from segcore.models.agreement import SURE, TORCH, Agreement
from segcore.models.segmodel import SegModel
from segcore.models.weights import load_model

MOST_IMAGES = 16  # enough for shares of a tenth of a percent, and a matter of seconds
_MOST_SIDE = 1536  # pixels; of larger images the middle is compared


@dataclass(frozen=True)
class Sample:
    """A real image, and what is true of it.

    Parameters
    ----------
    values : (h, w) or (h, w, c), any dtype.
    truth : (h, w) class ids of the set that is given beside; None where nobody knows.
    """

    values: NDArray[Any]
    truth: NDArray[np.uint16] | None = None


def check_model(
    folder: Path,
    samples: Iterable[Sample],
    classes: ClassSet,
    where: str,
    *,
    device: str | None = None,
    engines: Sequence[str] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Agreement]:
    """Compare the engines on a model's folder and write what was seen into its description.

    What the description says of engines that are not compared here (another machine's) stays.

    Parameters
    ----------
    classes : of the samples' truth.
    where : which images they are, such as "held-out items".
    device, engines, cancel : as for `compare_engines`.

    Raises
    ------
    BadFile : the folder holds no model that can be read.
    """
    model = load_model(folder)
    found = compare_engines(
        model,
        samples,
        classes,
        where,
        device=device,
        engines=engines,
        folder=folder,
        cancel=cancel,
    )
    rows = {name: seen.to_json() for name, seen in found.items()}
    model.spec.changed(engines={**model.spec.engines, **rows}).replace_in(folder)
    return found


def compare_engines(
    model: SegModel,
    samples: Iterable[Sample],
    classes: ClassSet,
    where: str,
    *,
    device: str | None = None,
    engines: Sequence[str] | None = None,
    folder: Path | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Agreement]:
    """What is seen of each engine on at most `MOST_IMAGES` images; nothing where only torch pays.

    Parameters
    ----------
    engines : which ones; None is all that pay on the device.
    folder : of the model, where OpenVINO keeps its conversion.
    cancel : asked before every tile.

    Raises
    ------
    Cancelled : `cancel` said so.
    """
    plain = Predictor(model, device, engine=TORCH)
    names = [name for name in engines or candidates(model, plain.device) if name != TORCH]
    table = map_classes(model.spec.classes, classes).table
    told = [int(c.id) for c in classes.scored]
    own = [int(c.id) for c in model.spec.classes.scored]
    found: dict[str, Agreement] = {}
    seen: dict[str, _Seen] = {}
    for name in names:
        try:
            other = Predictor(model, device, engine=name, folder=folder)
        except NotConverted as error:
            found[name] = Agreement(problem=error.message, version=_version(name))
        else:
            seen[name] = _Seen(other, told, own)
    if not seen:
        return found
    truth = metrics.ConfusionAccumulator(told)
    known = False
    for number, sample in enumerate(samples):
        if number == MOST_IMAGES:
            break
        where_in = middle(*sample.values.shape[:2]).slices
        truth_in = None if sample.truth is None else sample.truth[where_in]
        one = Sample(sample.values[where_in], truth_in)
        expected = plain.predict(one.values, cancel=cancel, instances=model.finds_objects)
        if one.truth is not None:
            known = True
            truth.add(one.truth, table[expected.classes])
        for each in seen.values():
            each.add(one, expected, table, cancel)
    reference = truth.matrix if known else None
    for name, each in seen.items():
        if not each.items:
            continue  # nothing was there to compare on
        found[name] = replace(each.agreement(reference), where=where, version=_version(name))
    return found


class _Seen:
    """What is seen of one engine, image by image."""

    def __init__(self, predictor: Predictor, told: list[int], own: list[int]) -> None:
        self._predictor = predictor
        self._truth = metrics.ConfusionAccumulator(told)
        self._torch = metrics.ConfusionAccumulator(own)
        self.items = self._pixels = self._sure = self._different = self._different_sure = 0

    def add(
        self,
        sample: Sample,
        expected: Prediction,
        table: NDArray[np.uint16],
        cancel: Callable[[], bool] | None,
    ) -> None:
        whole = self._predictor.model.finds_objects
        given = self._predictor.predict(sample.values, cancel=cancel, instances=whole)
        other = given.classes != expected.classes
        sure = expected.margin > SURE * 255
        self.items += 1
        self._pixels += other.size
        self._sure += int(sure.sum())
        self._different += int(other.sum())
        self._different_sure += int((other & sure).sum())
        self._torch.add(expected.classes, given.classes)
        if sample.truth is not None:
            self._truth.add(sample.truth, table[given.classes])

    def agreement(self, reference: NDArray[np.int64] | None) -> Agreement:
        """What it comes to; `reference` is torch's confusion with truth, where there is any."""
        if reference is None:
            moved = 1.0 - _mean_iou(self._torch.matrix)
        else:
            moved = abs(_mean_iou(self._truth.matrix) - _mean_iou(reference))
        return Agreement(
            different=self._different / max(1, self._pixels),
            different_sure=self._different_sure / max(1, self._sure),
            moved=moved,
            against="torch" if reference is None else "truth",
            items=self.items,
            pixels=self._pixels,
        )


def _mean_iou(matrix: NDArray[np.int64]) -> float:
    return float(metrics.mean(metrics.iou(matrix))[0])


def middle(height: int, width: int) -> Rect:
    """The part of an image of this size that is compared."""
    y, x = max(0, (height - _MOST_SIDE) // 2), max(0, (width - _MOST_SIDE) // 2)
    return Rect(y, x, min(height, _MOST_SIDE), min(width, _MOST_SIDE))


def _version(engine: str) -> str:
    library = engine.partition("-")[0]
    return f"{library} {metadata.version(library)}"
