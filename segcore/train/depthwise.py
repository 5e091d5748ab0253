"""Depthwise convolutions that train fast on a CPU.

In bfloat16 the library falls back to a reference kernel for the gradient of a depthwise
convolution: one of EfficientNet-Lite0's (96 channels, 3 x 3, stride 2, 161 x 193) took 305 ms, in
float32 with channels last 51 ms. So the forward pass stays in bfloat16 and the gradient is
computed in float32, which is also the more exact of the two.

The gradient of a dilated one is slow in every type, and some are slow forward too: 1,152 channels,
5 x 5, dilation 4, two pictures of 48 x 60 in float32 took 4.5 s both ways on one thread of a busy
machine, and 0.5 s as plain convolutions on interleaved grids.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers import Conv2dSame, pad_same
from torch import Tensor, nn
from torch.nn import functional


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        kernel: Tensor,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
    ) -> Tensor:
        ctx.save_for_backward(images, kernel)
        ctx.how = (stride, padding, dilation)
        return functional.conv2d(
            images, kernel.to(images.dtype), None, stride, padding, dilation, images.shape[1]
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        images, kernel = ctx.saved_tensors
        stride, padding, dilation = ctx.how
        last = torch.channels_last
        to_images, to_kernel, _ = torch.ops.aten.convolution_backward(
            gradients[0].float().contiguous(memory_format=last),
            images.float().contiguous(memory_format=last),
            kernel.float(),
            None,
            stride,
            padding,
            dilation,
            False,
            [0, 0],
            images.shape[1],
            [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False],
        )
        if to_images is not None:
            to_images = to_images.to(images.dtype)
        return to_images, to_kernel, None, None, None


def _splits(module: nn.Conv2d) -> bool:
    return module.stride == (1, 1) and max(module.dilation) > 1


def _on_grids(
    images: Tensor, kernel: Tensor, padding: tuple[int, ...], dilation: tuple[int, ...]
) -> Tensor:
    """The dilated convolution as a plain one on each of the interleaved grids that it sees apart.

    Pixels of one grid are `dilation` apart, and no tap reaches from one grid to another.
    """
    down, right = dilation
    size = [
        length + 2 * pad - step * (taps - 1)
        for length, pad, step, taps in zip(
            images.shape[2:], padding, dilation, kernel.shape[2:], strict=True
        )
    ]
    rows, columns = images.shape[2] + 2 * padding[0], images.shape[3] + 2 * padding[1]
    # Channels last all the way: what is copied are whole pixels.
    pixels = functional.pad(
        images.permute(0, 2, 3, 1),
        (0, 0, padding[1], padding[1] + -columns % right, padding[0], padding[0] + -rows % down),
    )
    channels = images.shape[1]
    parts = (len(images), pixels.shape[1] // down, down, pixels.shape[2] // right, right, channels)
    grids = pixels.reshape(parts).permute(2, 4, 0, 1, 3, 5)
    out: Tensor = _Depthwise.apply(
        grids.flatten(0, 2).permute(0, 3, 1, 2), kernel, (1, 1), (0, 0), (1, 1)
    )
    parts = (down, right, len(images), out.shape[2], out.shape[3], channels)
    whole = out.permute(0, 2, 3, 1).reshape(parts).permute(2, 3, 0, 4, 1, 5)
    return whole.flatten(3, 4).flatten(1, 2)[:, : size[0], : size[1]].permute(0, 3, 1, 2)


def _forward(module: nn.Conv2d, images: Tensor) -> Tensor:
    padding: Any = module.padding
    if isinstance(module, Conv2dSame):  # pads as TensorFlow does, by the input's size
        images = pad_same(images, module.kernel_size, module.stride, module.dilation)
        padding = (0, 0)
    # The input's own type decides, as autocast does for the layers before and after.
    if torch.is_autocast_enabled("cpu"):
        images = images.to(torch.get_autocast_dtype("cpu"))
    with torch.autocast("cpu", enabled=False):
        if _splits(module):
            result = _on_grids(images, module.weight, padding, module.dilation)
        else:
            result = _Depthwise.apply(
                images, module.weight, module.stride, padding, module.dilation
            )
        if module.bias is not None:
            result = result + module.bias.to(result.dtype)[:, None, None]
    return result


def is_depthwise(module: nn.Module) -> bool:
    """A 2-D convolution with one kernel a channel."""
    return (
        type(module) in (nn.Conv2d, Conv2dSame)
        and isinstance(module, nn.Conv2d)
        and module.groups == module.in_channels == module.out_channels
        and module.groups > 1
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
    )


def speed_up_depthwise(model: nn.Module) -> int:
    """Give every depthwise convolution of `model` the fast way; returns how many there are.

    Parameters and their names stay as they are.
    """
    count = 0
    for module in model.modules():
        if is_depthwise(module):
            module.forward = _forward.__get__(module)
            count += 1
    return count
