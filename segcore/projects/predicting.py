"""Predict the items of a project in this process, and adopt what nobody has corrected.

The window asks the core instead, which streams tiles; what is stored in the end is the same. Loads
torch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segcore.base import MaskwrightError, Rect
from segcore.base.dataclass import dataclass
from segcore.infer import ClassMapping, Predictor, map_classes
from segcore.infer.found import ItemObjects
from segcore.infer.objects import objects_of
from segcore.models.weights import load_model, model_digest
from segcore.projects.model_witness import ModelWitness
from segcore.projects.modelling import NoModel
from segcore.projects.refining import refined_prediction
from segcore.projects.stage import Stage, silent
from segcore.refine import CrfParams, densecrf
from segcore.store import Item, Project

REFINED = "+crf"
"""What a prediction behind a dense CRF has after its model's name."""


@dataclass(frozen=True)
class PredictionReport:
    """What a call of `predict_items` did; names of items.

    Parameters
    ----------
    model : its name.
    adopted : the prediction is now the label.
    proposed : a person has worked there; the prediction waits to be taken.
    skipped : this very model has predicted them before.
    failed : item and reason.
    mapping : how the model's classes appear in the project.
    seconds : for everything.
    """

    model: str
    adopted: tuple[str, ...]
    proposed: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: tuple[tuple[str, MaskwrightError], ...]
    mapping: ClassMapping
    seconds: float


@dataclass
class _Volume:
    """What the slices of one item add up to."""

    classes: list[NDArray[np.uint16]] = field(default_factory=list)
    confidence: list[NDArray[np.uint8]] = field(default_factory=list)
    margin: list[NDArray[np.uint8]] = field(default_factory=list)


def predict_items(
    project: Project,
    items: Sequence[Item],
    model: Path,
    *,
    name: str | None = None,
    again: bool = False,
    device: str | None = None,
    refine: CrfParams | None = None,
    least_score: float | None = None,
    stage: Stage = silent,
) -> PredictionReport:
    """Predict items one by one; a damaged image is reported and the rest goes on.

    Parameters
    ----------
    items : of the project, which must be open for writing.
    model : folder of the model.
    name : what the prediction is called in the project; the folder's name if None.
    again : also where this very model has predicted already.
    device : ``cuda``, ``mps`` or ``cpu``; None is the best there is.
    refine : a dense CRF with these parameters on the model's probabilities; the prediction is
        then called ``NAME+crf``.
    least_score : 0 to 1, of the objects that the prediction has; None is what the model's family
        takes for an object. Those below it are kept beside it. For models that find objects.

    Raises
    ------
    NoDenseCrf : `refine` is given and the solver is not installed.
    NoModel : the model knows none of the project's classes.
    BadFile : the model's folder is damaged.
    """
    start = time.monotonic()
    name = name or model.name
    if refine is not None:
        name += REFINED
        densecrf(np.zeros((1, 2)), np.full((2, 1, 2), 0.5))  # fails now, not after the first image
    loaded = load_model(model)
    digest = model_digest(model)
    mapping = map_classes(loaded.spec.classes, project.classes)
    if not mapping.mapped:
        raise NoModel(
            f"The model {name} knows none of the classes of {project.name}: it tells "
            f"{', '.join(c.name for c in loaded.spec.classes.scored)}.",
            "Name another model, or add a class with such a name.",
        )
    predictor = Predictor(loaded, device, folder=model)
    adopted: list[str] = []
    proposed: list[str] = []
    skipped: list[str] = []
    failed: list[tuple[str, MaskwrightError]] = []
    for number, item in enumerate(items, 1):
        earlier = item.predictions.get(name)
        if not again and earlier is not None and earlier.model_digest == digest:
            skipped.append(item.name)
        else:
            try:
                taken = _predict(
                    project, item, predictor, mapping, name, digest, refine, least_score
                )
            except MaskwrightError as error:
                failed.append((item.name, error))
            else:
                (adopted if taken else proposed).append(item.name)
        stage("Predicting", number, len(items))
    return PredictionReport(
        name,
        tuple(adopted),
        tuple(proposed),
        tuple(skipped),
        tuple(failed),
        mapping,
        time.monotonic() - start,
    )


def _predict(
    project: Project,
    item: Item,
    predictor: Predictor,
    mapping: ClassMapping,
    name: str,
    digest: str,
    refine: CrfParams | None,
    least_score: float | None,
) -> bool:
    """Predict one item, store it, adopt it if nobody has worked there; whether it was adopted."""
    volume = _Volume()
    own_objects = refine is None and predictor.model.finds_objects
    things = [int(c.id) for c in project.classes.active if c.thing]
    objects = ItemObjects(item.shape, things) if own_objects else None
    with item.open_image() as image:
        for z in range(item.shape.z):
            if refine is None:
                found = predictor.predict(
                    image, z=z, instances=own_objects, least_score=least_score
                )
                classes, confidence = mapping.table[found.classes], found.confidence
                margin = found.margin
                if objects is not None and found.found is not None:
                    rect = Rect(0, 0, *classes.shape)
                    objects.add(z, rect, classes, found.found.mapped(mapping.table))
            else:
                spacing = (1.0, 1.0) if item.spacing is None else item.spacing[1:]
                ids = tuple(int(mapping.table[c.id]) for c in predictor.model.spec.classes.scored)
                witness = ModelWitness(predictor, ids, image, z)
                classes, confidence, margin = refined_prediction(
                    image, z, witness, refine, spacing=spacing
                )
            volume.classes.append(classes)
            volume.confidence.append(confidence)
            volume.margin.append(margin)
    stack = np.stack(volume.classes)
    layer = project.store_prediction(
        item,
        name,
        digest,
        stack,
        confidence=np.stack(volume.confidence),
        margin=np.stack(volume.margin),
        **({"instances": objects_of(stack, things)} if objects is None else objects.stored),
    )
    return project.adopt(item, layer) is not None
