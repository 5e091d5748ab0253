"""The demo project: real pictures that scikit-image ships, and made-up ones with exact truth.

Its masks are real predictions of the models that come along, made when the project is. Needs no
network. Loads torch only while it predicts.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import ClassId, ClassSet, SegClass
from segcore.base.dataclass import dataclass
from segcore.base.palette import palette_colour
from segcore.infer.threads import share_processor
from segcore.models.built_in import BUILT_IN
from segcore.projects import scenes
from segcore.projects.places import DEMO, places
from segcore.projects.stage import Stage, silent
from segcore.store import Item, NewItem, Project

DEMO_CLASSES = ClassSet(
    (
        SegClass(ClassId(1), "background", 0, None),
        SegClass(ClassId(2), "nucleus", 1, palette_colour(0), thing=True),
        SegClass(ClassId(3), "vessel", 2, palette_colour(1)),
    )
)


@dataclass(frozen=True)
class DemoPicture:
    """One picture of the demo.

    Parameters
    ----------
    name : of the item and its file.
    model : name of the model that predicts it.
    scene : makes it, with its truth; None for a picture of scikit-image.
    file : name of the file that scikit-image ships; "" for a made-up one.
    """

    name: str
    model: str
    scene: Any = None
    file: str = ""


PICTURES: tuple[DemoPicture, ...] = (
    DemoPicture("nuclei, made up 1", "nuclei", partial(scenes.nuclei, 1)),
    DemoPicture(
        "nuclei, made up 2",
        "nuclei",
        partial(scenes.nuclei, 2, count=120, radius=9.0, signal=0.35, touching=0.45),
    ),
    DemoPicture(
        "nuclei, made up 3",
        "nuclei",
        partial(scenes.nuclei, 3, count=25, radius=22.0, signal=0.6, touching=0.1),
    ),
    DemoPicture("stained tissue", "nuclei", file="ihc.png"),
    DemoPicture("coins", "nuclei", file="coins.png"),
    DemoPicture("retina", "retina", file="retina.jpg"),
    DemoPicture("retina, made up", "retina", partial(scenes.vessels, 4)),
)


def ensure_demo(folder: Path | None = None, stage: Stage = silent) -> Path:
    """The demo project in a folder (None: this person's data folder), made if it is not there."""
    path = (folder or places().demo) / DEMO
    if not (path / "project.db").is_file():
        make_demo(path, stage)
    return path


def make_demo(path: Path, stage: Stage = silent) -> None:
    """Make the demo project; where something fails nothing is left behind."""
    draft = path.with_name("unfinished-" + path.name)
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with Project.create(draft, DEMO_CLASSES) as project:
            _fill(project, stage)
        # Renamed when complete: a demo that was interrupted is made again, never opened half.
        draft.rename(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _fill(project: Project, stage: Stage) -> None:
    pictures = project.path / "images"
    pictures.mkdir()
    made: list[tuple[DemoPicture, Path, scenes.Scene | None]] = []
    for number, picture in enumerate(PICTURES, 1):
        scene = None
        if picture.scene is not None:
            scene = picture.scene()
            file = pictures / f"{picture.name}.png"
            _write_png(file, scene.image)
        else:
            file = pictures / f"{picture.name}{Path(picture.file).suffix}"
            shutil.copyfile(_shipped(picture.file), file)
        made.append((picture, file, scene))
        stage("Making pictures", number, len(PICTURES))
    items = project.add_items([_new_item(picture, file) for picture, file, _ in made])
    by_model: dict[str, list[Item]] = {}
    for item, (picture, _, scene) in zip(items, made, strict=True):
        by_model.setdefault(picture.model, []).append(item)
        if scene is not None:
            classes, objects = _truth(scene)
            project.import_layer(item, "truth", classes, objects)
    for model, chosen in by_model.items():
        if (BUILT_IN / model / "model.safetensors").is_file():
            share_processor()
            from segcore.projects.predicting import predict_items

            predict_items(project, chosen, BUILT_IN / model, stage=stage)


def _new_item(picture: DemoPicture, file: Path) -> NewItem:
    from segcore.images import open as open_image

    with open_image(file) as image:
        return NewItem(picture.name, [file], image.shape, group=picture.name, split="train")


def _truth(scene: scenes.Scene) -> tuple[NDArray[np.uint16], NDArray[np.uint32] | None]:
    kind = DEMO_CLASSES.by_name(scene.kind)
    ground = DEMO_CLASSES.by_name("background")
    assert kind is not None
    assert ground is not None
    classes = np.where(scene.objects > 0, kind.id, ground.id).astype(np.uint16)
    return classes, scene.objects if kind.thing else None


def _shipped(name: str) -> Path:
    import skimage

    return Path(skimage.__file__).parent / "data" / name


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    import cv2

    stored = pixels if pixels.ndim == 2 else pixels[..., ::-1]
    done, data = cv2.imencode(".png", stored)
    assert done  # an 8-bit picture always encodes
    path.write_bytes(data.tobytes())
