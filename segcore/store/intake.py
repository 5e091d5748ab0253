"""New layers of an item: imports, predictions, and the adoption of a prediction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segcore.labels import PLANES, FieldChange, Labels, Patch
from segcore.store import adoption, contents, layers
from segcore.store.events import Kind
from segcore.store.records import (
    ADOPTED,
    LABEL,
    PREDICTION,
    TRUTH,
    Content,
    InstanceRow,
    ObjectFacts,
    PredictionLayer,
    Role,
    further_slot,
)
from segcore.store.steps import state_change

if TYPE_CHECKING:
    from segcore.store.project import Project


def import_layer(
    project: Project,
    item_id: str,
    role: Role,
    planes: Mapping[str, NDArray[Any]],
    origin: int,
    group: str | None,
    facts: Mapping[int, ObjectFacts],
    further: Sequence[Mapping[str, NDArray[Any]]],
) -> Labels:
    """Add a label or truth and let the item show it; see `Project.import_layer`."""
    origin = origin if role == LABEL else 0
    every = [planes, *further]
    first = _first_instance(project, item_id, role, every)
    layers_made = [
        make_layer(project, item_id, role, p, origin, first_instance=first, facts=facts)
        for p in every
    ]
    made = layers_made[0]
    # Counted here, on the caller's thread: the applied thread has strokes to do.
    changes = tuple(change for layer in layers_made for change in layer.changes)
    gained = made.labels.counts()

    def work() -> Labels:
        content = project.contents.get(item_id)
        slots = [role, *(further_slot(role, n) for n in range(2, len(every) + 1))]
        # Layers of an earlier import, of which there may have been more, go with it.
        present = [slot for slot in content.pointers if slot.startswith(f"{role}:")]
        shown = dict.fromkeys(present) | dict(
            zip(slots, (layer.row.id for layer in layers_made), strict=True)
        )
        fields = [
            FieldChange("item", item_id, slot, content.pointers.get(slot), layer)
            for slot, layer in shown.items()
        ]
        pixels: dict[int, tuple[int, int]] = {}
        if role == LABEL:
            pixels = adoption.pixels_changed(content.labels, gained)
            rows = tuple(row for layer in layers_made for row in layer.instances)
            fields += adoption.instance_changes(content, rows)
            state = project.items.row(item_id).state
            if state != "corrected":
                fields.append(state_change(item_id, state, "corrected"))
        patch = Patch(
            changes,
            tuple(fields),
            f"Import {role}",
            "import",
            pixels,
            made.whole,
            group=group,
        )
        _take_layers(project, item_id, layers_made, patch, "import")
        return made.labels

    return project.scribe.call(work)


def store_prediction(
    project: Project,
    item_id: str,
    model: str,
    model_digest: str,
    planes: Mapping[str, NDArray[Any]],
    partial: bool,
    facts: Mapping[int, ObjectFacts] = MappingProxyType({}),
) -> PredictionLayer:
    """Keep a model's answer as a layer; see `Project.store_prediction`."""
    known = None if partial else _same_answer(project, item_id, model, model_digest, planes)
    if known is not None:
        return known
    made = make_layer(
        project,
        item_id,
        "prediction",
        planes,
        project.source("model", model_digest),
        model=model,
        model_digest=model_digest,
        partial=partial,
        facts=facts,
    )

    changes = made.changes

    def work() -> PredictionLayer:
        pointers = project.contents.get(item_id).pointers
        slot = PREDICTION + model
        change = FieldChange("item", item_id, slot, pointers.get(slot), made.row.id)
        patch = Patch(changes, (change,), f"Predict with {model}", "predict", {}, made.whole)
        _take_layers(project, item_id, [made], patch, "predict")
        return prediction_layer(project.contents.get(item_id), made.row.id)

    return project.scribe.call(work)


def _same_answer(
    project: Project,
    item_id: str,
    model: str,
    model_digest: str,
    planes: Mapping[str, NDArray[Any]],
) -> PredictionLayer | None:
    """The layer in which this very model has given this very answer; None if it has not."""
    content = project.contents.get(item_id)
    row = content.rows.get(content.pointers.get(PREDICTION + model) or "")
    if row is None or row.partial or not model_digest or row.model_digest != model_digest:
        return None
    known = prediction_layer(content, row.id)
    if known.adopted and not adoption.is_label(content, known):
        return None  # what became the label and was corrected since is a proposal from now on
    labels = known.labels
    shape = (labels.shape.z, labels.shape.y, labels.shape.x)
    if any(plane.size != math.prod(shape) for plane in planes.values()):
        return None
    if any(labels.has_plane(name) and name not in planes for name in PLANES if name != "origin"):
        return None
    for name, plane in planes.items():
        # Objects were moved up to numbers of their own: all by the same, so that tells them.
        shift: int | None = None if name in ("instance", "found") else 0
        for z, given in enumerate(plane.reshape(shape)):
            stored = labels.read(z=z, plane=name)
            if shift is None and given.any():
                shift = int(stored.max()) - int(given.max())
            moved = np.where(given > 0, given.astype(np.int64) + shift, 0) if shift else given
            if not np.array_equal(moved, stored):
                return None
    return known


def make_layer(
    project: Project,
    item_id: str,
    role: Role,
    planes: Mapping[str, NDArray[Any]],
    origin: int,
    *,
    model: str = "",
    model_digest: str = "",
    partial: bool = False,
    first_instance: int | None = None,
    facts: Mapping[int, ObjectFacts] = MappingProxyType({}),
) -> layers.NewLayer:
    """Check arrays and cut them into tiles, on the calling thread."""
    row = project.items.row(item_id)
    volumes = {
        name: layers.require_fits(row.name, row.shape, plane) for name, plane in planes.items()
    }
    layers.require_known(row.name, project.classes, volumes["class"])
    if first_instance is None:
        first_instance = _first_instance(project, item_id, role, [volumes])
    return layers.make(
        project.contents.cache,
        number=project.next_layer(),
        item=item_id,
        role=role,
        planes=volumes,
        origin=origin,
        first_instance=first_instance,
        model=model,
        model_digest=model_digest,
        partial=partial,
        facts=facts,
    )


def _first_instance(
    project: Project, item_id: str, role: Role, every: Sequence[Mapping[str, NDArray[Any]]]
) -> int:
    """The number that object 1 of these layers becomes; they count together."""
    # Objects of the truth are compared, never edited: they keep their numbers and use none up.
    if role == TRUTH:
        return 1
    names = ("instance", "found")
    count = max(int(p[n].max(initial=0)) if n in p else 0 for p in every for n in names)
    return project.new_instance(item_id, count) if count else 1


def _take_layers(
    project: Project,
    item_id: str,
    made: Sequence[layers.NewLayer],
    patch: Patch,
    kind: Kind,
) -> None:
    with project.contents.holding(item_id) as present:
        content = present
        for layer in made:
            content = content.with_layer(layer.row, layer.empty)
        project.scribe.steps.take(
            item_id,
            patch,
            kind,
            statements=[contents.layer_statement(layer.row) for layer in made],
            content=content,
        )


def prediction_layer(content: Content, layer: str) -> PredictionLayer:
    """A prediction of an item by the layer's id."""
    row = content.rows[layer]
    labels = content.layers[layer]
    objects = [(InstanceRow.from_json(r["id"], r), layers.LEFT_OUT in r) for r in row.instances]
    return PredictionLayer(
        row.id,
        row.name,
        row.model_digest,
        labels,
        row.partial,
        content.pointers.get(ADOPTED) == row.id,
        tuple(one for one, left_out in objects if not left_out),
        tuple(one for one, _ in objects) if labels.has_plane("found") else (),
    )


def adopt(
    project: Project, item_id: str, layer: PredictionLayer, group: str | None
) -> Patch | None:
    """Make a prediction the label where the rule allows it; see `Project.adopt`."""
    gained = layer.labels.counts()

    def work() -> Patch | None:
        with project.contents.holding(item_id) as content:
            if adoption.is_label(content, layer):
                return Patch(())
            history = project.contents.history(item_id)
            if not adoption.may_adopt(content, history, project.person_origins(), layer):
                return None
            patch = adoption.adopt(content, layer, project.items.row(item_id).state, gained)
            return project.scribe.steps.take(item_id, replace(patch, group=group), "adopt").patch

    return project.scribe.call(work)
