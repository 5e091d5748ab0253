"""Targets of object detectors, made from a plane of classes and a plane of object numbers.

Boxes are x0, y0, x1, y1 here, as torchvision has them: edges in pixels, so that the pixel in the
corner is 0, 0, 1, 1. Masks stay what they are in the plane: a mask on the grid of a box is read
from there, so that 300 objects cost no 300 planes. Objects that overlap lie in further planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from segcore.models.output import Targets

LEAST_PIXELS = 4  # less of an object, such as a sliver at a crop's rim, shows no shape

Row = dict[str, Any]
_OF_OBJECTS = ("boxes", "labels", "numbers")


def encode(targets: Targets, things: Tensor) -> list[Row]:
    """What each picture of a batch teaches.

    Parameters
    ----------
    things : (C,) bool, which output channels are things.

    Returns
    -------
    For each picture ``boxes`` (N, 4) float32; ``labels`` (N,) int64, channel + 1, 0 being
    torchvision's background; ``numbers`` (N,) int64, those in plane ``layers`` (N,) of ``planes``
    (L, H, W); ``known`` (H, W) bool, where the class is known; ``aside`` (H + 1, W + 1), sums over
    the pixels that teach no absence: void, crowds, and slivers of objects. What is a crowd in one
    layer may be an object that overlaps it in another: then it is none.
    """
    return [
        _row([(semantic[k], plane[k]) for semantic, plane in targets.layers], things)
        for k in range(len(targets.semantic))
    ]


def _row(layers: Sequence[tuple[Tensor, Tensor]], things: Tensor) -> Row:
    found = [_layer(semantic, plane, things) for semantic, plane in layers]
    covered = torch.stack([one["covered"] for one in found]).any(0)
    known = found[0]["known"] | covered
    slivers = torch.stack([one["slivers"] for one in found]).any(0)
    crowds = torch.stack([one["crowd"] for one in found]).any(0)
    aside = ~known | slivers | (crowds & ~covered)
    counts = torch.tensor([len(one["numbers"]) for one in found], device=things.device)
    joined = {name: torch.cat([one[name] for one in found]) for name in _OF_OBJECTS}
    return {
        **joined,
        "layers": torch.arange(len(found), device=things.device).repeat_interleave(counts),
        "planes": torch.stack([plane for _, plane in layers]),
        "known": known,
        "aside": functional.pad(aside.long().cumsum(0).cumsum(1), (1, 0, 1, 0)),
    }


def _layer(semantic: Tensor, plane: Tensor, things: Tensor) -> Row:
    """The objects of one layer, and what its pixels say: (H, W) bool each."""
    channels = len(things)
    known = (semantic >= 0) & (semantic < channels)
    of_things = known & things[semantic.clamp(0, channels - 1)]
    y, x = torch.nonzero(of_things & (plane > 0), as_tuple=True)
    numbers, place = torch.unique(plane[y, x], return_inverse=True)
    count = len(numbers)
    votes = torch.bincount(place * channels + semantic[y, x], minlength=count * channels)
    votes = votes.reshape(count, channels)

    def extreme(values: Tensor, how: str) -> Tensor:
        empty = values.new_zeros(count)
        return empty.scatter_reduce(0, place, values, how, include_self=False)

    boxes = torch.stack(
        [
            extreme(x, "amin"),
            extreme(y, "amin"),
            extreme(x, "amax") + 1,
            extreme(y, "amax") + 1,
        ],
        dim=1,
    )
    large = votes.sum(1) >= LEAST_PIXELS
    slivers = of_things & torch.isin(plane, numbers[~large])
    return {
        "boxes": boxes[large].float(),
        "labels": votes.argmax(1)[large] + 1,
        "numbers": numbers[large],
        "known": known,
        "slivers": slivers,
        "crowd": of_things & (plane == 0),
        "covered": of_things & (plane > 0) & ~slivers,
    }


def share_aside(sums: Tensor, boxes: Tensor) -> Tensor:
    """(N,): the share of each (N, 4) box, as far as it is in the picture, that lies aside."""
    limits = boxes.new_tensor([sums.shape[1] - 1, sums.shape[0] - 1] * 2)
    x0, y0, x1, y1 = boxes.round().clamp(min=0).minimum(limits).long().unbind(1)
    inside = sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0]
    return (inside / ((x1 - x0) * (y1 - y0)).clamp(min=1)).to(boxes.dtype)


def masks_on_boxes(row: Row, chosen: Tensor, boxes: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """The masks of objects on grids over boxes.

    Parameters
    ----------
    row : of `encode`; chosen : (N,) which of its objects; boxes : (N, 4).
    cells : of a row and a column of the grid.

    Returns
    -------
    (N, cells, cells) float32 and bool, as `shares_at` gives them for the centre of each cell.
    """
    steps = (torch.arange(cells, device=boxes.device, dtype=boxes.dtype) + 0.5) / cells
    x = boxes[:, 0, None] + steps * (boxes[:, 2] - boxes[:, 0])[:, None]
    y = boxes[:, 1, None] + steps * (boxes[:, 3] - boxes[:, 1])[:, None]
    return shares_at(row, chosen, x[:, None], y[:, :, None])


def shares_at(row: Row, chosen: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The masks of objects between pixels.

    Parameters
    ----------
    row : of `encode`; chosen : (N,) which of its objects.
    x, y : (N, ...) in pixels of the picture, of one size or such as make one size together.

    Returns
    -------
    Of that size: float32, the object's share between the four pixels around each point; and bool,
    whether the class is known there.
    """
    planes, known = row["planes"], row["known"]
    height, width = known.shape
    x, y = x - 0.5, y - 0.5
    left, top = x.floor(), y.floor()
    part_x, part_y = x - left, y - top
    each = (-1, *[1] * (x.ndim - 1))
    numbers, layer = row["numbers"][chosen].reshape(each), row["layers"][chosen].reshape(each)
    result = torch.zeros_like(x * y)
    for down in (0, 1):
        rows = (top.long() + down).clamp(0, height - 1)
        for right in (0, 1):
            columns = (left.long() + right).clamp(0, width - 1)
            share = (part_y if down else 1 - part_y) * (part_x if right else 1 - part_x)
            result += share * (planes[layer, rows, columns] == numbers)
    nearest = y.round().long().clamp(0, height - 1), x.round().long().clamp(0, width - 1)
    return result, known[nearest]
