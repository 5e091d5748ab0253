"""A model's self-description: all that is needed to build it again and to trust it. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from segcore.base import BadFile, ClassSet
from segcore.base.dataclass import dataclass
from segcore.models.prepare import Preparation

SPEC_VERSION = 1
TENSORS = "model.safetensors"  # the files of a model's folder
DESCRIPTION = "model.json"
DECODER_VERSION = 1  # of segcore.images: raised when decoded values change


@dataclass(frozen=True)
class ModelSpec:
    """What a model is, what it takes and gives, and what it was made from.

    Parameters
    ----------
    architecture : the name in the registry.
    encoder : the encoder's name; "" for a family without one.
    options : the family's options, each with the value that was used.
    classes : the model's classes; output channel k is the k-th of ``classes.scored``.
    channels : of the input picture.
    preparation : how values become input; training and prediction share it.
    tile, overlap : pixels; a picture larger than a tile is predicted in overlapping tiles.
    tasks : such as ("semantic",).
    depth : neighbouring slices that the model sees at once; 1 for pictures.
    spacing : mm (y, x) that the model was trained at, or None.
    licence, attribution : of the weights.
    data : what it was trained on: {"items": [{"name", "digest"}], ...}.
    scores : such as {"held_out": {"mean_iou": 0.8, ...}}.
    seeds : of the training runs, the first one first.
    command : how to make it again.
    weights : where the start came from: "random", "imagenet (...)", or a model's digest.
    frozen : uuids of classes that are kept from an earlier model and not trained.
    made : further provenance: versions, minutes, device.
    engines : what was seen of the engines that may compute it (`segcore.models.agreement`), by
        their names; nothing in models that were made before there was such a check.
    """

    architecture: str
    encoder: str
    classes: ClassSet
    channels: int = 3
    options: Mapping[str, Any] = field(default_factory=dict)
    preparation: Preparation = field(default_factory=Preparation)
    tile: int = 512
    overlap: int = 64
    tasks: tuple[str, ...] = ("semantic",)
    depth: int = 1
    spacing: tuple[float, float] | None = None
    licence: str = ""
    attribution: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    command: str = ""
    weights: str = "random"
    frozen: tuple[str, ...] = ()
    made: Mapping[str, Any] = field(default_factory=dict)
    engines: Mapping[str, Any] = field(default_factory=dict)
    decoder_version: int = DECODER_VERSION
    name: str = ""

    @property
    def outputs(self) -> int:
        """Number of output channels: the classes that are neither ignored nor retired."""
        return len(self.classes.scored)

    @property
    def digests(self) -> frozenset[str]:
        """Digests of the images this model or an ancestor was trained on."""
        return frozenset(row["digest"] for row in self.data.get("items", ()))

    def changed(self, **fields: Any) -> ModelSpec:
        return replace(self, **fields)

    def to_json(self) -> dict[str, Any]:
        """As a mapping of plain JSON values; `from_json` takes it back."""
        return {
            "format": "maskwright model",
            "version": SPEC_VERSION,
            "name": self.name,
            "architecture": self.architecture,
            "encoder": self.encoder,
            "options": dict(self.options),
            "classes": self.classes.to_rows(),
            "channels": self.channels,
            "preparation": self.preparation.to_json(),
            "tile": self.tile,
            "overlap": self.overlap,
            "tasks": list(self.tasks),
            "depth": self.depth,
            "spacing": list(self.spacing) if self.spacing else None,
            "licence": self.licence,
            "attribution": self.attribution,
            "data": dict(self.data),
            "scores": dict(self.scores),
            "seeds": list(self.seeds),
            "command": self.command,
            "weights": self.weights,
            "frozen": list(self.frozen),
            "made": dict(self.made),
            "engines": dict(self.engines),
            "decoder_version": self.decoder_version,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any], source: str = "the model") -> ModelSpec:
        """The spec that `to_json` wrote.

        Raises
        ------
        BadFile : not a model's description, or one of a newer program.
        """
        if not isinstance(row, Mapping) or row.get("format") != "maskwright model":
            raise BadFile(f"{source} does not describe a Maskwright model.", "Choose another file.")
        if int(row.get("version", 0)) > SPEC_VERSION:
            raise BadFile(
                f"{source} was written by a newer version of Maskwright.", "Update Maskwright."
            )
        try:
            return cls(
                architecture=row["architecture"],
                encoder=row["encoder"],
                classes=ClassSet.from_rows(row["classes"], source),
                channels=int(row["channels"]),
                options=dict(row["options"]),
                preparation=Preparation.from_json(row["preparation"]),
                tile=int(row["tile"]),
                overlap=int(row["overlap"]),
                tasks=tuple(row["tasks"]),
                depth=int(row["depth"]),
                spacing=tuple(row["spacing"]) if row["spacing"] else None,
                licence=row["licence"],
                attribution=row["attribution"],
                data=dict(row["data"]),
                scores=dict(row["scores"]),
                seeds=tuple(row["seeds"]),
                command=row["command"],
                weights=row["weights"],
                frozen=tuple(row["frozen"]),
                made=dict(row["made"]),
                engines=dict(row.get("engines", {})),  # older models lack it
                decoder_version=int(row["decoder_version"]),
                name=row["name"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadFile(
                f"{source} lacks or garbles a part of the model's description: {error}.",
                "Copy the model's folder again.",
            ) from error

    def write(self, path: Path) -> None:
        path.write_text(
            json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )

    def replace_in(self, folder: Path) -> None:
        """Describe the model in a folder anew; the file changes whole or not at all."""
        draft = folder / (DESCRIPTION + ".part")
        self.write(draft)
        draft.replace(folder / DESCRIPTION)

    @classmethod
    def read(cls, path: Path) -> ModelSpec:
        """The spec in a ``model.json``, or in the folder that holds one."""
        if path.is_dir():
            path = path / "model.json"
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadFile(
                f"{path} cannot be read: {error.strerror or error}.",
                "Choose a folder with model.json and model.safetensors.",
            ) from error
        except ValueError as error:
            raise BadFile(f"{path} is not valid JSON: {error}.", "Copy the model again.") from error
        return cls.from_json(row, str(path))
