"""A model from its architecture's name or from its spec. Imports torch; the registry does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segcore.base import ClassSet
from segcore.models.encoders import encoder_preparation, load_encoder_weights
from segcore.models.prepare import Preparation
from segcore.models.registry import make_spec
from segcore.models.segmodel import SegModel
from segcore.models.spec import ModelSpec


def build(
    name: str,
    *,
    classes: ClassSet | Sequence[str] | int,
    channels: int = 3,
    encoder: str | None = None,
    weights: str | Path | None = None,
    preparation: Preparation | None = None,
    **options: Any,
) -> SegModel:
    """A new model.

    Parameters
    ----------
    name : of the architecture, such as ``unet`` or ``fpn``.
    classes : a ClassSet, a list of names, or a number of classes. Where objects are found, classes
        of which only the names or the number is known are things.
    channels : of the input picture.
    encoder : None is the family's default.
    weights : None starts from random numbers, offline. ``"imagenet"`` loads the encoder's
        ImageNet weights from an installed package or the hub; a path loads them from a file. Where
        there are none to be had the model starts from random numbers and says so, as a warning
        and in ``spec.weights``.
    preparation : intensity preparation; None is the encoder's usual mean and deviation.
    options : the family's, each with a default, kept in the spec.

    Raises
    ------
    MaskwrightError : unknown architecture, encoder or option; a weights file that does not fit.
    """
    spec = make_spec(
        name,
        classes=classes,
        channels=channels,
        encoder=encoder,
        preparation=preparation,
        **options,
    )
    if preparation is None:
        spec = spec.changed(preparation=encoder_preparation(spec.encoder, channels))
    model = SegModel(spec)
    if weights is not None:
        model.spec = spec.changed(weights=load_encoder_weights(model, weights))
    return model


def build_from_spec(spec: ModelSpec) -> SegModel:
    """The model that a spec describes, with random numbers."""
    return SegModel(spec)
