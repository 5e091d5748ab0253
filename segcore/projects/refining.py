"""Refine the labels of a project's items: by a dense CRF, or by cutting their rims with GrabCut.

One step an item, which is undone there like any other. A pixel that a person set stays, unless
told otherwise; so does what is unlabelled or ignored. Loads torch only where a model is a witness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from segcore.base import ClassSet, MaskwrightError, Rect
from segcore.base.dataclass import dataclass
from segcore.labels import Guard, Labels
from segcore.metrics import ConfusionAccumulator, iou, mean
from segcore.projects.stage import Stage, silent
from segcore.projects.witnesses import LabelWitness, Witness, confidence_layer
from segcore.refine import CrfParams, densecrf
from segcore.refine.blocks import blocks
from segcore.refine.effect import may_change
from segcore.refine.evidence import with_certain
from segcore.refine.outlines import BAND, follow_objects, recut
from segcore.refine.pixels import seen_pixels, solver_window

if TYPE_CHECKING:
    from segcore.images import ImageSource
    from segcore.projects.model_witness import Models
    from segcore.store import Item, Project

Method = Literal["crf", "grabcut"]
METHODS: dict[Method, str] = {"crf": "dense CRF", "grabcut": "GrabCut"}


@dataclass(frozen=True)
class RefineReport:
    """What a call of `refine_items` did.

    Parameters
    ----------
    refined : name of the item and how many pixels changed.
    unchanged : names of items where nothing was to be done.
    failed : name and reason.
    by_model : how many were refined from the model's probabilities, the others from labels.
    before, after : mean IoU over the items with truth, NaN without.
    """

    refined: tuple[tuple[str, int], ...]
    unchanged: tuple[str, ...]
    failed: tuple[tuple[str, MaskwrightError], ...]
    by_model: int
    before: float
    after: float


@dataclass(frozen=True)
class Refining:
    """How items are refined.

    Parameters
    ----------
    method : ``crf`` or ``grabcut``.
    params : of the dense CRF, for the model's probabilities and for labels.
    model : the witness where it has predicted the item; None: always the labels.
    always_model : it is the witness for every item. Its prediction then takes the place of a
        label that came from elsewhere.
    over_persons : also change what a person set.
    band : pixels on either side of a rim that GrabCut may move.
    """

    method: Method
    params: CrfParams
    label_params: CrfParams
    model: Models | None = None
    always_model: bool = False
    over_persons: bool = False
    band: int = BAND


def refine_items(
    project: Project, items: Sequence[Item], how: Refining, stage: Stage = silent
) -> RefineReport:
    """Refine items one by one; a damaged image is reported and the rest goes on.

    Raises
    ------
    NoDenseCrf : the solver is not installed.
    """
    refined: list[tuple[str, int]] = []
    unchanged: list[str] = []
    failed: list[tuple[str, MaskwrightError]] = []
    scored = [c.id for c in project.classes.scored]
    counts = ConfusionAccumulator(scored), ConfusionAccumulator(scored)
    by_model = 0
    if how.method == "crf":
        densecrf(np.zeros((1, 2)), np.full((2, 1, 2), 0.5))  # fails now, not after the first image
    for number, item in enumerate(items, 1):
        _count(item, counts[0])
        try:
            told_by_model = how.model is not None and (
                how.always_model or _has_predicted(item, how.model)
            )
            changed = _refine(project, item, how, how.model if told_by_model else None)
        except MaskwrightError as error:
            failed.append((item.name, error))
        else:
            by_model += told_by_model and how.method == "crf"
            if changed:
                refined.append((item.name, changed))
            else:
                unchanged.append(item.name)
        _count(item, counts[1])
        stage("Refining", number, len(items))
    before, after = (mean(iou(c.matrix))[0] for c in counts)
    return RefineReport(tuple(refined), tuple(unchanged), tuple(failed), by_model, before, after)


def _has_predicted(item: Item, model: Models) -> bool:
    """Whether the item's newest prediction is this model's.

    Else its probabilities would not refine the label but put another prediction in its place.
    """
    layers = list(item.predictions.values())
    return bool(layers) and layers[-1].model_digest == model.digest


def _count(item: Item, counts: ConfusionAccumulator) -> None:
    truth, labels = item.truth, item.labels
    if truth is not None:
        for z in range(item.shape.z):
            counts.add(truth.read(z=z), labels.read(z=z))


def _refine(project: Project, item: Item, how: Refining, model: Models | None) -> int:
    """Refine one item in one step; how many pixels changed."""
    from segcore.edits import Paste

    name = METHODS[how.method]
    # Nobody looks at a batch, so it is a model's word: it teaches only where an item is accepted.
    witness = how.method if model is None else f"{model.digest}+{how.method}"
    origin = project.source("model", model_digest=witness)
    keep = frozenset() if how.over_persons else project.person_origins()
    labels = item.labels
    found = np.zeros(tuple(item.shape), np.uint16)
    objects = np.zeros(tuple(item.shape), np.uint32)
    mask = np.zeros(tuple(item.shape), bool)
    with item.open_image() as image:
        for z in range(item.shape.z):
            before = labels.read(z=z)
            after = _slice(project.classes, item, image, labels, z, how, model, keep)
            mask[z] = may_change(project.classes, labels, labels.extent, z, after, Guard(
                keep_origins=keep
            ))  # fmt: skip
            found[z] = np.where(mask[z], after, before)
            objects[z] = follow_objects(before, labels.read(z=z, plane="instance"), found[z])
    if not mask.any():
        return 0
    edit = Paste.of(
        0,
        labels.extent,
        found,
        objects,
        mask,
        origin=origin,
        name=f"Refine with {name}",
        tool=how.method,
        guard=Guard(keep_origins=keep),
    )
    return project.apply(item, edit, seen=False).changed_pixels


def _slice(
    classes: ClassSet,
    item: Item,
    image: ImageSource,
    labels: Labels,
    z: int,
    how: Refining,
    model: Models | None,
    keep: frozenset[int],
) -> NDArray[np.uint16]:
    window = solver_window(image, z)
    if how.method == "grabcut":
        ids = [int(c.id) for c in classes.scored if c.colour is not None]
        pixels = seen_pixels(image.read(z), window, invert=image.invert)
        return recut(pixels, labels.read(z=z), labels.read(z=z, plane="instance"), ids, how.band)
    witness: Witness = (
        LabelWitness(classes, labels, confidence_layer(item), z)
        if model is None
        else model.witness(classes, image, z, None)
    )
    params = how.label_params if model is None else how.params
    spacing = (1.0, 1.0) if item.spacing is None else (item.spacing.y, item.spacing.x)
    return refine_slice(image, z, window, labels, witness, params, keep, spacing=spacing)


def refine_slice(
    image: ImageSource,
    z: int,
    window: tuple[float, float],
    labels: Labels,
    witness: Witness,
    params: CrfParams,
    keep: frozenset[int] = frozenset(),
    *,
    rect: Rect | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    cancelled: Callable[[], bool] | None = None,
) -> NDArray[np.uint16]:
    """What a dense CRF says about a slice, block by block with bounded memory.

    Parameters
    ----------
    window : values that are black and white.
    labels : where a source in `keep` set a pixel, its class is certain.
    rect : only this part, with a rim of context around it.

    Returns
    -------
    (rect.height, rect.width) uint16 class ids; 0 where the witness has no class of the project.
    """
    area = labels.extent if rect is None else rect
    out = np.zeros((area.height, area.width), np.uint16)
    size = (labels.shape.y, labels.shape.x)
    for inner, outer in blocks(area, params.reach, size, witness.count):
        ids, shares = witness.shares(outer)
        if keep:
            certain = np.isin(labels.read(outer, z, "origin"), list(keep))
            shares = with_certain(shares, labels.read(outer, z), ids, certain)
        pixels = seen_pixels(image.read(z, outer), window, invert=image.invert)
        told = densecrf(pixels, shares, params, spacing=spacing, cancelled=cancelled)
        best = np.array(ids, np.uint16)[told.argmax(axis=0)]
        out[inner.shifted(-area.y, -area.x).slices] = best[inner.shifted(-outer.y, -outer.x).slices]
    return out


def refined_prediction(
    image: ImageSource,
    z: int,
    witness: Witness,
    params: CrfParams,
    *,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> tuple[NDArray[np.uint16], NDArray[np.uint8], NDArray[np.uint8]]:
    """A model's prediction of a slice behind a dense CRF, with bounded memory.

    Returns
    -------
    classes, confidence, margin : (y, x) as `Predictor.predict` gives them, the classes in the ids
        of the project; confidence and margin are those of the CRF.
    """
    size = (image.shape.y, image.shape.x)
    window = solver_window(image, z)
    classes = np.zeros(size, np.uint16)
    confidence, margin = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for inner, outer in blocks(Rect(0, 0, *size), params.reach, size, witness.count):
        ids, shares = witness.shares(outer)
        pixels = seen_pixels(image.read(z, outer), window, invert=image.invert)
        told = densecrf(pixels, shares, params, spacing=spacing)
        told = told[(slice(None), *inner.shifted(-outer.y, -outer.x).slices)]
        two = np.partition(told, -2, axis=0)[-2:] if len(ids) > 1 else [np.zeros(()), told[0]]
        classes[inner.slices] = np.array(ids, np.uint16)[told.argmax(axis=0)]
        confidence[inner.slices] = np.rint(two[1] * 255)
        margin[inner.slices] = np.rint((two[1] - two[0]) * 255)
    return classes, confidence, margin
