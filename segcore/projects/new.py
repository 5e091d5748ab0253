"""Make a project from folders of images and masks.

`create_project` is what ``maskwright new`` and the window's dialog call. It makes the whole project
or none: where a file is refused the unfinished folder is taken away again.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path

from segcore.base import CLASS_PRESETS, BadFile, ClassSet, MaskwrightError, SegClass
from segcore.base.dataclass import dataclass
from segcore.formats import classes_of, read_mask
from segcore.formats.coco_reading import read_coco
from segcore.formats.mapping import TooManyValues
from segcore.images import open as open_image
from segcore.projects.coco import CocoMatch, CocoRole, import_coco, match_coco
from segcore.projects.masks import class_named, find_classes, object_classes
from segcore.projects.matching import Matched, images_in, masks_in, match
from segcore.projects.splits import HoldOut, groups_of, held_out
from segcore.projects.stage import Stage, silent
from segcore.store import Item, NewItem, Project
from segcore.store.records import Role

SUFFIX = ".maskwright"
# Values found in masks: more are likely to number single objects.
CLASSES_AT_MOST = 32
_NAMED_AT_MOST = 12


@dataclass(frozen=True)
class NewProject:
    """What a project is made of.

    Parameters
    ----------
    path : the folder to make, ending in .maskwright.
    images : folder of pictures, NIfTI volumes or DICOM series.
    truth : folder of masks that scores are measured against.
    predictions : folder of another model's masks; adopted as label where nothing else is.
    labels : folder of a person's masks.
    classes : None takes the values that are found in the masks; 255 is ignored.
    instances : name of the class whose objects the numbers in the masks are.
    group_by : regular expression on names, see `groups_of`.
    hold_out : which items no run trains on.
    as_stack : open DICOM series that are no even volume slice by slice, without distances; else
        they are left out.
    coco : COCO file of instances or of panoptic segments; its categories are the classes.
    coco_as : what its annotations become.
    """

    path: Path
    images: Path
    truth: Path | None = None
    predictions: Path | None = None
    labels: Path | None = None
    classes: ClassSet | None = None
    instances: str | None = None
    group_by: str | None = None
    hold_out: HoldOut = field(default_factory=HoldOut)
    as_stack: bool = False
    coco: Path | None = None
    coco_as: CocoRole = "labels"


@dataclass(frozen=True)
class Made:
    """What came of it.

    Parameters
    ----------
    path : the project.
    items, held_out, groups : how many.
    classes : of the project.
    perhaps_objects : so many numbers became classes that they may be those of single objects.
    matched : for each kind of masks ("truth", ...) what found no partner.
    refused : images that could not be opened, with the reason; they are left out.
    hints : sentences about what was assumed or noticed.
    """

    path: Path
    items: int
    held_out: int
    groups: int
    classes: ClassSet
    perhaps_objects: bool
    matched: dict[str, Matched]
    refused: tuple[tuple[str, MaskwrightError], ...]
    hints: tuple[str, ...]


@dataclass(frozen=True)
class _Kind:
    """One kind of mask folder: what it is called, and what its masks become."""

    name: str
    role: Role


# Labels before predictions: a prediction is adopted only where no person has set a pixel.
_KINDS = (
    _Kind("truth", "truth"),
    _Kind("labels", "label"),
    _Kind("predictions", "prediction"),
)


def create_project(plan: NewProject, stage: Stage = silent) -> Made:
    """Make a project.

    Parameters
    ----------
    plan : what it is made of.
    stage : told what is being done, how much of it is done, and of how much.

    Raises
    ------
    BadFile : the folder exists already, a folder holds nothing, or a file is damaged.
    SizeMismatch, UnknownValue : a mask does not fit its image or the classes.
    BadSplit : the groups or the held-out items make no sense.
    """
    path = _require_free(plan.path)
    images = images_in(plan.images)
    folders = {kind.name: getattr(plan, kind.name) for kind in _KINDS}
    matched = {
        name: match(list(images), masks_in(folder, name))
        for name, folder in folders.items()
        if folder is not None
    }
    for name, found in matched.items():
        if not found.pairs:
            raise BadFile(
                f"No file in {folders[name]} has the name of an image in {plan.images}.",
                "Images and masks belong together by their names without the ending.",
            )
    coco = _coco(plan, images)
    if coco is not None:
        plan = replace(plan, classes=coco.file.classes)
        matched["annotations"] = coco.matched
    classes, instances, perhaps_objects, hints = _classes(plan, matched, stage)
    opened, refused, image_hints = _open_all(images, plan.as_stack, stage)
    groups = groups_of(list(opened), plan.group_by)
    kept_back = held_out(groups, plan.hold_out)
    items = [
        replace(item, group=groups[name], split="held_out" if name in kept_back else "train")
        for name, item in opened.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with Project.create(path, classes) as project:
            made = dict(zip(opened, project.add_items(items), strict=True))
            for kind in _KINDS:
                if kind.name in matched:
                    masks = matched[kind.name].pairs
                    pairs = {made[stem]: masks[stem] for stem in made if stem in masks}
                    hints += _import(project, kind, pairs, instances, stage)
            if coco is not None:
                hints += coco.hints
                hints += import_coco(project, coco, made, plan.coco_as, stage)
    except BaseException:
        # Nobody has seen this folder yet; half a project would only be in the way.
        shutil.rmtree(path, ignore_errors=True)
        raise
    return Made(
        path=path,
        items=len(items),
        held_out=len(kept_back),
        groups=len(set(groups.values())),
        classes=classes,
        perhaps_objects=perhaps_objects,
        matched=matched,
        refused=tuple(refused),
        hints=(*hints, *image_hints),
    )


def _coco(plan: NewProject, images: Mapping[str, Path]) -> CocoMatch | None:
    if plan.coco is None:
        return None
    if plan.classes is not None:
        raise BadFile("A COCO file has its own classes.", "Leave the classes out.")
    if getattr(plan, plan.coco_as) is not None:
        raise BadFile(
            f"{plan.coco_as.capitalize()} are given twice, as a folder and as a COCO file.",
            "Leave one of them out.",
        )
    return match_coco(read_coco(plan.coco), images, plan.images)


def _require_free(path: Path) -> Path:
    if path.suffix.lower() != SUFFIX:
        path = path.with_name(path.name + SUFFIX)
    if path.exists():
        raise BadFile(f"{path} exists already.", "Choose another name, or open that project.")
    return path


def _classes(
    plan: NewProject, matched: Mapping[str, Matched], stage: Stage
) -> tuple[ClassSet, SegClass | None, bool, list[str]]:
    """The project's classes, the class whose objects the masks number, `Made.perhaps_objects`,
    and sentences."""
    if plan.instances is not None:
        classes = plan.classes or object_classes(plan.instances)
        return classes, class_named(classes, plan.instances), False, []
    if plan.classes is not None:
        return plan.classes, None, False, []
    masks = [path for found in matched.values() for path in found.pairs.values()]
    if not masks:
        return (
            CLASS_PRESETS["binary"],
            None,
            False,
            ["No classes were named and there are no masks: they are background and foreground."],
        )
    found, notes = find_classes(masks, stage)
    named = [f"{c.value} {c.name}" for c in found]
    if len(found) <= CLASSES_AT_MOST:
        return found, None, False, [*notes, f"Classes: {', '.join(named)}."]
    more = f"{', '.join(named[:_NAMED_AT_MOST])} and {len(found) - _NAMED_AT_MOST:,} more"
    # Colours are no numbers, and an export of ours says itself what its numbers are.
    perhaps = classes_of(masks[0]) is None and not any(c.file_colours for c in found)
    return found, None, perhaps, [*notes, f"Classes: {more}."]


def _open_all(
    images: Mapping[str, Path], as_stack: bool, stage: Stage
) -> tuple[dict[str, NewItem], list[tuple[str, MaskwrightError]], list[str]]:
    """What the store is to know of each image, what cannot be opened, and hints about the rest.

    Raises
    ------
    BadFile : not one of them can be opened.
    """
    opened: dict[str, NewItem] = {}
    refused: list[tuple[str, MaskwrightError]] = []
    hints: list[str] = []
    for number, (name, path) in enumerate(images.items(), 1):
        try:
            opened[name], said = _look_at(name, path, as_stack)
            hints += [f"{path.name}: {hint}" for hint in said]
        except MaskwrightError as error:
            refused.append((name, error))
        stage("Looking at images", number, len(images))
    if not opened:
        raise refused[0][1]
    return opened, refused, hints


def _look_at(name: str, path: Path, as_stack: bool) -> tuple[NewItem, tuple[str, ...]]:
    """One image as the store is to know it, and what it says of itself."""
    uneven = False
    try:
        image = open_image(path)
    except BadFile as error:
        # As a stack an even volume would lose its distances: only where it must be.
        if not as_stack or not is_uneven(error):
            raise
        image, uneven = open_image(path, as_stack=True), True
    with image:
        item = NewItem(name, [path], image.shape, image.spacing, image.affine, as_stack=uneven)
        return item, image.hints


def is_uneven(error: Exception) -> bool:
    """Whether this says that a series is no even volume, which `NewProject.as_stack` opens."""
    from segcore.images import UnevenVolume

    return isinstance(error, UnevenVolume)


def are_objects(error: Exception) -> bool:
    """Whether this says that masks hold numbers of objects, which `NewProject.instances` reads."""
    return isinstance(error, TooManyValues)


def _import(
    project: Project,
    kind: _Kind,
    pairs: Mapping[Item, Path],
    instances: SegClass | None,
    stage: Stage,
) -> list[str]:
    """Read the masks of one folder into layers; sentences about what was noticed."""
    origin = project.source("imported")
    group = str(uuid.uuid4())
    notes: list[str] = []
    for number, (item, path) in enumerate(pairs.items(), 1):
        mask = read_mask(
            path,
            project.classes,
            size=item.shape,
            affine=item.affine,
            instances_of=None if instances is None else instances.id,
            image=item.name,
        )
        assert mask.classes is not None  # given for classes, and classes were given
        if kind.role == "prediction":
            # Another model's word: its digest is unknown, and it weighs nothing in training
            # until a person accepts it.
            layer = project.store_prediction(
                item, path.parent.name, "", mask.classes, instances=mask.instances
            )
            project.adopt(item, layer)
        else:
            project.import_layer(
                item, kind.role, mask.classes, mask.instances, origin=origin, group=group
            )
        notes += mask.notes
        stage(f"Reading {kind.name}", number, len(pairs))
    return notes
