"""The convolutions of VGG, in torchvision's names, as the networks of 2014 and 2015 use them.

Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
https://arxiv.org/abs/1409.1556. `features` is torchvision's, index by index, so that its weights
load; only what each family changes (pooling, dilation) differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from torch import Tensor, nn
from torchvision.models import vgg

_STAGES = {"vgg11": "A", "vgg13": "B", "vgg16": "D", "vgg19": "E"}


class VggEncoder(nn.Module):
    """The five stages of a VGG, each of convolutions and one pooling.

    Parameters
    ----------
    name : ``vgg16``, ``vgg16_bn`` and so on.
    channels : of the input picture.
    """

    output_stride = 32

    def __init__(self, name: str, channels: int) -> None:
        super().__init__()
        plain = name.removesuffix("_bn")
        self.features: nn.Sequential = vgg.make_layers(
            vgg.cfgs[_STAGES[plain]], batch_norm=plain != name
        )
        if channels != 3:
            self.features[0] = nn.Conv2d(channels, 64, 3, padding=1)
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                # He et al. 2015, https://arxiv.org/abs/1502.01852: without norms nothing less
                # lets thirteen layers start from random numbers.
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(cast("Tensor", module.bias))

    def stages(self) -> Iterator[list[nn.Module]]:
        """The modules of each stage in turn, its pooling last."""
        stage: list[nn.Module] = []
        for module in self.features:
            stage.append(module)
            if isinstance(module, nn.MaxPool2d):
                yield stage
                stage = []

    @property
    def widths(self) -> list[list[int]]:
        """Channels after each convolution, stage by stage."""
        return [[m.out_channels for m in s if isinstance(m, nn.Conv2d)] for s in self.stages()]

    def forward(self, images: Tensor) -> list[Tensor]:
        """The maps after each of the five poolings, at strides 2, 4, 8, 16 and 32."""
        found = []
        values = images
        for stage in self.stages():
            for module in stage:
                values = module(values)
            found.append(values)
        return found


class IndexedVgg(VggEncoder):
    """A VGG that also tells which pixel each maximum came from."""

    def __init__(self, name: str, channels: int) -> None:
        super().__init__(name, channels)
        for module in self.features:
            if isinstance(module, nn.MaxPool2d):
                module.return_indices = True

    def forward(  # type: ignore[override]
        self, images: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The maps after each pooling, and (B, C, h, w) int64 places of the maxima before it."""
        found, indices = [], []
        values = images
        for *convolutions, pool in self.stages():
            for module in convolutions:
                values = module(values)
            values, places = pool(values)
            found.append(values)
            indices.append(places)
        return found, indices


class AtrousVgg(VggEncoder):
    """A VGG of stride 8, as DeepLab makes it.

    The last two poolings keep the size and the convolutions after the first of them are dilated
    by 2 (Chen et al. 2014, section 3.1). All poolings are 3 x 3, as in the authors' networks: on
    sizes 8 k + 1 the maps then lie on every eighth pixel exactly.
    """

    output_stride = 8

    def __init__(self, name: str, channels: int) -> None:
        super().__init__(name, channels)
        for number, stage in enumerate(self.stages(), start=1):
            for module in stage:
                if isinstance(module, nn.MaxPool2d):
                    module.kernel_size, module.padding = 3, 1
                    module.stride = 2 if number < 4 else 1
                elif isinstance(module, nn.Conv2d) and number == 5:
                    module.dilation = module.padding = (2, 2)
