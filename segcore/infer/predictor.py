"""Predicting pictures of any size with bounded memory, tile by tile, nearest first.

What computes a tile is an engine's affair (`segcore.infer.engines`). A graphics card is given
several tiles at once, as many as its memory holds; a CPU one, which is quickest there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segcore.base import Cancelled, Rect
from segcore.base.dataclass import dataclass
from segcore.infer.device import choose_device, is_out_of_memory
from segcore.infer.engines import best_engine, make_engine
from segcore.infer.found import FoundObjects
from segcore.infer.objects import connected_objects
from segcore.infer.picture import Picture
from segcore.infer.tiles import make_grid
from segcore.models.objects import LOWEST_SCORE, Found, beneath, join_tiles, merged, paint
from segcore.models.rim import extended

if TYPE_CHECKING:
    from segcore.images import ImageSource
    from segcore.models.segmodel import SegModel

Seen = list[tuple[Rect, list[Found]]]  # the objects in each tile, in pixels of the picture
OnTile = Callable[[Rect, NDArray[np.uint16], NDArray[np.uint8], NDArray[np.uint8]], None]

SMALLEST_TILE = 64
MOST_TILES = 64  # at once; beyond that a card gains nothing and a cancel takes too long
_SHARE_OF_FREE = 0.5  # of a card's free memory that a batch may take


@dataclass(frozen=True)
class Prediction:
    """What a model says about a picture, or about the rectangle that was asked for.

    Parameters
    ----------
    classes : (y, x) uint16 ids of the model's own classes; `segcore.infer.map_classes` translates.
    confidence : (y, x) uint8, 255 times the probability of that class.
    margin : (y, x) uint8, 255 times its lead over the second; small where a person should look.
    instances : (y, x) uint32 object numbers, 0 = none, or None if objects were not asked for.
    scores : of the objects by their numbers, 0 to 1, where the model finds objects itself.
    found : all that such a model found, below the score of what is in `instances` too.
    """

    classes: NDArray[np.uint16]
    confidence: NDArray[np.uint8]
    margin: NDArray[np.uint8]
    instances: NDArray[np.uint32] | None = None
    scores: Mapping[int, float] = field(default_factory=dict)
    found: FoundObjects | None = None


class Predictor:
    """A model on a device, ready to predict.

    Parameters
    ----------
    model : is moved to the device and set to evaluate.
    device : ``cuda``, ``mps`` or ``cpu``; None is the best there is.
    folder : where the model lies, so that what an engine makes of it is kept beside it.
    engine : one of `segcore.models.agreement.ENGINES`, whatever is known of its answers; None is
        the fastest one whose answers are known to be torch's.

    Attributes
    ----------
    engine : what computes.
    batch : tiles that are computed at once; 0 on a graphics card until the first one has shown
        what memory it takes.

    Raises
    ------
    NotConverted : the `engine` that was named cannot compute the model.
    """

    def __init__(
        self,
        model: SegModel,
        device: str | None = None,
        *,
        folder: Path | None = None,
        engine: str | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.model = model.to(self.device.name).eval()
        self._on_card = self.device.name.startswith("cuda")
        if self.device.name == "cpu" or self._on_card:
            self.model = self.model.to(memory_format=torch.channels_last)
        if engine is None:
            self.engine = best_engine(self.model, self.device, folder)
        else:
            self.engine = make_engine(engine, self.model, self.device, folder)
        self.tile = max(SMALLEST_TILE, model.spec.tile)
        # A model with losses of its own answers with whole objects, picture by picture.
        self.batch = 0 if self._on_card and not model.own_losses else 1
        self._ids = np.array([c.id for c in model.spec.classes.scored], np.uint16)
        self._things = np.array([c.thing for c in model.spec.classes.scored])

    def predict(
        self,
        image: NDArray[Any] | ImageSource,
        *,
        z: int = 0,
        rect: Rect | None = None,
        near: tuple[float, float] | None = None,
        on_tile: OnTile | None = None,
        cancel: Callable[[], bool] | None = None,
        mirror: bool = False,
        instances: bool = False,
        least_score: float | None = None,
    ) -> Prediction:
        """Classes, confidence and margin of a picture, and its objects if asked for.

        A model that finds objects is asked for its own: those of overlapping tiles are joined, the
        best are painted first, a pixel of one has its class, and what is said to be a thing but is
        in no object is 0, undecided. Any other model's objects are the connected regions of things.

        Parameters
        ----------
        image : (h, w) or (h, w, c) array of any dtype, or an open image, which is read in parts.
        z : slice of an open image.
        rect : only this part, with a rim around it for context; the results have its size.
        near : point (y, x); tiles nearest to it come first.
        on_tile : called with rectangle, classes, confidence and margin of each finished part, as
            they are before objects are joined.
        cancel : asked before every tile.
        mirror : the mean over the four mirror images; four times the work, often a bit better.
        instances : number the objects, too.
        least_score : of a model's own objects that are in the answer; None is what its family
            paints. Those below it are beside it, in `Prediction.found`.

        Raises
        ------
        Cancelled : `cancel` said so.
        MaskwrightError : the picture has another number of channels than the model takes.
        """
        picture = Picture(image, z, self.model.spec)
        region = rect or Rect(0, 0, *picture.size)
        classes = np.zeros((region.height, region.width), np.uint16)
        confidence = np.zeros(classes.shape, np.uint8)
        margin = np.zeros(classes.shape, np.uint8)
        seen: Seen | None = [] if instances and self.model.finds_objects else None
        for where, shares in self._finished(picture, region, near, cancel, mirror, seen):
            part = self._decide(shares)
            inside = where.intersect(region)
            if inside.is_empty:
                continue
            cut = inside.shifted(-where.y, -where.x).slices
            to = inside.shifted(-region.y, -region.x).slices
            classes[to], confidence[to], margin[to] = part[0][cut], part[1][cut], part[2][cut]
            if on_tile is not None:
                on_tile(inside, part[0][cut], part[1][cut], part[2][cut])
        if seen is not None:
            return self._with_objects(seen, least_score, region, classes, confidence, margin)
        numbered = None
        if instances:
            things = [c.id for c in self.model.spec.classes.scored if c.thing]
            numbered = connected_objects(classes, things)
        return Prediction(classes, confidence, margin, numbered)

    def probabilities(
        self,
        image: NDArray[Any] | ImageSource,
        rect: Rect,
        *,
        z: int = 0,
        mirror: bool = False,
        cancel: Callable[[], bool] | None = None,
    ) -> NDArray[np.float32]:
        """Probability of every class in a rectangle: (C, h, w) float32, summing to 1.

        Channel k is the model's k-th scored class. Computed anew, for who needs more than the
        winner (a dense CRF, a view of uncertainty).
        """
        picture = Picture(image, z, self.model.spec)
        result = np.zeros((len(self._ids), rect.height, rect.width), np.float32)
        for where, shares in self._finished(picture, rect, None, cancel, mirror):
            inside = where.intersect(rect)
            if not inside.is_empty:
                cut = inside.shifted(-where.y, -where.x).slices
                to = inside.shifted(-rect.y, -rect.x).slices
                result[(slice(None), *to)] = shares[(slice(None), *cut)].cpu().numpy()
        return result

    # -- tiles ---------------------------------------------------------------------------------

    def _finished(
        self,
        picture: Picture,
        region: Rect,
        near: tuple[float, float] | None,
        cancel: Callable[[], bool] | None,
        mirror: bool,
        seen: Seen | None = None,
    ) -> Iterator[tuple[Rect, Tensor]]:
        """Finished pieces with their probabilities (C, h, w); only open seams are held.

        The objects of every tile are added to `seen`.
        """
        overlap = min(self.model.spec.overlap, self.tile // 4)
        whole = Rect(0, 0, *picture.size)
        grid = make_grid(region.grown(overlap).intersect(whole), self.tile, overlap)
        missing = [len(piece.tiles) for piece in grid.pieces]
        sums: dict[int, Tensor] = {}
        order = grid.order(near)
        while order:
            if cancel is not None and cancel():
                raise Cancelled("The prediction was cancelled.")
            count = max(1, self.batch)
            tiles, order = [grid.tiles[n] for n in order[:count]], order[count:]
            places = [tile.rect for tile in tiles]
            found = self._computed([picture.read(p) for p in places], mirror, places, seen)
            for tile, shares in zip(tiles, found, strict=True):
                if not tile.is_alone:
                    shares.mul_(torch.from_numpy(tile.weights()).to(shares.device))
                for n in tile.pieces:
                    where = grid.pieces[n].rect
                    mine = shares[(slice(None), *where.shifted(-tile.rect.y, -tile.rect.x).slices)]
                    missing[n] -= 1
                    if n in sums:
                        sums[n] += mine
                    elif missing[n]:
                        sums[n] = mine.clone()
                    if not missing[n]:
                        yield where, sums.pop(n, mine)

    def _computed(
        self,
        values: list[NDArray[np.float32]],
        mirror: bool,
        places: list[Rect],
        seen: Seen | None,
    ) -> list[Tensor]:
        """Probabilities (C, h, w) of each tile; fewer at once where memory runs out."""
        try:
            if self.batch:
                return self._forward(values, mirror, places, seen)
            return self._first(values, mirror, places, seen)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if self._on_card:
            torch.cuda.empty_cache()
        if len(values) == 1:
            return [self._smaller(values[0], mirror, places[0], seen)]
        half = len(values) // 2
        self.batch = half
        return [
            *self._computed(values[:half], mirror, places[:half], seen),
            *self._computed(values[half:], mirror, places[half:], seen),
        ]

    def _first(
        self,
        values: list[NDArray[np.float32]],
        mirror: bool,
        places: list[Rect],
        seen: Seen | None,
    ) -> list[Tensor]:
        """The first tile on a graphics card, which shows how many fit at once."""
        name = self.device.name
        torch.cuda.reset_peak_memory_stats(name)
        before = torch.cuda.memory_allocated(name)
        found = self._forward(values, mirror, places, seen)
        needed = max(1, torch.cuda.max_memory_allocated(name) - before)
        free = torch.cuda.mem_get_info(name)[0]
        self.batch = min(MOST_TILES, max(1, int(_SHARE_OF_FREE * free / needed)))
        return found

    def _smaller(
        self, values: NDArray[np.float32], mirror: bool, place: Rect, seen: Seen | None
    ) -> Tensor:
        """Probabilities (C, h, w) of one tile that memory does not hold, from tiles half its size.

        Raises
        ------
        MemoryError : not even the smallest ones fit.
        """
        half = max(values.shape[1:]) // 2
        if half < SMALLEST_TILE:
            raise MemoryError("The memory does not hold a tile of the smallest size.")
        self.tile = min(self.tile, max(SMALLEST_TILE, half))
        overlap = min(self.model.spec.overlap, half // 4)
        grid = make_grid(Rect(0, 0, *values.shape[1:]), half, overlap)
        total: Tensor | None = None
        for tile in grid.tiles:
            rows, columns = tile.rect.slices
            inner = tile.rect.shifted(place.y, place.x)
            (part,) = self._computed([values[:, rows, columns]], mirror, [inner], seen)
            part *= torch.from_numpy(tile.weights()).to(part.device)
            if total is None:
                total = part.new_zeros((part.shape[0], *values.shape[1:]))
            total[:, rows, columns] += part
        assert total is not None  # a grid has at least one tile
        return total

    @torch.no_grad()
    def _forward(
        self,
        values: list[NDArray[np.float32]],
        mirror: bool,
        places: list[Rect],
        seen: Seen | None,
    ) -> list[Tensor]:
        images = [torch.from_numpy(np.ascontiguousarray(one)) for one in values]
        flips: list[list[int]] = [[], [1], [2], [1, 2]] if mirror else [[]]
        totals: list[Tensor] = []
        for axes in flips:
            # The picture is turned, not its rim: that is added at the same sides each time.
            turned = self._padded([one.flip(axes) if axes else one for one in images])
            output = self.engine(turned)
            if seen is not None and not axes and output.detections is not None:
                for place, detected in zip(places, output.detections, strict=True):
                    found = detected.found(place.height, place.width)
                    seen.append((place, [one.shifted(place.y, place.x) for one in found]))
            for k, image in enumerate(images):
                logits = output.logits[k, :, : image.shape[1], : image.shape[2]]
                shares = torch.softmax(logits.float(), dim=0)
                if axes:
                    shares = shares.flip(axes)
                if len(totals) == k:
                    totals.append(shares)
                else:
                    totals[k] += shares
        return totals if not mirror else [total.div_(len(flips)) for total in totals]

    def _padded(self, images: list[Tensor]) -> Tensor:
        """Parts of a picture as one batch on the device, mirrored at their rims to one size."""
        if self.model.own_losses:  # it pads by itself, and knows where its objects may lie
            return torch.stack(images).to(self.device.name)
        sizes = [self.model.padded(*one.shape[1:]) for one in images]
        height, width = max(h for h, _ in sizes), max(w for _, w in sizes)
        return torch.stack([extended(one, height, width) for one in images]).to(self.device.name)

    def _with_objects(
        self,
        seen: Seen,
        least_score: float | None,
        region: Rect,
        classes: NDArray[np.uint16],
        confidence: NDArray[np.uint8],
        margin: NDArray[np.uint8],
    ) -> Prediction:
        """The objects of all tiles over the classes; the arrays are changed in place."""
        network = self.model.network
        if least_score is None:
            least_score = float(getattr(network, "least_score", 0.0))
        # Each kind is joined by itself: half of a bad object must not change a good one.
        found = [
            one.seen_in(region)
            for low, high in ((least_score, np.inf), (min(LOWEST_SCORE, least_score), least_score))
            for one in join_tiles([(p, [o for o in f if low <= o.score < high]) for p, f in seen])
        ]
        every, painted = paint([o for o in found if o is not None], classes.shape)
        kept = [one for one in painted if one.score >= least_score]  # the first ones
        numbers = np.where(every <= len(kept), every, np.uint32(0))
        channel_of = np.zeros(1 << 16, np.int64)
        channel_of[self._ids] = np.arange(len(self._ids))
        semantic = channel_of[classes]
        least_stuff = int(getattr(network, "least_stuff", 0))
        channels = merged(
            numbers,
            np.array([one.channel for one in kept], np.int64),
            semantic,
            self._things,
            least_stuff,
        )
        ids = np.append(self._ids, 0)  # the last one is of what is undecided
        classes[:] = ids[channels]
        ground = np.where(numbers > 0, ids[self._beneath(numbers, semantic, least_stuff)], classes)
        confidence[channels < 0] = 0
        margin[channels < 0] = 0
        for number, one in enumerate(kept, 1):
            where = one.rect.slices
            mine = numbers[where] == number
            share = one.mask[mine]
            confidence[where][mine] = np.rint(255 * share)
            margin[where][mine] = np.rint(255 * (2 * share - 1))
        scores = {number: one.score for number, one in enumerate(kept, 1)}
        beside = FoundObjects(
            every,
            ground.astype(np.uint16),
            np.array([one.score for one in painted], np.float32),
            self._ids[[one.channel for one in painted]],
            len(kept),
        )
        return Prediction(classes, confidence, margin, numbers, scores, beside)

    def _beneath(
        self, numbers: NDArray[np.uint32], semantic: NDArray[np.int64], least_stuff: int
    ) -> NDArray[np.int64]:
        """Channels where an object is taken away, -1 where that leaves the pixel undecided."""
        if self.model.semantic_share:
            return beneath(numbers, semantic, self._things, least_stuff)
        # A network that knows objects only: what is in none is the first class of no things.
        stuff = np.flatnonzero(~self._things)
        return np.full(numbers.shape, stuff[0] if len(stuff) else -1, np.int64)

    @torch.no_grad()
    def _decide(
        self, shares: Tensor
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint8], NDArray[np.uint8]]:
        # Plane by plane, which a CPU does several times faster than it sorts every pixel.
        first = shares[0].clone()
        second = torch.zeros_like(first)
        channel = torch.zeros(first.shape, dtype=torch.int64, device=first.device)
        for k in range(1, len(shares)):
            plane = shares[k]
            channel.masked_fill_(plane > first, k)
            torch.maximum(second, torch.minimum(plane, first), out=second)
            torch.maximum(first, plane, out=first)

        def byte(value: Tensor) -> NDArray[np.uint8]:
            scaled: NDArray[np.uint8] = (
                (value * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
            )
            return scaled

        return self._ids[channel.cpu().numpy()], byte(first), byte(first - second)
