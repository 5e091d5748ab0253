"""How the shared tester builds any architecture: small for every day, as it comes for the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segcore.base import ClassSet
from segcore.models import SegModel, SegOutput, Targets, architectures, build

# Whatever is registered, those that tests register for themselves left out.
NAMES = sorted(name for name in architectures() if not name.startswith("test-"))
# An architecture that is another network on another base is tested as that, too.
_BASED: dict[str, tuple[str, dict[str, Any]]] = {
    "pointrend on mask_rcnn": ("pointrend", {"base": "mask_rcnn"})
}
CASES = [*NAMES, *_BASED]
_SMALL = ("tu-test_resnet", "tu-test_vit", "vgg11_bn")
_FEW: dict[str, Any] = {
    "pyramid_channels": 32,
    "box_features": 64,
    "proposals": 50,
    "sampled": 16,
    "detections": 5,
}
_LEAN: dict[str, dict[str, Any]] = {
    "mask_rcnn": _FEW,
    "panet": _FEW,
    "panoptic_fpn": _FEW,
    "pointrend on mask_rcnn": {"base_options": _FEW},
    "dpt": {"intermediate_channels": [8, 16, 24, 32], "fusion_channels": 32},
    "upernet": {"decoder_channels": 32},
    "unetplusplus": {"deep_supervision": True},
}


def named(case: str) -> tuple[str, dict[str, Any]]:
    """The architecture of a case, and the options that make it that."""
    return _BASED.get(case, (case, {}))


def small(case: str, **further: Any) -> SegModel:
    """A model of this case on the smallest encoder that it takes."""
    name, options = named(case)
    row = architectures()[name]
    encoder = next((e for e in _SMALL if row.encoder and row.refuses(e, options) is None), None)
    settings = {"classes": 3, "encoder": encoder} | options | _LEAN.get(case, {}) | further
    return build(name, **settings | {"classes": classes_for(case, settings["classes"])})


def finds_objects(case: str) -> bool:
    """Whether a case tells objects of one class apart."""
    name, options = named(case)
    return "instances" in architectures()[name].tasks_with(options)


def classes_for(case: str, classes: ClassSet | int) -> ClassSet | int:
    """The classes; for what finds objects all of them things, but for the sky."""
    if isinstance(classes, int) or not finds_objects(case):
        return classes
    return ClassSet(tuple(replace(c, thing=c.name != "sky") for c in classes.classes))


def while_training(model: SegModel, images: Tensor) -> SegOutput:
    """The output of a training step; a model with losses of its own is told of two objects."""
    if not model.own_losses:
        plain: SegOutput = model.train()(images)
        return plain
    semantic = torch.zeros(len(images), *images.shape[-2:], dtype=torch.int64)
    numbers = torch.zeros_like(semantic)
    for number, (rows, columns) in enumerate((np.s_[4:24, 8:36], np.s_[20:39, 41:59])):
        semantic[:, rows, columns] = 1 + number
        numbers[:, rows, columns] = 1 + number
    taught: SegOutput = model.train()(images, Targets(semantic, numbers))
    return taught


def one_number(output: SegOutput) -> Tensor:
    """A number that depends on all that a training step gives."""
    outputs = [output.logits, *output.aux.values(), *output.losses.values()]
    squares = [(v.float() ** 2).mean() for v in outputs if v.is_floating_point()]
    return torch.stack(squares).sum()
