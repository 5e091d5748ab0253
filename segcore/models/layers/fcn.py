"""FCN: a classifier made of convolutions only, its scores enlarged and added to finer ones.

Long, Shelhamer & Darrell 2014, https://arxiv.org/abs/1411.4038, sections 3 and 4; the scales of
training at once are those of Shelhamer, Long & Darrell 2016, https://arxiv.org/abs/1605.06211.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from segcore.models.layers.backbone import at_stride, multiple, widths

AT_ONCE = {16: 0.01, 8: 0.0001}


class Classifier(nn.Sequential):
    """VGG's two fully connected layers as convolutions, in torchvision's names.

    torchvision's matrices load as they are: fc6 read each of 7 x 7 places of 512 channels, which
    is a kernel of that size. The map keeps its size, by padding.
    """

    def __init__(self, inside: int = 512, width: int = 4096) -> None:
        super().__init__(
            nn.Conv2d(inside, width, 7, padding=3),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Conv2d(width, width, 1),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
        )

    def take(self, state: Mapping[str, Tensor]) -> None:
        """Fill from torchvision's VGG, whose state has ``classifier.0`` and ``classifier.3``."""
        own = self.state_dict()
        self.load_state_dict({k: state[f"classifier.{k}"].reshape(own[k].shape) for k in own})


class DoubleUp(nn.Module):
    """Twice the size by a learned kernel for each class that starts as bilinear interpolation."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
        kernel = torch.outer(ramp, ramp).expand(classes, 1, 4, 4)
        self.weight = nn.Parameter(kernel.clone())

    def forward(self, scores: Tensor) -> Tensor:
        # The rim is repeated, as interpolation does it: the authors have 100 pixels of padding
        # around the picture instead.
        wide = functional.pad(scores, (1, 1, 1, 1), mode="replicate")
        return functional.conv_transpose2d(
            wide, self.weight, stride=2, padding=3, groups=len(self.weight)
        )


class Fcn(nn.Module):
    """Scores at stride 32, joined by those of finer maps.

    Parameters
    ----------
    encoder : gives maps at strides 8, 16 and 32.
    classifier : what comes between the coarsest map and its scores; None for nothing.
    classes : of the result.
    stride : 32, 16 or 8: the finest map that is scored.
    at_once : scale the finer maps so that all strides can be trained from the start.
    """

    def __init__(
        self,
        encoder: nn.Module,
        classifier: Classifier | None,
        classes: int,
        stride: int,
        at_once: bool,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.input_multiple = self.least_size = multiple(encoder)
        self.classifier = classifier
        self.coarse_stride = stride
        self.strides = tuple(s for s in (16, 8) if s >= stride)
        self.scales = AT_ONCE if at_once else {16: 1.0, 8: 1.0}
        have = widths(encoder)
        self.segmentation_head = nn.Conv2d(4096 if classifier else have[32], classes, 1)
        self.scores = nn.ModuleDict({str(s): nn.Conv2d(have[s], classes, 1) for s in self.strides})
        self.enlarge = nn.ModuleDict({str(s): DoubleUp(classes) for s in self.strides})
        for parameter in (*self.segmentation_head.parameters(), *self.scores.parameters()):
            # Zero, as in section 4.2: a new skip then changes nothing until it is trained.
            nn.init.zeros_(parameter)
        names = [
            *self.scores.state_dict(prefix="scores."),
            *self.enlarge.state_dict(prefix="enlarge."),
        ]
        self.class_axes: dict[str, dict[int, int]] = {name: {0: 0} for name in names}

    def take_classifier(self, state: Mapping[str, Tensor]) -> None:
        """fc6 and fc7 of the classifier that the encoder's weights are from."""
        if self.classifier is not None:
            self.classifier.take(state)

    def forward(self, images: Tensor) -> Tensor:
        found = self.encoder(images)
        values = at_stride(found, self.encoder, 32)
        if self.classifier is not None:
            values = self.classifier(values)
        scores: Tensor = self.segmentation_head(values)
        for stride in self.strides:
            finer = self.scales[stride] * at_stride(found, self.encoder, stride)
            scores = self.enlarge[str(stride)](scores) + self.scores[str(stride)](finer)
        # The last step is not learned (section 4.3).
        return functional.interpolate(
            scores, size=images.shape[-2:], mode="bilinear", align_corners=False
        )
