"""Prediction. Importing this package loads no torch; names are fetched when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcore.infer.device import Device, choose_device
    from segcore.infer.mapping import ClassMapping, map_classes
    from segcore.infer.objects import connected_objects
    from segcore.infer.predictor import Prediction, Predictor

_HOME_OF = {
    "ClassMapping": "mapping",
    "map_classes": "mapping",
    "Device": "device",
    "choose_device": "device",
    "Prediction": "predictor",
    "Predictor": "predictor",
    "connected_objects": "objects",
}

__all__ = [
    "ClassMapping",
    "Device",
    "Prediction",
    "Predictor",
    "choose_device",
    "connected_objects",
    "map_classes",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
