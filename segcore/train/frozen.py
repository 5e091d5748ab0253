"""The frozen data of a run: what is trained on, copied so that nobody can change it meanwhile.

Images stay where they are and are known by path and digest; targets are copied as 16-bit PNG of
class ids, and beside them, for models that find objects, of the objects' numbers. A pixel that
must not be learned from (unlabelled, ignored, a model's own guess) is 0 in the copy: weight 0 and
"no target" are one thing to the loss, and the file stays readable. Where some pixels of a picture
count more than others, their weights lie beside them as 8-bit PNG of percent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, ClassSet, SizeMismatch, digest_file
from segcore.base.dataclass import dataclass
from segcore.base.whole import write_whole

Role = Literal["train", "replay", "held_out"]
DATA = "data"
ITEMS = "items.json"


@dataclass(frozen=True)
class TrainItem:
    """One picture (or one slice of a volume) with its target, on the way into a run.

    Parameters
    ----------
    name : what people call it; unique within the run together with `z`.
    sources : image files, one for each group of channels.
    target : (h, w) uint16 class ids of the run's classes; 0 is not learned from nor scored.
    z : slice of the image.
    group : patient, sequence or series; "" if unknown.
    role : ``train``; ``replay``: learned by an earlier run and mixed in; ``held_out``: scored only.
    weight : factor of the item's loss.
    further : classes and object numbers of further layers, for objects that overlap others; 0 where
        such a layer has none.
    percent : (h, w) uint8, 100 times the factor of each pixel's loss; None where all are 100.
    digests : SHA-256 of each source where it is known already.
    as_stack : a series that is no even volume is opened slice by slice.
    instances : (h, w) object numbers, 0 = none; None where nobody needs them.
    """

    name: str
    sources: tuple[Path, ...]
    target: NDArray[np.uint16]
    z: int = 0
    group: str = ""
    role: Role = "train"
    weight: float = 1.0
    digests: tuple[str, ...] = ()
    as_stack: bool = False
    instances: NDArray[Any] | None = None
    percent: NDArray[np.uint8] | None = None
    further: tuple[tuple[NDArray[np.uint16], NDArray[Any]], ...] = ()


@dataclass(frozen=True)
class FrozenItem:
    """One row of ``items.json``; paths are absolute."""

    name: str
    sources: tuple[Path, ...]
    digests: tuple[str, ...]
    target: Path
    size: tuple[int, int]
    z: int
    group: str
    role: Role
    weight: float
    counts: Mapping[int, int]
    as_stack: bool = False
    instances: Path | None = None
    percent: Path | None = None
    further: tuple[tuple[Path, Path], ...] = ()

    @property
    def digest(self) -> str:
        """One digest for all sources."""
        return self.digests[0] if len(self.digests) == 1 else "+".join(self.digests)

    def read_target(self) -> NDArray[np.uint16]:
        """(h, w) uint16 class ids.

        Raises
        ------
        BadFile : the copy is missing or damaged.
        """
        return self._plane(self.target)

    def read_instances(self) -> NDArray[np.uint16] | None:
        """(h, w) uint16 object numbers, 0 = none; None if there are none. Together with those of
        further layers they have no gaps, and no number is in two layers.

        Raises
        ------
        BadFile : the copy is missing or damaged.
        """
        return None if self.instances is None else self._plane(self.instances)

    def read_further(self) -> tuple[tuple[NDArray[np.uint16], NDArray[np.uint16]], ...]:
        """(h, w) class ids and object numbers of each further layer.

        Raises
        ------
        BadFile : a copy is missing or damaged.
        """
        return tuple((self._plane(ids), self._plane(numbers)) for ids, numbers in self.further)

    def read_percent(self) -> NDArray[np.uint16] | None:
        """(h, w) uint16, 100 times the factor of each pixel's loss; None where all are 100.

        Raises
        ------
        BadFile : the copy is missing or damaged.
        """
        return None if self.percent is None else self._plane(self.percent)

    def _plane(self, path: Path) -> NDArray[np.uint16]:
        values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if values is None or values.shape != self.size:
            raise BadFile(f"{path} is damaged.", "Make the run again.")
        return np.asarray(values, np.uint16)


@dataclass(frozen=True)
class FrozenData:
    """All items of a run and the classes their targets are in."""

    classes: ClassSet
    items: tuple[FrozenItem, ...]
    notes: Mapping[str, Any] = field(default_factory=dict)

    def of(self, *roles: Role) -> tuple[FrozenItem, ...]:
        return tuple(item for item in self.items if item.role in roles)


def freeze(
    items: Iterable[TrainItem],
    run_dir: Path,
    classes: ClassSet,
    *,
    notes: Mapping[str, Any] | None = None,
) -> FrozenData:
    """Copy the targets of `items` into a run's folder and list everything in ``items.json``.

    Parameters
    ----------
    items : consumed one by one, so a large data set needs no memory for all of it.
    classes : the classes of the targets; pixels of ignored and retired classes become 0.
    notes : further facts for the report, such as why items were held out.

    Raises
    ------
    SizeMismatch : a target is not on its image's grid.
    BadFile : an image cannot be opened, or there is not one item.
    """
    from segcore.images import open as open_image

    folder = run_dir / DATA
    (folder / "targets").mkdir(parents=True, exist_ok=True)
    known = np.zeros(65536, np.uint16)
    for c in classes.scored:
        known[c.id] = c.id
    rows: list[dict[str, Any]] = []
    for number, item in enumerate(items, start=1):
        with open_image(item.sources[0], as_stack=item.as_stack) as source:
            size = (source.shape.y, source.shape.x)
        further = [plane for pair in item.further for plane in pair]
        for plane in (item.target, item.instances, item.percent, *further):
            if plane is not None and plane.shape != size:
                raise SizeMismatch(
                    f"{item.name}: the image is {size[1]} x {size[0]} and its label "
                    f"{plane.shape[1]} x {plane.shape[0]}.",
                    "Label the image at its own size.",
                )
        target = known[item.target]
        counts = np.bincount(target.ravel(), minlength=1)
        name = f"targets/{number:06d}.png"
        _write_plane(folder / name, target, item)
        objects, pairs = None, []
        if item.instances is not None:
            first, *others = _renumbered(item)
            objects = f"targets/{number:06d}-objects.png"
            _write_plane(folder / objects, first, item)
            for layer, ((ids, _), numbers) in enumerate(zip(item.further, others, strict=True), 2):
                pair = [f"targets/{number:06d}-{layer}{end}.png" for end in ("", "-objects")]
                for path, plane in zip(pair, (known[ids], numbers), strict=True):
                    _write_plane(folder / path, plane, item)
                pairs.append(pair)
        percent = None
        if item.percent is not None:
            percent = f"targets/{number:06d}-percent.png"
            _write_plane(folder / percent, item.percent, item)
        rows.append(
            {
                "name": item.name,
                "sources": [Path(s).absolute().as_posix() for s in item.sources],
                "digests": list(item.digests) or [digest_file(Path(s)) for s in item.sources],
                "target": name,
                "instances": objects,
                "percent": percent,
                "further": pairs,
                "size": list(size),
                "z": item.z,
                "group": item.group,
                "role": item.role,
                "weight": item.weight,
                "as_stack": item.as_stack,
                "counts": {str(i): int(n) for i, n in enumerate(counts) if i and n},
            }
        )
    if not rows:
        raise BadFile("There is nothing to train on.", "Accept or correct some items first.")
    content = {"classes": classes.to_rows(), "items": rows, "notes": dict(notes or {})}
    write_whole(folder / ITEMS, json.dumps(content, indent=1, ensure_ascii=False))
    return read_frozen(run_dir)


def _renumbered(item: TrainItem) -> NDArray[np.uint16]:
    """An item's objects from 1 on, as 16 bits can hold them: (layers, h, w)."""
    assert item.instances is not None
    layers = np.stack([item.instances, *(numbers for _, numbers in item.further)])
    numbers, places = np.unique(layers, return_inverse=True)
    first = int(len(numbers) > 0 and numbers[0] != 0)
    if len(numbers) + first > 1 << 16:
        raise BadFile(
            f"{item.name} has {len(numbers)} objects, and a run takes 65535 in a picture.",
            "Cut the picture into parts.",
        )
    return (places.reshape(layers.shape) + first).astype(np.uint16)


def _write_plane(path: Path, plane: NDArray[Any], item: TrainItem) -> None:
    done, data = cv2.imencode(".png", plane, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise BadFile(f"The target of {item.name} cannot be written.", "Check the disk.")
    path.write_bytes(data.tobytes())


def read_frozen(run_dir: Path) -> FrozenData:
    """The frozen data of a run's folder.

    Raises
    ------
    BadFile : the folder holds none.
    """
    path = run_dir / DATA / ITEMS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(
            f"{run_dir} is no run: {DATA}/{ITEMS} cannot be read.", "Name a folder of a run."
        ) from error
    except ValueError as error:
        raise BadFile(f"{path} is not valid JSON: {error}.", "Make the run again.") from error
    items = tuple(
        FrozenItem(
            name=row["name"],
            sources=tuple(Path(s) for s in row["sources"]),
            digests=tuple(row["digests"]),
            target=run_dir / DATA / row["target"],
            size=(row["size"][0], row["size"][1]),
            z=row["z"],
            group=row["group"],
            role=row["role"],
            weight=row["weight"],
            counts={int(i): n for i, n in row["counts"].items()},
            as_stack=row.get("as_stack", False),
            instances=run_dir / DATA / row["instances"] if row.get("instances") else None,
            percent=run_dir / DATA / row["percent"] if row.get("percent") else None,
            further=tuple(
                (run_dir / DATA / ids, run_dir / DATA / numbers)
                for ids, numbers in row.get("further", ())
            ),
        )
        for row in content["items"]
    )
    return FrozenData(ClassSet.from_rows(content["classes"], str(path)), items, content["notes"])
