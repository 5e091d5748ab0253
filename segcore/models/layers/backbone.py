"""Encoders for the networks written here: VGG in torchvision's names, the others as smp's."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from segcore.base import MaskwrightError
from segcore.models.encoder_table import encoder_row, is_vgg
from segcore.models.layers.vgg import AtrousVgg, VggEncoder
from segcore.models.spec import ModelSpec


def backbone(spec: ModelSpec, output_stride: int = 32) -> nn.Module:
    """The encoder of a spec, with random numbers; its forward pass gives a list of maps.

    Parameters
    ----------
    output_stride : 32, or 8: then it is dilated.

    Raises
    ------
    MaskwrightError : no such encoder, or one that cannot be dilated.
    """
    if is_vgg(spec.encoder):
        kind = VggEncoder if output_stride == 32 else AtrousVgg
        return kind(spec.encoder, spec.channels)
    import segmentation_models_pytorch as smp

    known = encoder_row(spec.encoder)
    try:
        encoder: Any = smp.encoders.get_encoder(
            spec.encoder,
            in_channels=spec.channels,
            depth=5,
            weights=None,
            output_stride=output_stride,
            **({} if known is None else dict(known.settings)),
        )
    except (KeyError, ValueError, RuntimeError, TypeError, AssertionError) as error:
        raise MaskwrightError(
            f'The encoder "{spec.encoder}" cannot be used: {str(error)[:200]}',
            "Name another one, such as vgg16 or resnet34.",
        ) from error
    if known is not None and known.multiple > 32:
        encoder.input_multiple = known.multiple
    return cast("nn.Module", encoder)


def multiple(encoder: nn.Module) -> int:
    """Heights and widths that the encoder takes are multiples of it."""
    stride = int(cast("int", encoder.output_stride))
    return max(stride, int(cast("int", getattr(encoder, "input_multiple", stride))))


def widths(encoder: nn.Module) -> dict[int, int]:
    """Channels of the encoder's maps, by stride; of maps of one size the last."""
    if isinstance(encoder, AtrousVgg):
        return {8: encoder.widths[-1][-1]}
    if isinstance(encoder, VggEncoder):
        return {2 ** (i + 1): stage[-1] for i, stage in enumerate(encoder.widths)}
    least = int(cast("int", encoder.output_stride))
    channels = cast("list[int]", encoder.out_channels)
    return {min(2**i, least): n for i, n in enumerate(channels)}


def at_stride(found: list[Tensor], encoder: nn.Module, stride: int) -> Tensor:
    """Of an encoder's maps the one at this stride."""
    strides = [2 ** (i + 1 if isinstance(encoder, VggEncoder) else i) for i in range(len(found))]
    return found[strides.index(stride)]
