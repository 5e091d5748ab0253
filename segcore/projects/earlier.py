"""What a model learned from before, found again: so that training further does not forget it.

The run that made a model lies beside it (``models/NAME`` and ``runs/NAME`` of one project) and
holds its frozen targets; the pictures are named there by path. No torch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, ClassSet, digest_bytes
from segcore.infer.mapping import map_classes
from segcore.train import TrainItem, read_frozen
from segcore.train.frozen import FrozenData, FrozenItem

MOST = 500  # earlier pictures that are mixed in; more would only make the run's folder large


def earlier_items(
    model: Path, classes: ClassSet, without: Collection[str] = ()
) -> Iterator[TrainItem]:
    """Pictures that the model learned from, with targets in other classes.

    Parameters
    ----------
    model : its folder.
    classes : that the targets are brought to; a class that is not among them teaches nothing.
    without : digests of pictures that must not come back, such as held-out ones.
    """
    data = _frozen(model)
    if data is None:
        return
    table = map_classes(data.classes, classes).table
    there = [item for item in _still_there(data) if item.digest not in without]
    # Chosen by digest: the same ones whenever this model is trained further.
    for item in sorted(there, key=_order)[:MOST]:
        target = table[item.read_target()]
        if target.any():
            yield TrainItem(
                name=item.name,
                sources=item.sources,
                target=target,
                z=item.z,
                group=item.group,
                role="replay",
                weight=item.weight,
                digests=item.digests,
                as_stack=item.as_stack,
                instances=item.read_instances(),
                percent=_percent(item),
                further=tuple((table[ids], numbers) for ids, numbers in item.read_further()),
            )


def earlier_count(model: Path, without: Collection[tuple[Path, ...]] = ()) -> int | None:
    """How many pictures `earlier_items` finds at most, without reading one.

    Parameters
    ----------
    without : files of items that are learned from anew, or held out.

    Returns
    -------
    None where what the model learned from is not to be found.
    """
    data = _frozen(model)
    if data is None:
        return None
    return min(MOST, sum(item.sources not in without for item in _still_there(data)))


def _still_there(data: FrozenData) -> list[FrozenItem]:
    items = data.of("train", "replay")
    return [item for item in items if all(path.exists() for path in item.sources)]


def _percent(item: FrozenItem) -> NDArray[np.uint8] | None:
    found = item.read_percent()
    return None if found is None else found.astype(np.uint8)


def _order(item: FrozenItem) -> str:
    return digest_bytes(f"{item.digest} {item.z}".encode())


def _frozen(model: Path) -> FrozenData | None:
    """The data of the run that made a model, or None where it is not to be found."""
    run_dir = model.absolute().parent.parent / "runs" / model.name
    if not run_dir.is_dir():
        return None
    try:
        return read_frozen(run_dir)
    except BadFile:
        return None
