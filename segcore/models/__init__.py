"""Models behind one registry, one self-description, one kind of output.

Importing this package loads no torch; the names below are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segcore.models.building import build, build_from_spec
    from segcore.models.heads import HeadPlan, for_project, plan_head
    from segcore.models.output import Detections, SegOutput, Targets
    from segcore.models.pairing import pair
    from segcore.models.prepare import Preparation, Statistics, statistics
    from segcore.models.registry import (
        Architecture,
        Option,
        architecture,
        architectures,
        make_spec,
        register,
    )
    from segcore.models.segmodel import SegModel
    from segcore.models.spec import ModelSpec
    from segcore.models.weights import find_models, load_model, model_digest, save_model

_HOMES = {
    "building": ("build", "build_from_spec"),
    "heads": ("HeadPlan", "for_project", "plan_head"),
    "output": ("Detections", "SegOutput", "Targets"),
    "pairing": ("pair",),
    "registry": (
        "Architecture",
        "Option",
        "architecture",
        "architectures",
        "make_spec",
        "register",
    ),
    "segmodel": ("SegModel",),
    "spec": ("ModelSpec",),
    "weights": ("find_models", "load_model", "model_digest", "save_model"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_HOME_OF |= dict.fromkeys(("Preparation", "Statistics", "statistics"), "prepare")

__all__ = [
    "Architecture",
    "Detections",
    "HeadPlan",
    "ModelSpec",
    "Option",
    "Preparation",
    "SegModel",
    "SegOutput",
    "Statistics",
    "Targets",
    "architecture",
    "architectures",
    "build",
    "build_from_spec",
    "find_models",
    "for_project",
    "load_model",
    "make_spec",
    "model_digest",
    "pair",
    "plan_head",
    "register",
    "save_model",
    "statistics",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
