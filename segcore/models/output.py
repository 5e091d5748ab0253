"""What a model's forward pass gives and is taught with, typed for every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

from segcore.base.dataclass import dataclass

if TYPE_CHECKING:
    from torch import Tensor

    from segcore.models.objects import Found


# How the name of an auxiliary output ends says what it is:
COARSE = "_coarse"  # a map that keeps its own, smaller size
POINTS = "_points"  # (B, C, N) scores at single points, whose places are beside it
PLACES = "_places"  # (B, N, 2) float: x and y of those points, in pixels of the input

VOID = -100
"""In a target: no class, learned from nowhere; what the losses leave out."""

SEGMENT_BITS = 32
"""A panoptic segment's number is (channel + 1) * 2^32 + object, as in `segcore.metrics`."""


@dataclass(frozen=True)
class Targets:
    """What a model that makes its own losses is taught with.

    Parameters
    ----------
    semantic : (B, H, W) int64 output channels; whatever is no channel is void.
    instances : (B, H, W) int64 object numbers, 0 = none. An object's class is what most of its
        pixels have. Where the class is a thing and the number 0 nobody told the objects apart (a
        crowd): nothing is learned there, neither that there are objects nor that there are none.
    further : classes and numbers of objects that overlap those before them, and so are whole in a
        layer of their own; void where such a layer has no object.
    """

    semantic: Tensor
    instances: Tensor
    further: tuple[tuple[Tensor, Tensor], ...] = ()

    @property
    def layers(self) -> tuple[tuple[Tensor, Tensor], ...]:
        """Classes and numbers of all layers."""
        return ((self.semantic, self.instances), *self.further)

    def padded(self, bottom: int, right: int) -> Targets:
        """With rows and columns of void added."""
        from torch.nn import functional

        rim = (0, right, 0, bottom)
        first, *further = [
            (functional.pad(semantic, rim, value=VOID), functional.pad(instances, rim))
            for semantic, instances in self.layers
        ]
        return Targets(*first, tuple(further))


@dataclass(frozen=True)
class Detections:
    """The objects that were found in one picture, best score first; N of them.

    Parameters
    ----------
    boxes : (N, 4) float32 y0, x0, y1, x1: edges in pixels of the input, so that a box over the
        whole picture is 0, 0, H, W.
    scores : (N,) float32, 0 to 1.
    channels : (N,) int64, the output channel of each one's class.
    masks : (N, m, m) float32 probabilities on a grid over each box; `found` lays them out.
    """

    boxes: Tensor
    scores: Tensor
    channels: Tensor
    masks: Tensor

    def found(self, height: int, width: int, least_score: float = 0.0) -> list[Found]:
        """The objects as masks on the pixels of a picture, those with at least this score."""
        from segcore.models.objects import lay_out

        wanted = self.scores >= least_score
        return lay_out(
            self.boxes[wanted].cpu().double().numpy(),  # a Mac's card has no float64
            self.scores[wanted].cpu().double().numpy(),
            self.channels[wanted].cpu().numpy(),
            self.masks[wanted].float().cpu().numpy(),
            (height, width),
        )


@dataclass(frozen=True)
class SegOutput:
    """The output of `SegModel.forward`; axes B batch, C classes, D depth, H rows, W columns.

    Parameters
    ----------
    logits : (B, C, H, W), or (B, C, D, H, W) for volumes: one score a class before the softmax,
        at the input's size. Channel k is the spec's k-th scored class. A model that only finds
        objects derives them from these: the logarithm of the highest mask probability of a thing,
        and for the first class that is no thing that of what is left. While it trains they are 0.
    detections : the objects of each picture, one row each; None for models that know none, and
        while training.
    instances : (B, H, W) int64, the objects whose score is high enough, best score first, painted
        one over the other; k + 1 is the k-th, 0 none. Only of models with that task.
    panoptic : (B, H, W) int64 segments, (channel + 1) * 2^32 + instance; 0 is undecided. Only of
        models with that task.
    prompted : (B, N, H, W) logits of N masks that answer clicks or boxes; only with that task.
    losses : the network's own, scalars by name, while it trains with targets.
    aux : further outputs by name that a loss may want (deep supervision, a boundary head), while
        training; maps at the input's size unless the name ends in ``_coarse``, or points and
        their places, ``NAME_points`` and ``NAME_places``.
    """

    logits: Tensor
    detections: Sequence[Detections] | None = None
    instances: Tensor | None = None
    panoptic: Tensor | None = None
    prompted: Tensor | None = None
    losses: Mapping[str, Tensor] = field(default_factory=dict)
    aux: Mapping[str, Tensor] = field(default_factory=dict)

    def cropped(self, height: int, width: int) -> SegOutput:
        """Without what was found in the rows and columns that were added to the picture.

        Masks are laid out on the picture afterwards, so that boxes may reach beyond its rim.
        """
        if self.logits.shape[-2:] == (height, width):
            return self

        def cut(plane: Tensor | None) -> Tensor | None:
            return None if plane is None else plane[..., :height, :width]

        return replace(
            self,
            logits=self.logits[..., :height, :width],
            instances=cut(self.instances),
            panoptic=cut(self.panoptic),
        )
