"""A model's folder: ``model.safetensors`` with the numbers, ``model.json`` with the description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from segcore.base import BadFile, digest_file
from segcore.models.spec import DESCRIPTION, TENSORS, ModelSpec

if TYPE_CHECKING:
    from segcore.models.segmodel import SegModel


def save_model(model: SegModel, folder: Path, *, half: bool = False) -> str:
    """Write a model's folder; each file appears whole or not at all.

    Parameters
    ----------
    half : float16 on disk, half the size. The caller has seen that the score stays within 0.001.

    Returns
    -------
    The digest of the numbers (SHA-256 of ``model.safetensors``): the model's identity.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {}
    for key, value in model.state_dict().items():
        plain = value.detach().cpu().contiguous()
        state[key] = plain.to(torch.float16) if half and plain.is_floating_point() else plain
    draft = folder / (TENSORS + ".part")
    save_file(state, draft, metadata={"format": "maskwright model"})
    draft.replace(folder / TENSORS)
    model.spec.replace_in(folder)
    return model_digest(folder)


def model_digest(folder: Path) -> str:
    """SHA-256 of the numbers in a model's folder."""
    return digest_file(folder / TENSORS)


def load_model(folder: Path | str, device: str = "cpu") -> SegModel:
    """The model of a folder, in float32, ready to predict.

    Raises
    ------
    BadFile : a file is missing, damaged, or the numbers do not fit the description.
    """
    from segcore.models.building import build_from_spec
    from segcore.models.encoders import read_tensors

    folder = Path(folder)
    spec = ModelSpec.read(folder)
    state = read_tensors(folder / TENSORS)
    model = build_from_spec(spec)
    wanted = model.state_dict()
    wrong = sorted(set(wanted) ^ set(state)) or sorted(
        key for key in wanted if wanted[key].shape != state[key].shape
    )
    if wrong:
        raise BadFile(
            f"The weights in {folder} do not fit its model.json (first at {wrong[0]}).",
            "Copy the model's folder again.",
        )
    model.load_state_dict({key: state[key].to(wanted[key].dtype) for key in wanted})
    return model.to(device).eval()


def find_models(folders: list[Path]) -> dict[str, Path]:
    """Folders with a model directly below the given ones, by name; the first of a name wins."""
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            continue
        for child in sorted(folder.iterdir()):
            if (child / TENSORS).is_file() and (child / DESCRIPTION).is_file():
                found.setdefault(child.name, child)
    return found


def describe(folder: Path) -> dict[str, object]:
    """The description as it stands in the folder, with the size of the numbers in bytes."""
    row: dict[str, object] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    row["bytes"] = (folder / TENSORS).stat().st_size
    return row
