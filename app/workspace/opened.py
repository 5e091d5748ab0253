"""Opening an item beside the GUI thread: picture decoded, label tiles read, ready to be shown."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import field
from typing import Any

from app.workspace.overviews import waits_for_decoder
from segcore import images
from segcore.base import MaskwrightError
from segcore.base.dataclass import dataclass
from segcore.images import ImageSource
from segcore.labels import Labels

# Decoded neighbours kept: the one before, the open one, the two after.
_KEPT = 4


@dataclass
class OpenedItem:
    """An item with everything that its first frame needs.

    `image` is None and `error` says why where the picture could not be opened.
    """

    item: Any
    image: ImageSource | None
    error: MaskwrightError | None
    labels: Labels
    truth: Labels | None
    model: Any
    proposal: Any
    z: int
    window: tuple[float, float]
    stale: bool = field(default=False)


def open_bundle(item: Any, z: int | None = None, *, automatic_contrast: bool = False) -> OpenedItem:
    """Open `item` at slice `z` (None: the middle): decode that slice, read its label tiles.

    Parameters
    ----------
    automatic_contrast : show very dark pictures brighter; see `segcore.images.default_window`.
    """
    labels: Labels = item.labels
    at = labels.shape.z // 2 if z is None else min(max(z, 0), labels.shape.z - 1)
    image: ImageSource | None = None
    error: MaskwrightError | None = None
    window = (0.0, 255.0)
    try:
        image = item.open_image()
        if waits_for_decoder(image, at):
            window = images.full_window(image)  # until it is decoded, beside the person
        else:
            window = images.default_window(image, at, automatic_contrast=automatic_contrast)
            _decode_for_the_screen(image, at)
    except MaskwrightError as problem:
        error = problem
    truth = item.truth
    model = newest_prediction(item)
    for layer in (labels, truth, *item.further_labels, *item.further_truth):
        if layer is not None:
            make_resident(layer, at)
    return OpenedItem(item, image, error, labels, truth, model, item.proposal, at, window)


def _decode_for_the_screen(image: ImageSource, z: int) -> None:
    """Decode what the first frame will ask for; it is kept by the image's own cache."""
    areas = [level.shape.y * level.shape.x for level in image.levels]
    level = max((i for i, area in enumerate(areas) if area >= 1 << 21), default=0)
    if areas[level] <= 1 << 25 and image.is_ready(level, z):
        image.read(z, None, level)


def newest_prediction(item: Any) -> Any:
    """The prediction layer that was made last, or None."""
    layers = list(item.predictions.values())
    return layers[-1] if layers else None


def make_resident(labels: Labels, z: int) -> None:
    """Read the tiles of one slice into the cache, so that painting need not wait for them."""
    for plane in ("class", "origin", "instance"):
        if not labels.has_plane(plane):
            continue
        for index in labels.tiles_in(labels.extent, z):
            labels.tile_array(plane, index)


class _Begun:
    """An item that is being opened, and whether its labels have changed since."""

    def __init__(self) -> None:
        self.made: Future[OpenedItem] = Future()
        self.spoilt = False


class Shelf:
    """Opened items that may be wanted next; safe from any thread; the oldest go first.

    An item that is being opened is not opened a second time: who asks for it meanwhile waits.
    """

    def __init__(self, opener: Callable[[Any], OpenedItem], kept: int = _KEPT) -> None:
        self._opener = opener
        self._kept = kept
        self._lock = threading.Lock()
        self._ready: OrderedDict[str, OpenedItem] = OrderedDict()
        self._begun: dict[str, _Begun] = {}

    def take(self, item_id: str) -> OpenedItem | None:
        """The prepared item, if it is there and nothing has changed it since."""
        with self._lock:
            return self._fresh(item_id)

    def prepare(self, item: Any) -> OpenedItem:
        """The prepared item; opened now if need be. For threads beside the GUI."""
        with self._lock:
            found, begun = self._fresh(item.id), self._begun.get(item.id)
            if found is not None:
                return found
            if begun is None:
                mine = self._begun[item.id] = _Begun()
        if begun is not None:
            return begun.made.result()
        try:
            made = self._open(item, mine)
        except BaseException as error:
            with self._lock:
                self._forget(item.id, mine)
            mine.made.set_exception(error)
            raise
        mine.made.set_result(made)
        return made

    def _fresh(self, item_id: str) -> OpenedItem | None:
        found = self._ready.get(item_id)
        if found is None or found.stale:
            return None
        self._ready.move_to_end(item_id)
        return found

    def _open(self, item: Any, mine: _Begun) -> OpenedItem:
        while True:
            mine.spoilt = False
            made = self._opener(item)
            with self._lock:
                if mine.spoilt:
                    continue  # a prediction came for it meanwhile
                if self._forget(item.id, mine):
                    self._ready[item.id] = made
                    self._ready.move_to_end(item.id)
                    while len(self._ready) > self._kept:
                        self._ready.popitem(last=False)
                return made

    def _forget(self, item_id: str, mine: _Begun) -> bool:
        """Whether it was still wanted: False once the shelf was cleared."""
        if self._begun.get(item_id) is not mine:
            return False
        del self._begun[item_id]
        return True

    def spoil(self, item_id: str) -> None:
        """The item's labels have changed: open it again the next time."""
        with self._lock:
            begun, found = self._begun.get(item_id), self._ready.get(item_id)
            if begun is not None:
                begun.spoilt = True
            if found is not None:
                found.stale = True

    def clear(self) -> None:
        with self._lock:
            self._begun.clear()
            self._ready.clear()
