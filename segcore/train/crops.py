"""Crops as the network will see them, made by the very code that training uses.

Nothing is learned and no model is built: what a batch holds depends on the frozen data and the
recipe only, and on how the model wants intensities prepared.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segcore.base.dataclass import dataclass
from segcore.images import to_display
from segcore.models.prepare import Preparation
from segcore.train import runs
from segcore.train.data import Batches, PictureCache, channel_table
from segcore.train.frozen import FrozenItem, read_frozen
from segcore.train.losses import IGNORE
from segcore.train.preflight import SAMPLE_CROP
from segcore.train.recipe import Recipe
from segcore.train.seen import seen_by_model

_CACHE_BYTES = 256 << 20
# What "mean-std" is shown from and to, in deviations: nearly all of a usual picture.
_SPREAD = 2.5


@dataclass(frozen=True, eq=False)
class Crops:
    """Some crops of one batch, or of several that follow each other.

    Parameters
    ----------
    images : (n, h, w, 3) uint8, red, green, blue: what the network sees, scaled for the eye.
    classes : (n, h, w) uint16 class ids; 0 is not learned from.
    objects : (n, h, w) int32 numbers of objects, 0 = none; None where the run knows none.
    names : of the items that they are from; earlier : whether an item was learned before and is
        mixed in.
    """

    images: NDArray[np.uint8]
    classes: NDArray[np.uint16]
    objects: NDArray[np.int32] | None
    names: tuple[str, ...]
    earlier: tuple[bool, ...]


class CropMaker:
    """Makes crops of one run's frozen data; decoded pictures are kept between calls.

    Raises
    ------
    BadFile : the folder is no run, or the run has nothing to train on.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._data = read_frozen(run_dir)
        self._cache: tuple[tuple[Preparation, int], PictureCache] | None = None

    def make(self, recipe: Recipe, first: int = 0, count: int = 8) -> Crops:
        """Crops of batch `first`; where it has fewer than `count`, also of those after it.

        Of a larger batch they are taken evenly, so that earlier items are among them.

        Raises
        ------
        MaskwrightError : as training would, for a setting or a picture that cannot be used.
        """
        data = self._data
        seen = preparation, channels = seen_by_model(self.run_dir, recipe, data)
        if SAMPLE_CROP in data.notes:
            height, width = data.notes[SAMPLE_CROP]
            recipe = recipe.changed(
                crop_height=recipe.crop_height or height, crop_width=recipe.crop_width or width
            )
        table = channel_table(data.classes)
        batches = Batches(
            data.of("train"),
            data.of("replay"),
            recipe,
            preparation,
            channels,
            table,
            _CACHE_BYTES,
            rare=recipe.rare_share((self.run_dir / runs.BASE).is_dir()),
        )
        if self._cache is not None and self._cache[0] == seen:
            batches.cache = self._cache[1]
        self._cache = seen, batches.cache
        each = min(count, recipe.batch)
        places = [k * recipe.batch // each for k in range(each)]
        images, targets, objects = [], [], []
        items: list[FrozenItem] = []
        for number in range(first, first + -(-count // each)):
            batch, chosen = batches.make(number), batches.choose(number)
            items += [chosen[k] for k in places]
            images.append(batch.images.numpy()[places])
            targets.append(batch.target.numpy()[places])
            if batch.instances is not None:
                objects.append(batch.instances.numpy()[places].astype(np.int32))
        ids = np.array([int(c.id) for c in data.classes.scored], np.uint16)
        target = np.concatenate(targets)[:count]
        told = target != IGNORE
        return Crops(
            images=for_the_eye(np.concatenate(images)[:count], preparation),
            classes=np.where(told, ids[np.where(told, target, 0)], 0).astype(np.uint16),
            objects=np.concatenate(objects)[:count] if objects else None,
            names=tuple(item.name for item in items[:count]),
            earlier=tuple(item.role == "replay" for item in items[:count]),
        )


def for_the_eye(values: NDArray[np.float32], preparation: Preparation) -> NDArray[np.uint8]:
    """Prepared pictures (n, c, h, w) as (n, h, w, 3) uint8, all through one window.

    So a brighter crop is seen to be brighter. Channels are shown as the canvas shows them.
    """
    pictures = values.transpose(0, 2, 3, 1)
    low, high = 0.0, 1.0
    if preparation.kind == "mean-std":
        low, high = -_SPREAD, _SPREAD
    elif preparation.kind == "none":
        low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    else:
        pictures = pictures * np.asarray(preparation.std, np.float32)
        pictures += np.asarray(preparation.mean, np.float32)
    return np.stack([to_display(picture, low, high) for picture in pictures])
