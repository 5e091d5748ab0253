"""Labels against truth: of a project, or of two folders of mask files.

All figures come from one pass, so a class that is rare in one image is not a score of its own
there: classes from one confusion matrix summed over the data set, objects from all of them.
What is unlabelled or ignored in truth is left out; what is unlabelled in the prediction is a miss.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, ClassSet, Rect, SegClass
from segcore.base.dataclass import dataclass
from segcore.formats import ReadMask, read_mask
from segcore.formats.manifest import note_on
from segcore.metrics import dice, iou, mean, pixel_accuracy, predicted_pixels, truth_pixels
from segcore.projects.masks import class_named, find_classes, object_classes
from segcore.projects.matching import masks_in, match
from segcore.projects.scoring import OBJECT_TASKS, Layer, ObjectScores, Scoring, Side, Task
from segcore.projects.stage import Stage, silent

if TYPE_CHECKING:
    from segcore.labels import Labels
    from segcore.store import Item, Project


@dataclass(frozen=True)
class Evaluation:
    """Scores of a data set.

    Parameters
    ----------
    classes : the scored classes, row by row of the matrix.
    matrix : (n, n + 1) int64, rows truth, last column unlabelled.
    items : how many items were compared.
    left_out : names of what could not be compared, for the messages.
    tasks : what was asked for, or found to be there.
    objects : scores of objects, where they are among the tasks.
    boundary_iou : (n,) float64, where it is among the tasks.
    without_labels : how many of the items have no labelled pixel: all of their truth is missed.
    """

    classes: tuple[SegClass, ...]
    matrix: NDArray[np.int64]
    items: int
    left_out: tuple[str, ...] = ()
    tasks: frozenset[Task] = frozenset({"semantic"})
    objects: ObjectScores | None = None
    boundary_iou: NDArray[np.float64] | None = None
    without_labels: int = 0

    @property
    def mean_iou(self) -> float:
        return mean(iou(self.matrix))[0]

    @property
    def mean_dice(self) -> float:
        return mean(dice(self.matrix))[0]

    @property
    def pixel_accuracy(self) -> float:
        return pixel_accuracy(self.matrix)

    @property
    def defined(self) -> int:
        """How many classes the means cover."""
        return mean(iou(self.matrix))[1]

    def to_json(self) -> dict[str, Any]:
        """The schema of ``maskwright evaluate --json``; undefined scores are NaN here."""
        content: dict[str, Any] = self._semantic() if "semantic" in self.tasks else {}
        content["items"] = self.items
        content["items_without_labels"] = self.without_labels
        if self.boundary_iou is not None:
            rows = zip(self.classes, self.boundary_iou.tolist(), strict=True)
            content["boundary"] = {
                "classes": [{"id": int(c.id), "name": c.name, "boundary_iou": b} for c, b in rows],
                "mean_boundary_iou": mean(self.boundary_iou)[0],
            }
        if self.objects is not None and "instances" in self.tasks:
            content["instances"] = self.objects.instances_json(self.classes)
        if self.objects is not None and "panoptic" in self.tasks:
            content["panoptic"] = self.objects.panoptic_json(self.classes)
        return content

    def _semantic(self) -> dict[str, Any]:
        columns = zip(
            self.classes,
            iou(self.matrix).tolist(),
            dice(self.matrix).tolist(),
            truth_pixels(self.matrix).tolist(),
            predicted_pixels(self.matrix).tolist(),
            strict=True,
        )
        return {
            "classes": [
                {
                    "id": int(c.id),
                    "name": c.name,
                    "iou": iou_of,
                    "dice": dice_of,
                    "truth_pixels": true,
                    "predicted_pixels": predicted,
                }
                for c, iou_of, dice_of, true, predicted in columns
            ],
            "mean_iou": self.mean_iou,
            "mean_dice": self.mean_dice,
            "pixel_accuracy": self.pixel_accuracy,
        }


def evaluate_project(
    project: Project,
    stage: Stage = silent,
    *,
    items: Sequence[Item] | None = None,
    tasks: Collection[Task] | None = None,
    max_detections: int | None = None,
) -> Evaluation:
    """The labels of every item that has truth, slice by slice.

    Parameters
    ----------
    items : of the project, those that count; None is all.
    tasks : None is the classes' scores, and those of objects where the truth has some.
    max_detections : objects of a class in an item that count for average precision, those with
        the best scores; None for all. COCO's own figure takes 100.

    Raises
    ------
    BadFile : no item has truth.
    """
    chosen = list(project.items) if items is None else items
    wanted = _tasks(tasks, any(_has_objects(item.truth) for item in chosen))
    scoring = Scoring(project.classes, wanted, max_detections)
    without_labels = 0
    for number, item in enumerate(chosen, 1):
        sides = sides_of(item)
        if sides is not None:
            scoring.add(item.shape, *sides)
            without_labels += not _is_labelled(item)
        stage("Comparing", number, len(chosen))
    if not scoring.items:
        raise BadFile(
            f"No {'item' if items is None else 'chosen item'} of {project.path.name} has truth "
            "to compare with.",
            "Make the project with: maskwright new ... --truth DIR",
        )
    return _evaluation(scoring, wanted, without_labels=without_labels)


def _is_labelled(item: Item) -> bool:
    layers = (item.labels, *item.further_labels)
    return any(count for x in layers for class_id, count in x.counts().items() if class_id)


def sides_of(item: Item) -> tuple[Side, Side] | None:
    """Truth and label of an item, to be compared; None if it has no truth."""
    truth, labels = item.truth, item.labels
    if truth is None:
        return None
    crowd = [n for n, row in item.truth_instances.items() if row.attributes.get("iscrowd")]
    scores = {n: row.score for n, row in item.instances.items() if row.score is not None}
    return (
        Side(_reader(truth, item.further_truth), crowd=crowd),
        Side(_reader(labels, item.further_labels), scores),
    )


def _has_objects(labels: Labels | None) -> bool:
    return labels is not None and labels.has_plane("instance")


def _reader(first: Labels, further: Sequence[Labels]) -> Callable[[int, int, int], list[Layer]]:
    def read(z: int, top: int, bottom: int) -> list[Layer]:
        rect = Rect(top, 0, bottom - top, first.shape.x)
        return [
            (x.read(rect, z), x.read(rect, z, "instance") if _has_objects(x) else None)
            for x in (first, *further)
        ]

    return read


def evaluate_folders(
    prediction: Path,
    truth: Path,
    classes: ClassSet | None = None,
    stage: Stage = silent,
    *,
    tasks: Collection[Task] | None = None,
    instances: str | None = None,
    max_detections: int | None = None,
) -> Evaluation:
    """Two folders of mask files, matched by stem.

    Parameters
    ----------
    classes : None takes the values that are found in both folders; 255 is ignored.
    tasks, max_detections : as for `evaluate_project`.
    instances : name of the class whose objects the numbers in the masks are. Masks of our own
        exports bring their objects along without it.

    Raises
    ------
    BadFile : nothing in one folder belongs to anything in the other, or a file is damaged.
    SizeMismatch : two masks of one name have different sizes.
    UnknownValue : a mask holds a value that no class has.
    NoSuchClass : `instances` names none.
    """
    truths, predictions = masks_in(truth, "truth"), masks_in(prediction, "prediction")
    matched = match(list(truths), predictions)
    if not matched.pairs:
        raise BadFile(
            f"No file in {prediction} has the name of one in {truth}.",
            "Masks belong together by their names without the ending.",
        )
    objects_of: int | None = None
    if instances is not None:
        classes = classes or object_classes(instances)
        objects_of = class_named(classes, instances).id
    elif classes is None:
        pairs = [p for stem, path in matched.pairs.items() for p in (truths[stem], path)]
        classes, _ = find_classes(pairs, stage)
    numbered = instances is not None or any(_brings_objects(truths[s]) for s in matched.pairs)
    wanted = _tasks(tasks, numbered)
    scoring = Scoring(classes, wanted, max_detections)
    for number, (stem, path) in enumerate(matched.pairs.items(), 1):
        true = read_mask(truths[stem], classes, instances_of=objects_of)
        predicted = read_mask(
            path,
            classes,
            size=true.shape,
            affine=true.affine,
            instances_of=objects_of,
            image=f"the truth of {stem}",
        )
        scoring.add(true.shape, _side(true), _side(predicted))
        stage("Comparing", number, len(matched.pairs))
    left_out = (
        *(f"{stem} (no prediction)" for stem in matched.without_file),
        *(f"{path.name} (no truth)" for path in matched.without_image),
    )
    return _evaluation(scoring, wanted, left_out)


def _tasks(asked: Collection[Task] | None, objects: bool) -> frozenset[Task]:
    if asked is not None:
        return frozenset(asked)
    always: frozenset[Task] = frozenset({"semantic"})
    return always | OBJECT_TASKS if objects else always


def _evaluation(
    scoring: Scoring,
    tasks: frozenset[Task],
    left_out: tuple[str, ...] = (),
    *,
    without_labels: int = 0,
) -> Evaluation:
    return Evaluation(
        scoring.classes,
        scoring.confusion.matrix,
        scoring.items,
        left_out,
        tasks,
        scoring.objects(),
        scoring.boundary.iou() if "boundary" in tasks else None,
        without_labels,
    )


def _brings_objects(path: Path) -> bool:
    note = note_on(path)
    return note is not None and note.objects is not None


def _side(mask: ReadMask) -> Side:
    assert mask.classes is not None  # they are given for classes, and classes were given
    ids = mask.classes.reshape(mask.shape)
    numbers = None if mask.instances is None else mask.instances.reshape(mask.shape)

    def read(z: int, top: int, bottom: int) -> list[Layer]:
        return [(ids[z, top:bottom], None if numbers is None else numbers[z, top:bottom])]

    return Side(read)
