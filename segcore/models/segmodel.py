"""The model that everything else handles: a network, its spec, and any input size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from segcore.base import MaskwrightError
from segcore.models.output import SegOutput
from segcore.models.registry import architecture

if TYPE_CHECKING:
    from segcore.models.spec import ModelSpec


class SegModel(nn.Module):
    """A segmentation network with its self-description.

    Parameters
    ----------
    spec : says what is built; ``spec.classes.scored[k]`` is the class of output channel k.

    Attributes
    ----------
    network : the family's module, (B, channels, H, W) to (B, classes, H, W) for sizes that are
        multiples of its stride.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.spec = spec
        self.network = architecture(spec.architecture).builder(spec)
        self.stride = int(getattr(self.encoder, "output_stride", 32))

    def forward(self, images: Tensor) -> SegOutput:
        """Scores of every class at the input's size, whatever that size is.

        Parameters
        ----------
        images : (B, channels, H, W) float, as `segcore.models.prepare` makes them.

        Raises
        ------
        MaskwrightError : another number of channels than the model takes.
        """
        if images.shape[1] != self.spec.channels:
            raise MaskwrightError(
                f"The image has {images.shape[1]} channels and the model takes "
                f"{self.spec.channels}.",
                "Choose a model made for such images.",
            )
        height, width = images.shape[-2:]
        # A batch of one whose coarsest features are a single pixel has nothing to normalise by
        # while training, hence twice the stride at least.
        least = 2 * self.stride if self.training else self.stride
        bottom = _to_multiple(height, self.stride, least) - height
        right = _to_multiple(width, self.stride, least) - width
        if bottom or right:
            # The rim is repeated: zeros would be an edge that the picture does not have.
            images = functional.pad(images, (0, right, 0, bottom), mode="replicate")
        logits = self.network(images)
        return SegOutput(logits=logits[..., :height, :width])

    @property
    def head(self) -> nn.Conv2d:
        """The last convolution: row k belongs to output channel k."""
        last = self.network.get_submodule("segmentation_head")
        return [m for m in last.modules() if isinstance(m, nn.Conv2d)][-1]

    @property
    def encoder(self) -> nn.Module | None:
        """The part that may come with pretrained weights, if the family has one."""
        found = getattr(self.network, "encoder", None)
        return found if isinstance(found, nn.Module) else None

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters of the encoder, empty for a family without one."""
        return list(self.encoder.parameters()) if self.encoder is not None else []


def _to_multiple(size: int, step: int, least: int) -> int:
    return max(least, -(-size // step) * step)
