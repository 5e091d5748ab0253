"""Scores of labels against truth. Knows numbers only: no files, no labels, no classes' names."""

from segcore.metrics.confusion import ConfusionAccumulator, confusion_matrix
from segcore.metrics.scores import (
    dice,
    iou,
    mean,
    pixel_accuracy,
    predicted_pixels,
    truth_pixels,
)

__all__ = [
    "ConfusionAccumulator",
    "confusion_matrix",
    "dice",
    "iou",
    "mean",
    "pixel_accuracy",
    "predicted_pixels",
    "truth_pixels",
]
