"""What each architecture looks like, as a small drawing: maps, and what runs between them.

A drawing is a table of parts and links, so that any screen can draw it at any size and in any
colours. Left is the picture; a row lower is a map of half the size (row 0 is the picture's own
size, row 5 a map of stride 32). What sets a family apart from the others is marked as its idea.
The same drawings, in words, are in ``docs/models.md``. No torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from segcore.base.dataclass import dataclass

Kind = Literal["map", "join", "step"]
Line = Literal["flow", "skip", "positions"]


@dataclass(frozen=True)
class Part:
    """A part of a network.

    Parameters
    ----------
    x, y : column, and row (how often the picture has been halved); may lie between two.
    kind : ``map`` is a feature map, ``join`` a place where maps are added, concatenated or
        weighed, ``step`` something that is done to a map.
    idea : whether it sets the family apart.
    """

    x: float
    y: float
    kind: Kind = "map"
    idea: bool = False


@dataclass(frozen=True)
class Link:
    """A line between two parts, by their numbers.

    Parameters
    ----------
    line : ``flow`` from one layer to the next, ``skip`` past others, ``positions`` where only
        places are handed over and no features.
    """

    start: int
    end: int
    line: Line = "flow"
    idea: bool = False


@dataclass(frozen=True)
class Diagram:
    """A drawing; the numbers in links are places in `parts`."""

    parts: tuple[Part, ...]
    links: tuple[Link, ...]


class _Pen:
    """Collects parts and links; every call gives the numbers of the parts it made."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.links: list[Link] = []

    def put(self, x: float, y: float, kind: Kind = "map", *, idea: bool = False) -> int:
        self.parts.append(Part(x, y, kind, idea))
        return len(self.parts) - 1

    def link(self, start: int, end: int, line: Line = "flow", *, idea: bool = False) -> None:
        self.links.append(Link(start, end, line, idea))

    def chain(self, numbers: Sequence[int]) -> None:
        for start, end in pairwise(numbers):
            self.link(start, end)

    def row(self, places: Iterable[tuple[float, float]], *, idea: bool = False) -> list[int]:
        """Maps one after the other, linked."""
        made = [self.put(x, y, idea=idea) for x, y in places]
        self.chain(made)
        return made

    def fan(self, start: int, ends: Sequence[int], to: int) -> None:
        """Branches side by side from one part to another."""
        for branch in ends:
            self.link(start, branch)
            self.link(branch, to)

    def done(self) -> Diagram:
        return Diagram(tuple(self.parts), tuple(self.links))


def _down(pen: _Pen, last: int = 4, first: int = 0) -> list[int]:
    """An encoder: a map for every halving."""
    return pen.row([(float(level - first), float(level)) for level in range(first, last + 1)])


def _hourglass(
    pen: _Pen, levels: int = 4, *, joined: bool = False, wide: float = 0.0
) -> tuple[list[int], list[int]]:
    """Down and up again; the maps on both sides by their level, without links across."""
    down = _down(pen, levels)
    kind: Kind = "join" if joined else "map"
    up = [
        pen.put(2 * levels - level + wide, level, kind if level else "map")
        for level in range(levels - 1, -1, -1)
    ]
    pen.chain([down[-1], *up])
    return down, up[::-1]


def _naive() -> Diagram:
    pen = _Pen()
    _hourglass(pen)
    return pen.done()


def _fcn() -> Diagram:
    pen = _Pen()
    down = _down(pen, 5)
    scores = [pen.put(7, level, "join", idea=True) for level in (5, 4, 3)]
    for stage, score in zip((5, 4, 3), scores, strict=True):
        pen.link(down[stage], score, "flow" if stage == 5 else "skip", idea=True)
    end = pen.put(9, 0)
    pen.chain([*scores, end])
    return pen.done()


def _segnet() -> Diagram:
    pen = _Pen()
    down, up = _hourglass(pen)
    for level in range(4):
        pen.link(down[level], up[level], "positions", idea=True)
    return pen.done()


def _unet() -> Diagram:
    pen = _Pen()
    down, up = _hourglass(pen)
    for level in range(4):
        pen.link(down[level], up[level], "skip", idea=True)
    return pen.done()


def _unetplusplus() -> Diagram:
    pen = _Pen()
    node = {
        (i, j): pen.put(2 * j + i, i, idea=j > 0 and i + j < 4)
        for i in range(5)
        for j in range(5 - i)
    }
    for (i, j), number in node.items():
        if j == 0 and i:
            pen.link(node[i - 1, 0], number)
        if j:
            pen.link(node[i, j - 1], number, "skip", idea=True)
            pen.link(node[i + 1, j - 1], number)
    return pen.done()


def _linknet() -> Diagram:
    pen = _Pen()
    down, up = _hourglass(pen, joined=True)
    for level in range(1, 4):
        pen.link(down[level], up[level], "skip", idea=True)
    return pen.done()


def _manet() -> Diagram:
    pen = _Pen()
    down, up = _hourglass(pen, wide=1)
    looks = pen.put(5, 4, "step", idea=True)
    pen.links = [link for link in pen.links if link.start != down[-1]]
    pen.chain([down[-1], looks, up[3]])
    for level in range(4):
        weighed = pen.put(2 * 4 - level, level, "join", idea=True)
        pen.link(down[level], weighed, "skip")
        pen.link(weighed, up[level], "skip")
    return pen.done()


def _atrous(pen: _Pen, row: float, steps: int) -> list[int]:
    """An encoder that stops halving and goes on at one size."""
    places = [(float(level), float(level)) for level in range(int(row) + 1)]
    return pen.row([*places, *((row + 1 + step, row) for step in range(steps))])


def _pyramid(pen: _Pen, start: int, x: float, rows: Sequence[float]) -> int:
    """Branches that look at one map side by side; the part where they meet."""
    meets = pen.put(x + 1.5, sum(rows) / len(rows), "join")
    pen.fan(start, [pen.put(x, y, "step", idea=True) for y in rows], meets)
    return meets


def _deeplab() -> Diagram:
    pen = _Pen()
    body = _atrous(pen, 3, 2)
    meets = _pyramid(pen, body[-1], 7, (1.5, 2.5, 3.5, 4.5))
    pen.link(meets, pen.put(10, 0))
    return pen.done()


def _deeplabv3() -> Diagram:
    pen = _Pen()
    body = _atrous(pen, 4, 1)
    meets = _pyramid(pen, body[-1], 7, (2, 3, 4, 5, 6))
    pen.link(meets, pen.put(10, 0))
    return pen.done()


def _deeplabv3plus() -> Diagram:
    pen = _Pen()
    body = _atrous(pen, 4, 1)
    meets = _pyramid(pen, body[-1], 7, (3, 4, 5, 6))
    edges = pen.put(9.5, 2, "join", idea=True)
    pen.link(body[2], edges, "skip", idea=True)
    pen.chain([meets, edges, pen.put(11, 0)])
    return pen.done()


def _pspnet() -> Diagram:
    pen = _Pen()
    body = _atrous(pen, 3, 1)
    meets = pen.put(8.5, 3, "join")
    pooled = [pen.put(6.5, y, "map", idea=True) for y in (1.4, 4, 4.8, 5.6)]
    pen.fan(body[-1], pooled, meets)
    pen.link(body[-1], meets)
    pen.link(meets, pen.put(10, 0))
    return pen.done()


def _enet() -> Diagram:
    pen = _Pen()
    down = pen.row([(0, 0), (0.7, 1), (1.4, 2), (2.1, 3)])
    body = [pen.put(3 + 0.8 * n, 3, "step", idea=True) for n in range(5)]
    up = pen.row([(7.4, 2), (8.4, 1), (9.4, 0)])
    pen.chain([down[-1], *body, up[0]])
    pen.link(down[2], up[0], "positions")
    pen.link(down[1], up[1], "positions")
    return pen.done()


def _feature_pyramid(pen: _Pen, *, idea: bool = True) -> list[int]:
    """An encoder and the pyramid beside it; its maps from row 2 to row 5."""
    down = _down(pen, 5)
    across = [pen.put(6, level, idea=idea) for level in (5, 4, 3, 2)]
    for level, part in zip((5, 4, 3, 2), across, strict=True):
        pen.link(down[level], part, "skip", idea=idea)
    pen.chain(across)
    return across[::-1]


def _fpn() -> Diagram:
    pen = _Pen()
    meets_from = _feature_pyramid(pen)
    meets = pen.put(8.5, 2, "join")
    for part in meets_from:
        pen.link(part, meets)
    pen.link(meets, pen.put(10, 0))
    return pen.done()


def _pan() -> Diagram:
    pen = _Pen()
    down = _down(pen, 5)
    attends = pen.put(6, 5, "step", idea=True)
    weighed = [pen.put(6 + 0.8 * n, level, "join", idea=True) for n, level in ((1, 4), (2, 3))]
    weighed.append(pen.put(8.4, 2, "join", idea=True))
    pen.link(down[5], attends)
    for level, part in zip((4, 3, 2), weighed, strict=True):
        pen.link(down[level], part, "skip", idea=True)
    pen.chain([attends, *weighed, pen.put(10, 0)])
    return pen.done()


def _upernet() -> Diagram:
    pen = _Pen()
    down = _down(pen, 5)
    pooled = pen.put(6, 5, "step", idea=True)
    pen.link(down[5], pooled)
    across = [pooled, *(pen.put(7, level) for level in (4, 3, 2))]
    for level, part in zip((4, 3, 2), across[1:], strict=True):
        pen.link(down[level], part, "skip")
    pen.chain(across)
    meets = pen.put(9, 2, "join", idea=True)
    for part in across:
        pen.link(part, meets)
    pen.link(meets, pen.put(10.5, 0))
    return pen.done()


def _segformer() -> Diagram:
    pen = _Pen()
    picture = pen.put(0, 0)
    stages = [pen.put(1.2 * (level - 1), level, "step", idea=True) for level in (2, 3, 4, 5)]
    pen.chain([picture, *stages])
    meets = pen.put(7.5, 2, "join")
    for stage in stages:
        pen.link(stage, meets, "skip")
    pen.link(meets, pen.put(9, 0))
    return pen.done()


def _dpt() -> Diagram:
    pen = _Pen()
    picture = pen.put(0, 0)
    blocks = [pen.put(1.5 + 1.5 * n, 4, "step", idea=True) for n in range(4)]
    pen.chain([picture, *blocks])
    fused = [pen.put(8 + 0.5 * n, level, "join") for n, level in enumerate((5, 4, 3, 2))]
    for block, part in zip(blocks[::-1], fused, strict=True):
        pen.link(block, part, "skip", idea=True)
    pen.chain([*fused, pen.put(10.5, 0)])
    return pen.done()


def _pointrend() -> Diagram:
    pen = _Pen()
    down = _down(pen, 4)
    coarse = pen.put(5, 2)
    pen.link(down[-1], coarse)
    points = [pen.put(6.5, 2, "join", idea=True), pen.put(8.5, 1, "join", idea=True)]
    finer, end = pen.put(7.5, 1), pen.put(9.7, 0)
    pen.chain([coarse, points[0], finer, points[1], end])
    pen.link(down[2], points[0], "skip", idea=True)
    return pen.done()


def _boxes(pen: _Pen, maps: Sequence[int], x: float) -> int:
    """A box around each object, cut out of the maps of a pyramid."""
    box = pen.put(x, 3.5, "step", idea=True)
    for part in maps:
        pen.link(part, box)
    return box


def _mask_rcnn() -> Diagram:
    pen = _Pen()
    box = _boxes(pen, _feature_pyramid(pen, idea=False), 8)
    for y in (2.5, 4.5):
        pen.link(box, pen.put(10, y, idea=True))
    return pen.done()


def _panet() -> Diagram:
    pen = _Pen()
    across = _feature_pyramid(pen, idea=False)
    again = [pen.put(7.5, level, idea=True) for level in (2, 3, 4, 5)]
    for part, again_part in zip(across, again, strict=True):
        pen.link(part, again_part)
    pen.chain(again)
    box = _boxes(pen, again, 9.2)
    for y in (2.5, 4.5):
        pen.link(box, pen.put(11, y))
    return pen.done()


def _panoptic_fpn() -> Diagram:
    pen = _Pen()
    across = _feature_pyramid(pen, idea=False)
    box = _boxes(pen, across[1:], 8)
    things = pen.put(9.5, 4.2)
    meets = pen.put(8.2, 1.2, "join")
    for part in across:
        pen.link(part, meets)
    merged = pen.put(10.8, 0.6, "join", idea=True)
    pen.link(box, things)
    pen.link(things, merged)
    pen.link(meets, merged)
    return pen.done()


_DRAWINGS = {
    "naive": _naive,
    "fcn": _fcn,
    "segnet": _segnet,
    "unet": _unet,
    "unetplusplus": _unetplusplus,
    "deeplab": _deeplab,
    "enet": _enet,
    "pspnet": _pspnet,
    "fpn": _fpn,
    "linknet": _linknet,
    "deeplabv3": _deeplabv3,
    "deeplabv3plus": _deeplabv3plus,
    "pan": _pan,
    "upernet": _upernet,
    "manet": _manet,
    "segformer": _segformer,
    "dpt": _dpt,
    "pointrend": _pointrend,
    "mask_rcnn": _mask_rcnn,
    "panet": _panet,
    "panoptic_fpn": _panoptic_fpn,
}


def diagram(architecture: str) -> Diagram | None:
    """The drawing of an architecture, or None for one that has none, such as a plug-in's."""
    draw = _DRAWINGS.get(architecture)
    return None if draw is None else draw()
