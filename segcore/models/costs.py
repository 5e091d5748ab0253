"""What predicting with a model costs on a device, and the file that remembers it. No torch.

Measuring takes seconds, so an answer is kept for as long as it holds: the same model, on the same
device, with the same versions of the libraries that compute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from segcore.base.dataclass import dataclass
from segcore.base.whole import write_whole

_COMPUTING = ("torch", "timm", "segmentation-models-pytorch", "torchvision", "openvino")


@dataclass(frozen=True)
class CostQuestion:
    """Which model is asked about.

    Parameters
    ----------
    folder : of a trained model; "" for one that is built new from what follows.
    architecture, encoder : of a new one, with the family's default options.
    classes, channels : how many it tells and takes.
    stamp : changes when the folder's numbers do, such as their digest.
    """

    folder: str = ""
    architecture: str = ""
    encoder: str = ""
    classes: int = 2
    channels: int = 3
    stamp: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def key(self) -> str:
        """A text that is equal for equal questions."""
        return json.dumps(self.to_json(), sort_keys=True)


@dataclass(frozen=True)
class ModelCost:
    """What a model needs to predict.

    Parameters
    ----------
    parameters : how many numbers are learned.
    memory : bytes that its numbers and its largest maps take at once, for one tile.
    seconds : per megapixel of picture, predicted in tiles.
    tile : side of that tile in pixels.
    device : what computed, as people read it.
    engine : what computed, one of `segcore.models.agreement.ENGINES`.
    weights : which first weights of the encoder are at hand, as a sentence; "" without an encoder.
    """

    parameters: int
    memory: int
    seconds: float
    tile: int
    device: str
    weights: str = ""
    engine: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> ModelCost:
        return cls(**row)


@cache
def versions() -> str:
    """The versions of the libraries that compute, which a measurement holds for."""
    found = []
    for name in _COMPUTING:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


class CostFile:
    """Measured costs on disk; a file that cannot be read or written is as good as none.

    Parameters
    ----------
    path : is made with the first answer.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def all_of(self, device: str) -> dict[str, ModelCost]:
        """What is known for a device and the present versions, by the question's key."""
        found = {}
        for key, row in self._read().get(_place(device), {}).items():
            try:
                found[key] = ModelCost.from_json(row)
            except TypeError:  # of another version of this program
                continue
        return found

    def get(self, device: str, question: CostQuestion) -> ModelCost | None:
        return self.all_of(device).get(question.key)

    def put(self, device: str, question: CostQuestion, cost: ModelCost) -> None:
        """Remember an answer; costs of other versions on this device are let go."""
        content = {
            place: rows
            for place, rows in self._read().items()
            if json.loads(place)["device"] != device or place == _place(device)
        }
        content.setdefault(_place(device), {})[question.key] = cost.to_json()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, json.dumps(content, indent=1))
        except OSError:
            return  # it is measured again next time

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            if all(isinstance(json.loads(place), dict) for place in content):
                return dict(content)
        except (OSError, ValueError, TypeError):
            pass
        return {}


def _place(device: str) -> str:
    return json.dumps({"device": device, "versions": versions()})
