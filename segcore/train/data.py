"""From frozen items to batches: decoded pictures in a bounded cache, batches made ahead.

All randomness of batch number k comes from (seed, k) alone. So a resumed run sees exactly the
batches of an uninterrupted one, and nothing but the step has to be remembered.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segcore.base import BadFile, ClassSet
from segcore.base.dataclass import dataclass
from segcore.models.prepare import Preparation, Statistics, as_channels, prepare, statistics
from segcore.train.augment import choose_crop, place, window
from segcore.train.frozen import FrozenItem
from segcore.train.intensity import alter
from segcore.train.losses import IGNORE
from segcore.train.rare import RareClasses, pixel_of
from segcore.train.recipe import Recipe

DEFAULT_CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class Batch:
    """What one step learns from.

    Parameters
    ----------
    images : (B, C, h, w) float32; target : (B, h, w) int64 channel numbers.
    weight : (B, h, w) float32, or None where all pixels of all items count alike.
    instances : (B, h, w) int64 object numbers, 0 = none, or None where no item has any.
    further : target and instances of further layers, as many as the items of the run have: objects
        that overlap others.
    """

    number: int
    images: Tensor
    target: Tensor
    weight: Tensor | None
    instances: Tensor | None = None
    further: tuple[tuple[Tensor, Tensor], ...] = ()


@dataclass(frozen=True)
class Picture:
    """One decoded item.

    Parameters
    ----------
    values : (h, w, c).
    target : (h, w) uint16 ids, or (h, w, k) with further planes behind them.
    whole : the statistics of all of it.
    names : of the k planes: the fields of `Batch` that they are of, with the number of a layer
        behind those of further ones.
    """

    values: NDArray[Any]
    target: NDArray[np.uint16]
    whole: Statistics
    names: tuple[str, ...] = ("target",)

    @property
    def classes(self) -> NDArray[np.uint16]:
        """The target's ids alone, (h, w)."""
        return self.target if self.target.ndim == 2 else self.target[..., 0]

    @property
    def bytes(self) -> int:
        return self.values.nbytes + self.target.nbytes


def read_values(item: FrozenItem) -> NDArray[Any]:
    """The item's picture (h, w, c); several sources are channels of one picture.

    Raises
    ------
    BadFile : a source is missing or not on the target's grid any more.
    """
    from segcore.images import open_all

    with open_all(item.sources, as_stack=item.as_stack) as source:
        values = source.read(item.z)
    if values.shape[:2] != item.size:
        raise BadFile(
            f"{item.sources[0]} has changed since the run was made.", "Make the run again."
        )
    return values


class PictureCache:
    """Decoded items, the most recently used ones, within a number of bytes. For one thread."""

    def __init__(
        self, preparation: Preparation, channels: int, limit_bytes: int = DEFAULT_CACHE_BYTES
    ) -> None:
        self._preparation = preparation
        self._channels = channels
        self._limit = limit_bytes
        self._held: OrderedDict[tuple[str, int], Picture] = OrderedDict()
        self.bytes = 0
        self.misses = 0

    def get(self, item: FrozenItem) -> Picture:
        key = (str(item.target), item.z)
        found = self._held.get(key)
        if found is not None:
            self._held.move_to_end(key)
            return found
        self.misses += 1
        values = read_values(item)
        if values.shape[2] not in (1, self._channels):
            as_channels(values, self._channels)  # raises with the remedy
        read = {
            "target": item.read_target(),
            "instances": item.read_instances(),
            "weight": item.read_percent(),
        }
        for layer, pair in enumerate(item.read_further()):
            read |= {f"target {layer}": pair[0], f"instances {layer}": pair[1]}
        planes = {name: plane for name, plane in read.items() if plane is not None}
        target = read["target"] if len(planes) == 1 else np.stack([*planes.values()], axis=-1)
        assert target is not None
        made = Picture(values, target, statistics(values, self._preparation), tuple(planes))
        self._held[key] = made
        self.bytes += made.bytes
        while self.bytes > self._limit and len(self._held) > 1:
            _, oldest = self._held.popitem(last=False)
            self.bytes -= oldest.bytes
        return made


def channel_table(classes: ClassSet) -> NDArray[np.int64]:
    """Lookup (65536,) from a class id to its channel, the k-th scored class; IGNORE elsewhere."""
    table = np.full(65536, IGNORE, np.int64)
    for channel, c in enumerate(classes.scored):
        table[c.id] = channel
    return table


class Batches:
    """The batches of a run, each a pure function of its number.

    Parameters
    ----------
    train, replay : the items of both roles; from `replay` comes the recipe's share of each batch.
    table : class id to channel, see `channel_table`.
    rare : the chance that a crop of `train` is laid on a class drawn by how rare it is; above 0
        all crops of `replay` are.
    """

    def __init__(
        self,
        train: Sequence[FrozenItem],
        replay: Sequence[FrozenItem],
        recipe: Recipe,
        preparation: Preparation,
        channels: int,
        table: NDArray[np.int64],
        cache_bytes: int = DEFAULT_CACHE_BYTES,
        *,
        rare: float = 0.0,
    ) -> None:
        self._train, self._replay = list(train), list(replay)
        self._recipe = recipe
        self._rare = rare
        if rare:
            every = (*self._train, *self._replay)
            known = {c for item in every for c in item.counts if table[c] != IGNORE}
            self._classes = RareClasses(every, known)
            self._showing = self._classes.showing(self._replay)
        self.crop = recipe.crop([item.size for item in self._train])
        self._preparation = preparation
        self._channels = channels
        self._table = table
        self.cache = PictureCache(preparation, channels, cache_bytes)
        old = round(recipe.batch * recipe.replay) if self._replay else 0
        self._old = min(old, recipe.batch - 1)  # the new items are what the run is for
        self._weighted = any(
            item.weight != 1.0 or item.percent is not None for item in (*self._train, *self._replay)
        )
        self._layers = max(len(item.further) for item in (*self._train, *self._replay))
        self._objects = any(item.instances is not None for item in (*self._train, *self._replay))

    def choose(self, number: int) -> list[FrozenItem]:
        """The items of batch `number`, new ones first."""
        return [item for item, _ in self._chosen(number)]

    def _chosen(self, number: int) -> list[tuple[FrozenItem, int | None]]:
        """The items of batch `number`, with the class that the crop is laid on, if on any.

        Each role is passed through in a new order every epoch; but where crops are laid on rare
        classes, an earlier item is one that shows the class: there are many to choose from.
        """
        new = self._recipe.batch - self._old
        chosen = [self._nth(self._train, 0, number * new + k) for k in range(new)]
        chosen += [self._nth(self._replay, 1, number * self._old + k) for k in range(self._old)]
        wanted: list[int | None] = [None] * len(chosen)
        if self._rare:
            # A generator of its own: what is laid on no class stays as it is without this.
            rng = np.random.default_rng((self._recipe.seed, 3, number))
            for k, item in enumerate(chosen):
                if k < new:
                    shown = self._classes.shown(item)
                    if shown and rng.random() < self._rare:
                        wanted[k] = self._classes.draw(shown, rng)
                elif self._showing:
                    wanted[k] = rare = self._classes.draw([*self._showing], rng)
                    those = self._showing[rare]
                    chosen[k] = those[int(rng.integers(len(those)))]
        return list(zip(chosen, wanted, strict=True))

    def _nth(self, items: list[FrozenItem], stream: int, place: int) -> FrozenItem:
        epoch, within = divmod(place, len(items))
        order = np.random.default_rng((self._recipe.seed, 1, stream, epoch))
        return items[int(order.permutation(len(items))[within])]

    def make(self, number: int) -> Batch:
        """Batch `number`."""
        recipe = self._recipe
        rng = np.random.default_rng((recipe.seed, 2, number))
        chosen = self._chosen(number)
        height, width = self.crop
        images = np.empty((len(chosen), self._channels, height, width), np.float32)
        target = np.empty((len(chosen), height, width), np.int64)
        objects = np.zeros(target.shape, np.int64) if self._objects else None
        weight = np.ones(target.shape, np.float32) if self._weighted else None
        further = [
            (np.full(target.shape, IGNORE, np.int64), np.zeros(target.shape, np.int64))
            for _ in range(self._layers)
        ]
        for k, (item, wanted) in enumerate(chosen):
            picture = self.cache.get(item)
            on = None
            if wanted is not None:
                on = pixel_of(picture.classes, wanted, rng)
            crop = choose_crop(item.size, self.crop, recipe, rng, on)
            part, told = window(picture.values, picture.target, crop)
            values = prepare(part, self._preparation, picture.whole)
            values, label = place(values, told, crop, self.crop)
            images[k] = alter(values, recipe, rng)  # a single channel is repeated into all
            planes = dict(zip(picture.names, np.atleast_3d(label).transpose(2, 0, 1), strict=True))
            target[k] = self._table[planes["target"]]
            if objects is not None and "instances" in planes:
                objects[k] = planes["instances"]
            for layer in range(len(item.further)):
                further[layer][0][k] = self._table[planes[f"target {layer}"]]
                further[layer][1][k] = planes[f"instances {layer}"]
            if weight is not None:
                weight[k] = item.weight * planes.get("weight", 100) / 100
        return Batch(
            number,
            torch.from_numpy(images),
            torch.from_numpy(target),
            None if weight is None else torch.from_numpy(weight),
            None if objects is None else torch.from_numpy(objects),
            tuple((torch.from_numpy(ids), torch.from_numpy(n)) for ids, n in further),
        )

    def ahead(self, first: int, depth: int = 3) -> Generator[Batch, None, None]:
        """Batches from `first` on without end, made by a thread up to `depth` ahead.

        It takes one core: with as many as the step, each would wait at every operation for cores
        that the other holds.
        """
        ready: queue.Queue[Batch | BaseException] = queue.Queue(depth)
        stop, alone = threading.Event(), threading.Event()
        cores = torch.get_num_threads()

        def put(value: Batch | BaseException) -> bool:
            while not stop.is_set():
                try:
                    ready.put(value, timeout=0.2)
                    return True
                except queue.Full:
                    continue
            return False

        def work() -> None:
            # torch keeps the number by thread, takes it when a thread first asks, and remembers
            # it for threads to come: so it is asked first, and set again below for those.
            torch.get_num_threads()
            torch.set_num_threads(1)
            alone.set()
            number = first
            try:
                while put(self.make(number)):
                    number += 1
            except BaseException as error:
                put(error)

        thread = threading.Thread(target=work, name="batches", daemon=True)
        thread.start()
        alone.wait()
        torch.set_num_threads(cores)
        try:
            while True:
                value = ready.get()
                if isinstance(value, BaseException):
                    raise value
                yield value
        finally:
            stop.set()
            thread.join(timeout=10)
