"""Checkpoints without pickle: tensors in safetensors, the rest in JSON; whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from segcore.base import BadFile
from segcore.base.dataclass import dataclass
from segcore.base.whole import write_whole, written_whole
from segcore.train.optimise import RunningMean

FOLDER = "checkpoint"
STATE = "state.json"


@dataclass
class Progress:
    """Where a run stands besides its tensors.

    The sampler needs no state but `step`: batch k comes from (seed, k), and the random numbers
    inside the network are seeded from (seed, k) before every step.
    """

    step: int = 0
    seconds: float = 0.0
    parts: int = 1
    loss: float = float("nan")


def save_checkpoint(
    run_dir: Path,
    progress: Progress,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    mean: RunningMean,
) -> None:
    """Write a checkpoint and then drop the one before; a kill in between loses neither."""
    folder = run_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {}
    for key, value in model.state_dict().items():
        tensors[f"model/{key}"] = value
    for key, value in mean.state.items():
        tensors[f"mean/{key}"] = value
    numbers: dict[str, Any] = {}
    state = optimiser.state_dict()
    for index, entries in state["state"].items():
        for key, value in entries.items():
            if isinstance(value, Tensor):
                tensors[f"optimiser/{index}/{key}"] = value
            elif value is not None:
                numbers[f"{index}/{key}"] = value
    name = f"tensors-{progress.step:07d}.safetensors"
    with written_whole(folder / name) as draft:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, draft)
    row = {
        "tensors": name,
        "step": progress.step,
        "seconds": progress.seconds,
        "parts": progress.parts,
        "loss": progress.loss if progress.loss == progress.loss else None,
        "mean_count": mean.count,
        "groups": [
            {k: v for k, v in group.items() if isinstance(v, int | float | bool)}
            for group in state["param_groups"]
        ],
        "numbers": numbers,
    }
    write_whole(folder / STATE, json.dumps(row, indent=1))
    for old in folder.glob("tensors-*"):
        if old.name != name:
            old.unlink(missing_ok=True)


def load_checkpoint(
    run_dir: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    mean: RunningMean,
) -> Progress | None:
    """Bring model, optimiser and running mean to the last checkpoint; None where there is none.

    Raises
    ------
    BadFile : the checkpoint is damaged or belongs to another model.
    """
    folder = run_dir / FOLDER
    if not (folder / STATE).is_file():
        return None
    try:
        row = json.loads((folder / STATE).read_text(encoding="utf-8"))
        tensors = load_file(folder / row["tensors"])
        model.load_state_dict(_under("model/", tensors))
        if mean.decay:
            for key, value in _under("mean/", tensors).items():
                mean.state[key].copy_(value)
            mean.count = row["mean_count"]
        entries: dict[int, dict[str, Any]] = {}
        for key, value in _under("optimiser/", tensors).items():
            index, name = key.split("/")
            entries.setdefault(int(index), {})[name] = value
        for key, value in row["numbers"].items():
            index, name = key.split("/")
            entries.setdefault(int(index), {})[name] = value
        fresh = optimiser.state_dict()
        for group, saved in zip(fresh["param_groups"], row["groups"], strict=True):
            group.update(saved)
        optimiser.load_state_dict({"state": entries, "param_groups": fresh["param_groups"]})
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise BadFile(
            f"The checkpoint in {folder} cannot be used: {error}.", "Start the run again."
        ) from error
    loss = row["loss"]
    return Progress(
        row["step"], row["seconds"], row["parts"], float("nan") if loss is None else loss
    )


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
