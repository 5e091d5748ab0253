"""Scene: all that one frame of the canvas shows, as a value, and how a piece of it is composed.

`compose` is a pure function of a scene and a rectangle of the zoomed grid: the picture through its
window, filled classes, outlines, and the strokes that are being painted. Threads and the GUI call
the same one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.canvas.live import LiveStroke
from app.canvas.look import Look
from app.canvas.outline import draw_outlines, margin
from app.canvas.picture import Picture
from app.canvas.sampling import LabelSampler, image_rect
from segcore.base import Rect
from segcore.base.dataclass import dataclass
from segcore.labels import Labels

# Logical pixels from one line of the hatch to the next, and how far a line is from the picture.
_HATCH, _STEP = 8, 40
_VALUES = np.arange(256)
_SHADE = np.where(_VALUES < 128, _VALUES + _STEP, _VALUES - _STEP).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Scene:
    """What is shown.

    Parameters
    ----------
    picture : None while there is none; labels are then shown on black.
    labels : None for none.
    z : slice.
    window : values shown black and white.
    steps : zoomed pixels per image pixel, (y, x).
    zoomed : size of the zoomed grid, (y, x).
    look : colours.
    line_width : device pixels per logical one.
    further : further layers of objects that overlap those of `labels`; of each the outlines, faint.
    hatched : pixels without a class are marked.
    """

    picture: Picture | None
    labels: Labels | None
    z: int
    window: tuple[float, float]
    steps: tuple[float, float]
    zoomed: tuple[int, int]
    look: Look
    line_width: int = 1
    further: tuple[Labels, ...] = ()
    hatched: bool = False

    def key(self, rect: Rect) -> tuple[Any, ...]:
        """What a composed piece depends on; equal keys mean equal pixels."""
        picture = None if self.picture is None else (self.picture.serial, self.window)
        look = self.look.version, self.hatched
        return (picture, self.z, self.steps, look, rect, self._handles(rect))

    def _handles(self, rect: Rect) -> tuple[Any, ...]:
        labels = self.labels
        if labels is None or self.look.shows_nothing:
            return ()
        wide = self._grown(rect)
        part = image_rect(wide, self.steps, (labels.shape.y, labels.shape.x))
        planes = [p for p in ("class", "instance", "origin") if labels.has_plane(p)]
        if not planes:
            return (labels.fill,)
        places = tuple(labels.tiles_in(part, self.z))
        return (
            labels.layer,
            labels.fill,
            *(tuple(labels.handle(plane, at) for at in places) for plane in planes),
            *(tuple(layer.handle("instance", at) for at in places) for layer in self.further),
        )

    def further_in(self, rect: Rect) -> Iterator[Labels]:
        """The further layers that have an object in a rectangle of the zoomed grid."""
        for layer in self.further if not self.look.shows_nothing else ():
            part = image_rect(rect, self.steps, (layer.shape.y, layer.shape.x))
            if any(layer.handle("instance", at) != -1 for at in layer.tiles_in(part, self.z)):
                yield layer

    def _grown(self, rect: Rect) -> Rect:
        return rect.grown(margin(self.line_width, self.steps)).intersect(Rect(0, 0, *self.zoomed))


def compose(
    scene: Scene,
    rect: Rect,
    sampler: LabelSampler,
    strokes: Sequence[LiveStroke] = (),
    *,
    resident_only: bool = False,
) -> NDArray[np.uint8] | None:
    """Draw a rectangle of the zoomed grid.

    Parameters
    ----------
    rect : inside the zoomed grid, not empty.
    strokes : painted over the labels in this order.
    resident_only : give None instead of reading the store or decoding the picture.

    Returns
    -------
    (rect.height, rect.width, 4) uint8: blue, green, red, 255.
    """
    picture = scene.picture
    bgr = None
    if picture is not None:
        bgr = picture.piece(
            scene.z,
            rect,
            scene.zoomed,
            scene.steps,
            scene.window,
            resident_only=resident_only,
        )
        if bgr is None:
            return None
    wide = scene._grown(rect)
    sampled = _sampled(scene, wide, sampler, strokes, resident_only)
    if sampled is None:
        return None
    out: NDArray[np.uint8] = np.empty((rect.height, rect.width, 4), np.uint8)
    if bgr is None:
        out[...] = (0, 0, 0, 255)
    else:
        cv2.cvtColor(bgr, cv2.COLOR_BGR2BGRA, dst=out)
    classes, regions, corrected = sampled
    if classes is None:
        return out
    inner = rect.shifted(-wide.y, -wide.x).slices
    if scene.hatched:
        _hatch(out, classes[inner], rect, scene.line_width)
    _fill(out, classes[inner], scene.look)
    if scene.look.outline > 0:
        # Outlines look beyond the rectangle, so they are drawn on a wider piece and cut.
        if wide == rect:
            canvas = out
        else:
            canvas = np.empty((*classes.shape, 4), np.uint8)
            canvas[inner] = out
        drawn = [(classes, regions, corrected, scene.look)]
        for layer in scene.further_in(wide):
            beneath = replace(scene, labels=layer, look=_faint(scene.look))
            found = _sampled(beneath, wide, sampler, (), resident_only)
            if found is None:
                return None
            drawn.insert(0, (*found, beneath.look))
        for of_classes, of_regions, of_persons, look in drawn:
            draw_outlines(
                canvas,
                of_classes,
                of_regions,
                of_persons,
                look,
                wide,
                scene.line_width,
                scene.steps,
            )
        if canvas is not out:
            out = np.ascontiguousarray(canvas[inner])
    return out


def _faint(look: Look) -> Look:
    """For what is shown and cannot be painted: lines of half the strength, none wider."""
    return replace(look, outline=look.outline / 2, active_rank=0)


def _sampled(
    scene: Scene,
    wide: Rect,
    sampler: LabelSampler,
    strokes: Sequence[LiveStroke],
    resident_only: bool,
) -> tuple[Any, Any, Any] | None:
    """Classes, regions and "set by a person" on the screen; three None if nothing is shown.

    None instead of the three if a tile is not resident and may not be read.
    """
    labels, look = scene.labels, scene.look
    if labels is None or look.shows_nothing:
        return None, None, None
    planes: dict[str, Any] = {}
    for plane in ("class", "instance", "origin"):
        if plane == "class" or labels.has_plane(plane):
            planes[plane] = sampler.sample(
                labels, scene.z, wide, scene.steps, plane, resident_only=resident_only
            )
            if planes[plane] is None:
                return None
    classes = planes["class"]
    origins = planes.get("origin")
    corrected = None if origins is None else look.corrected.take(origins)
    if look.solid:
        corrected = np.ones(classes.shape, bool)
    shape = (labels.shape.y, labels.shape.x)
    for stroke in strokes:
        covered = stroke.covered(wide, scene.steps, shape)
        if covered is None:
            continue
        covered &= stroke.allowed(classes, origins, wide, scene.steps, shape)
        if not covered.any():
            continue
        classes[covered] = stroke.class_id
        if "instance" in planes:
            planes["instance"][covered] = stroke.instance
        if corrected is None:
            corrected = np.zeros(classes.shape, bool)
        corrected |= covered
    regions = classes
    if "instance" in planes and planes["instance"].any():
        regions = _regions(classes, planes["instance"])
    return classes, regions, corrected


def _regions(classes: NDArray[np.uint16], instances: NDArray[np.uint32]) -> NDArray[Any]:
    """One number per class and instance; 16 bits where both fit, for they are much faster."""
    if int(instances.max()) < 1 << 15 and int(classes.max()) < 1 << 15:
        # An instance lies in one class, so its number alone tells it.
        shifted = instances.astype(np.uint16) | np.uint16(1 << 15)
        return np.where(instances > 0, shifted, classes)
    return classes.astype(np.uint64) << np.uint64(32) | instances


def _hatch(target: NDArray[np.uint8], classes: NDArray[np.uint16], at: Rect, width: int) -> None:
    """Thin lines where no class is, a shade off the picture: quiet, but not like background."""
    lines = _lines((at.y + at.x) % (_HATCH * width), (at.height, at.width), width)
    places = lines[np.ascontiguousarray(classes).reshape(-1).take(lines) == 0]
    if len(places):
        pixels = target.view(np.uint32).reshape(-1)
        shaded = _SHADE.take(pixels.take(places).view(np.uint8))
        shaded[3::4] = 255
        pixels[places] = shaded.view(np.uint32)


@functools.lru_cache(maxsize=64)
def _lines(offset: int, shape: tuple[int, int], width: int) -> NDArray[np.intp]:
    """Flat places of the hatch's lines; kept, because tiles are alike."""
    diagonal = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) + offset
    return np.flatnonzero(diagonal % (_HATCH * width) < width)


def _fill(target: NDArray[np.uint8], classes: NDArray[np.uint16], look: Look) -> None:
    if look.fill <= 0:
        return
    shown = look.filled.take(classes)
    if not shown.any():
        return
    table = look.colours.view(np.uint32).reshape(-1)
    colour = table.take(classes).view(np.uint8).reshape(*classes.shape, 4)
    mixed = cv2.addWeighted(target, 1 - look.fill, colour, look.fill, 0)
    cv2.copyTo(mixed, shown.view(np.uint8), target)
