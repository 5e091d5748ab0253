"""Scores of labels against truth. Knows numbers only: no files, no labels, no classes' names."""

from segcore.metrics.boundary import BoundaryAccumulator
from segcore.metrics.confusion import ConfusionAccumulator, confusion_matrix
from segcore.metrics.jaccard import aggregated_jaccard
from segcore.metrics.overlaps import (
    OverlapCounter,
    Overlaps,
    count_overlaps,
    layers_of_masks,
    segment_keys,
)
from segcore.metrics.panoptic import PanopticAccumulator, PanopticQuality
from segcore.metrics.precision import AveragePrecision, PrecisionAccumulator
from segcore.metrics.scores import (
    dice,
    iou,
    mean,
    pixel_accuracy,
    predicted_pixels,
    truth_pixels,
)

__all__ = [
    "AveragePrecision",
    "BoundaryAccumulator",
    "ConfusionAccumulator",
    "OverlapCounter",
    "Overlaps",
    "PanopticAccumulator",
    "PanopticQuality",
    "PrecisionAccumulator",
    "aggregated_jaccard",
    "confusion_matrix",
    "count_overlaps",
    "dice",
    "iou",
    "layers_of_masks",
    "mean",
    "pixel_accuracy",
    "predicted_pixels",
    "segment_keys",
    "truth_pixels",
]
