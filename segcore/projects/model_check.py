"""Which engines may compute a model, seen on a project's images. Loads torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from segcore.base import MaskwrightError
from segcore.infer.comparing import MOST_IMAGES, Sample, check_model, middle
from segcore.models.agreement import Agreement
from segcore.models.built_in import is_built_in
from segcore.models.spec import ModelSpec
from segcore.store import Item, Project

_LOOKED_AT = 200  # items; whether one has truth is read from the disk


def check_in_project(project: Project, folder: Path) -> dict[str, Agreement]:
    """Compare the engines on images of the project; the model's description says what was seen.

    Held-out images come first, and such with truth. An image that cannot be read, or has other
    channels than the model takes, is passed over.

    Raises
    ------
    BadFile : the folder holds no model that can be read.
    MaskwrightError : the model comes with the program, which is not changed.
    """
    if is_built_in(folder):
        raise MaskwrightError(
            f"{folder.name} comes with the program and was checked there.",
            "Name a model of the project.",
        )
    channels = ModelSpec.read(folder).channels
    items = sorted(project.items, key=lambda item: item.split != "held_out")[:_LOOKED_AT]
    items.sort(key=lambda item: (item.split != "held_out", item.truth is None))
    return check_model(folder, _samples(items, channels), project.classes, "project's images")


def _samples(items: list[Item], channels: int) -> Iterator[Sample]:
    given = 0
    for item in items:
        try:
            with item.open_image() as image:
                if image.channels not in (1, channels):
                    continue
                z, where = image.shape.z // 2, middle(image.shape.y, image.shape.x)
                values = image.read(z, where)
        except MaskwrightError:
            continue
        yield Sample(values, None if item.truth is None else item.truth.read(where, z))
        given += 1
        if given == MOST_IMAGES:
            return
