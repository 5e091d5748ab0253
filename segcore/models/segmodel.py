"""The model that everything else handles: a network, its spec, and any input size.

What a family's network may say of itself, beyond its `forward`:

``segmentation_head``
    A submodule; its last convolution is the head, row k belongs to output channel k. Needed.
``encoder``
    A submodule that may come with pretrained weights, with ``output_stride``.
``input_multiple``, ``least_size``
    Height and width are padded to multiples of the one and at least to the other. Without them
    both are the encoder's stride, or 32.
``auxiliary_heads``
    A ModuleDict of heads that only training uses; the last convolution of each is like the head.
``take_classifier``
    Takes the ``classifier.`` part of the state that the encoder's weights come from, for a network
    that keeps a classifier's fully connected layers.
``class_axes``
    A mapping where classes lie in other parameters; see `SegModel.class_axes`.
``own_losses``
    True where `forward` takes `Targets` as well and gives a whole `SegOutput`, with losses of its
    own while it trains.
``semantic_share``
    The weight of the trainer's own loss on the logits beside those, 1 without it.

`forward` gives (B, classes, H, W), or that and a mapping of auxiliary outputs by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from torch import Tensor, nn
from torch.nn import functional

from segcore.base import MaskwrightError
from segcore.models.layers.pooled_norm import let_batches_of_one_train
from segcore.models.output import COARSE, PLACES, POINTS, SegOutput, Targets
from segcore.models.registry import architecture
from segcore.models.rim import extended

if TYPE_CHECKING:
    from segcore.models.spec import ModelSpec

Convolution: TypeAlias = nn.Conv1d | nn.Conv2d  # over single points, or over a map


class SegModel(nn.Module):
    """A segmentation network with its self-description.

    Parameters
    ----------
    spec : says what is built; ``spec.classes.scored[k]`` is the class of output channel k.

    Attributes
    ----------
    network : the family's module, (B, channels, H, W) to (B, classes, H, W) for heights and
        widths that are multiples of `input_multiple` and not below `least_size`.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.network = let_batches_of_one_train(architecture(spec.architecture).builder(spec))
        stride = getattr(self.encoder, "output_stride", 32)
        self.input_multiple = int(getattr(self.network, "input_multiple", stride))
        self.least_size = int(getattr(self.network, "least_size", self.input_multiple))

    def forward(self, images: Tensor, targets: Targets | None = None) -> SegOutput:
        """Scores of every class at the input's size, whatever that size is.

        Parameters
        ----------
        images : (B, channels, H, W) float, as `segcore.models.prepare` makes them.
        targets : of the same size, for a network with losses of its own while it trains; others
            do without.

        Raises
        ------
        MaskwrightError : another number of channels than the model takes; no targets for a
            network that cannot train without.
        """
        if images.shape[1] != self.spec.channels:
            raise MaskwrightError(
                f"The image has {images.shape[1]} channels and the model takes "
                f"{self.spec.channels}.",
                "Choose a model made for such images.",
            )
        height, width = images.shape[-2:]
        padded = self.padded(height, width)
        bottom, right = padded[0] - height, padded[1] - width
        if bottom or right:
            images = extended(images, *padded)
        if self.own_losses:
            taught = None if targets is None else targets.padded(bottom, right)
            output: SegOutput = self.network(images, taught)
            return output.cropped(height, width)
        given = self.network(images)
        logits, extra = given if isinstance(given, tuple) else (given, {})
        size = images.shape[-2:]
        aux = {
            name: value
            if name.endswith((COARSE, POINTS, PLACES))
            else _resized(value, (size[0], size[1]))[..., :height, :width]
            for name, value in extra.items()
        }
        return SegOutput(logits=logits[..., :height, :width], aux=aux)

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """The size at which a picture of this size is computed."""
        step, least = self.input_multiple, self.least_size
        return _to_multiple(height, step, least), _to_multiple(width, step, least)

    @property
    def own_losses(self) -> bool:
        """Whether the network takes targets and makes losses of its own."""
        return bool(getattr(self.network, "own_losses", False))

    @property
    def semantic_share(self) -> float:
        """The weight of the trainer's own loss on the logits."""
        return float(getattr(self.network, "semantic_share", 1.0))

    @property
    def finds_objects(self) -> bool:
        """Whether it tells objects of one class apart."""
        return "instances" in self.spec.tasks

    @property
    def head(self) -> Convolution:
        """The last convolution: row k belongs to output channel k."""
        return _last_convolution(self.network.get_submodule("segmentation_head"))

    @property
    def auxiliary_heads(self) -> list[Convolution]:
        """The last convolutions of the heads that only training uses."""
        found = getattr(self.network, "auxiliary_heads", None)
        return [_last_convolution(m) for m in found.values()] if found is not None else []

    def class_axes(self) -> dict[str, dict[int, int]]:
        """Where classes lie in the parameters, so that fine-tuning can carry each one over.

        Returns
        -------
        The name of a parameter to {axis: index of the first class on it}. The weight and bias of
        the head and of the auxiliary heads have axis 0, from 0; a network that reads classes in
        again (a point head) names those parameters in its own ``class_axes``.
        """
        own: Mapping[str, Mapping[int, int]] = getattr(self.network, "class_axes", {})
        found = {f"network.{name}": dict(axes) for name, axes in own.items()}
        heads = {id(p) for head in (self.head, *self.auxiliary_heads) for p in head.parameters()}
        for name, parameter in self.named_parameters():
            if id(parameter) in heads:
                found.setdefault(name, {0: 0})
        return found

    @property
    def encoder(self) -> nn.Module | None:
        """The part that may come with pretrained weights, if the family has one."""
        found = getattr(self.network, "encoder", None)
        return found if isinstance(found, nn.Module) else None

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters of the encoder, empty for a family without one."""
        return list(self.encoder.parameters()) if self.encoder is not None else []


def _to_multiple(size: int, step: int, least: int) -> int:
    return -(-max(size, least) // step) * step


def _last_convolution(module: nn.Module) -> Convolution:
    return [m for m in module.modules() if isinstance(m, Convolution)][-1]


def _resized(values: Tensor, size: tuple[int, int]) -> Tensor:
    if values.shape[-2:] == size:
        return values
    return functional.interpolate(values, size=size, mode="bilinear", align_corners=False)
