"""New layers of an item: imports, predictions, and the adoption of a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from segcore.labels import FieldChange, Labels, Patch
from segcore.store import adoption, contents, layers
from segcore.store.events import Kind
from segcore.store.records import (
    ADOPTED,
    LABEL,
    PREDICTION,
    Content,
    InstanceRow,
    PredictionLayer,
    Role,
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
) -> Labels:
    """Add a label or truth and let the item show it; see `Project.import_layer`."""
    made = make_layer(project, item_id, role, planes, origin if role == LABEL else 0)
    # Counted here, on the caller's thread: the applied thread has strokes to do.
    changes, gained = made.changes, made.labels.counts()

    def work() -> Labels:
        content = project.contents.get(item_id)
        fields = [FieldChange("item", item_id, role, content.pointers.get(role), made.row.id)]
        pixels: dict[int, tuple[int, int]] = {}
        if role == LABEL:
            pixels = adoption.pixels_changed(content.labels, gained)
            fields += adoption.instance_changes(content, made.instances)
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
        _take_layer(project, item_id, made, patch, "import")
        return made.labels

    return project.scribe.call(work)


def store_prediction(
    project: Project,
    item_id: str,
    model: str,
    model_digest: str,
    planes: Mapping[str, NDArray[Any]],
    partial: bool,
) -> PredictionLayer:
    """Keep a model's answer as a layer; see `Project.store_prediction`."""
    made = make_layer(
        project,
        item_id,
        "prediction",
        planes,
        project.source("model", model_digest),
        model=model,
        model_digest=model_digest,
        partial=partial,
    )

    changes = made.changes

    def work() -> PredictionLayer:
        pointers = project.contents.get(item_id).pointers
        slot = PREDICTION + model
        change = FieldChange("item", item_id, slot, pointers.get(slot), made.row.id)
        patch = Patch(changes, (change,), f"Predict with {model}", "predict", {}, made.whole)
        _take_layer(project, item_id, made, patch, "predict")
        return prediction_layer(project.contents.get(item_id), made.row.id)

    return project.scribe.call(work)


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
) -> layers.NewLayer:
    """Check arrays and cut them into tiles, on the calling thread."""
    row = project.items.row(item_id)
    volumes = {
        name: layers.require_fits(row.name, row.shape, plane) for name, plane in planes.items()
    }
    layers.require_known(row.name, project.classes, volumes["class"])
    # Objects of the truth are compared, never edited: they keep their numbers and use none up.
    count = 0
    if "instance" in volumes and role != "truth":
        count = int(volumes["instance"].max(initial=0))
    return layers.make(
        project.contents.cache,
        number=project.next_layer(),
        item=item_id,
        role=role,
        planes=volumes,
        origin=origin,
        first_instance=project.new_instance(item_id, count) if count else 1,
        model=model,
        model_digest=model_digest,
        partial=partial,
    )


def _take_layer(
    project: Project, item_id: str, made: layers.NewLayer, patch: Patch, kind: Kind
) -> None:
    with project.contents.holding(item_id) as content:
        project.scribe.steps.take(
            item_id,
            patch,
            kind,
            statements=[contents.layer_statement(made.row)],
            content=content.with_layer(made.row, made.empty),
        )


def prediction_layer(content: Content, layer: str) -> PredictionLayer:
    """A prediction of an item by the layer's id."""
    row = content.rows[layer]
    return PredictionLayer(
        row.id,
        row.name,
        row.model_digest,
        content.layers[layer],
        row.partial,
        content.pointers.get(ADOPTED) == row.id,
        tuple(InstanceRow.from_json(r["id"], r) for r in row.instances),
    )


def adopt(
    project: Project, item_id: str, layer: PredictionLayer, group: str | None
) -> Patch | None:
    """Make a prediction the label where the rule allows it; see `Project.adopt`."""
    gained = layer.labels.counts()

    def work() -> Patch | None:
        with project.contents.holding(item_id) as content:
            history = project.contents.history(item_id)
            if not adoption.may_adopt(content, history, project.person_origins(), layer):
                return None
            patch = adoption.adopt(content, layer, project.items.row(item_id).state, gained)
            return project.scribe.steps.take(item_id, replace(patch, group=group), "adopt").patch

    return project.scribe.call(work)
