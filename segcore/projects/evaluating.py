"""Labels against truth: of a project, or of two folders of mask files.

All figures come from one confusion matrix summed over the data set, so a class that is rare in one
image is not a score of its own there. What is unlabelled or ignored in truth is left out; what is
unlabelled in the prediction is a miss.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, ClassSet, SegClass
from segcore.formats import ReadMask, read_mask
from segcore.metrics import (
    ConfusionAccumulator,
    dice,
    iou,
    mean,
    pixel_accuracy,
    predicted_pixels,
    truth_pixels,
)
from segcore.projects.masks import find_classes
from segcore.projects.matching import masks_in, match
from segcore.projects.stage import Stage, silent

if TYPE_CHECKING:
    from segcore.store import Project


@dataclass(frozen=True)
class Evaluation:
    """Scores of a data set.

    Parameters
    ----------
    classes : the scored classes, row by row of the matrix.
    matrix : (n, n + 1) int64, rows truth, last column unlabelled.
    items : how many items were compared.
    left_out : names of what could not be compared, for the messages.
    """

    classes: tuple[SegClass, ...]
    matrix: NDArray[np.int64]
    items: int
    left_out: tuple[str, ...] = ()

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
            "items": self.items,
        }


def evaluate_project(project: Project, stage: Stage = silent) -> Evaluation:
    """The labels of every item that has truth, slice by slice.

    Raises
    ------
    BadFile : no item has truth.
    """
    scored = project.classes.scored
    counts = ConfusionAccumulator([c.id for c in scored])
    compared = 0
    for number, item in enumerate(project.items, 1):
        truth = item.truth
        if truth is not None:
            labels = item.labels
            for z in range(item.shape.z):
                counts.add(truth.read(z=z), labels.read(z=z))
            compared += 1
        stage("Comparing", number, len(project.items))
    if not compared:
        raise BadFile(
            f"No item of {project.path.name} has truth to compare with.",
            "Make the project with: maskwright new ... --truth DIR",
        )
    return Evaluation(scored, counts.matrix, compared)


def evaluate_folders(
    prediction: Path,
    truth: Path,
    classes: ClassSet | None = None,
    stage: Stage = silent,
) -> Evaluation:
    """Two folders of mask files, matched by stem.

    Parameters
    ----------
    classes : None takes the values that are found in both folders; 255 is ignored.

    Raises
    ------
    BadFile : nothing in one folder belongs to anything in the other, or a file is damaged.
    SizeMismatch : two masks of one name have different sizes.
    UnknownValue : a mask holds a value that no class has.
    """
    truths, predictions = masks_in(truth, "truth"), masks_in(prediction, "prediction")
    matched = match(list(truths), predictions)
    if not matched.pairs:
        raise BadFile(
            f"No file in {prediction} has the name of one in {truth}.",
            "Masks belong together by their names without the ending.",
        )
    if classes is None:
        pairs = [p for stem, path in matched.pairs.items() for p in (truths[stem], path)]
        classes, _ = find_classes(pairs, stage)
    scored = classes.scored
    counts = ConfusionAccumulator([c.id for c in scored])
    for number, (stem, path) in enumerate(matched.pairs.items(), 1):
        true = read_mask(truths[stem], classes)
        predicted = read_mask(
            path, classes, size=true.shape, affine=true.affine, image=f"the truth of {stem}"
        )
        counts.add(_ids(true), _ids(predicted))
        stage("Comparing", number, len(matched.pairs))
    left_out = (
        *(f"{stem} (no prediction)" for stem in matched.without_file),
        *(f"{path.name} (no truth)" for path in matched.without_image),
    )
    return Evaluation(scored, counts.matrix, len(matched.pairs), left_out)


def _ids(mask: ReadMask) -> NDArray[np.uint16]:
    assert mask.classes is not None  # they are given for classes, and classes were given
    return mask.classes.reshape(mask.shape)
