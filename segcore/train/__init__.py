"""Training: a run is a folder. Importing this package loads no torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from segcore.train.recipe import Recipe, SettingRow, describe, parse_loss
from segcore.train.runs import (
    Run,
    find_runs,
    make_run,
    read_events,
    read_report,
    read_run,
    request_cancel,
    request_pause,
    state,
)

if TYPE_CHECKING:
    from segcore.train.frozen import FrozenData, FrozenItem, TrainItem, freeze, read_frozen
    from segcore.train.loop import train

_HOME_OF = {
    "FrozenData": "frozen",
    "FrozenItem": "frozen",
    "TrainItem": "frozen",
    "freeze": "frozen",
    "read_frozen": "frozen",
    "train": "loop",
}

__all__ = [
    "FrozenData",
    "FrozenItem",
    "Recipe",
    "Run",
    "SettingRow",
    "TrainItem",
    "describe",
    "find_runs",
    "freeze",
    "make_run",
    "parse_loss",
    "read_events",
    "read_frozen",
    "read_report",
    "read_run",
    "request_cancel",
    "request_pause",
    "state",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
