"""Mask R-CNN on a feature pyramid over any encoder, and what its descendants change of it."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.faster_rcnn import TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from segcore.base import MaskwrightError
from segcore.models.layers.backbone import backbone, multiple, widths
from segcore.models.layers.detection import (
    LEVELS,
    BoxPredictor,
    MaskPredictor,
    ObjectHeads,
    Proposals,
    PyramidPool,
)
from segcore.models.layers.object_targets import encode
from segcore.models.layers.point_masks import PointRefiner
from segcore.models.objects import Found, paint
from segcore.models.output import Detections, SegOutput, Targets
from segcore.models.spec import ModelSpec

LEAST_SCORE = 0.5  # of an object that is painted: as in the panoptic heuristics
_AT_224 = 32  # the smallest anchor for which a box of 224 pixels belongs to the level of stride 16
_LEAST = 1e-4  # of a probability whose logarithm is taken


class MaskRcnn(nn.Module):
    """Boxes, classes and masks of objects (He et al. 2017, arXiv:1703.06870).

    Parameters
    ----------
    path : what the pyramid's four maps go through before boxes are pooled from them.
    box_head, mask_branch : other heads than Mask R-CNN's; beside another box head both are given
        every level's features.
    mask_pool : where the mask branch is to be given others.
    refiner : makes finer masks of the mask branch's, as PointRend does.
    """

    own_losses = True
    semantic_share = 0.0  # the trainer's own loss has no part: logits come from the objects
    least_score = LEAST_SCORE
    things: Tensor

    def __init__(
        self,
        spec: ModelSpec,
        *,
        path: nn.Module | None = None,
        box_head: nn.Module | None = None,
        mask_branch: nn.Module | None = None,
        mask_pool: nn.Module | None = None,
        refiner: PointRefiner | None = None,
    ) -> None:
        super().__init__()
        told = spec.classes.scored
        things = torch.tensor([c.thing for c in told])
        self.register_buffer("things", things, persistent=False)
        self.stuff = next((k for k, c in enumerate(told) if not c.thing), None)
        self.encoder = backbone(spec)
        self.input_multiple = multiple(self.encoder)
        found = widths(self.encoder)
        channels, features = (
            int(spec.options["pyramid_channels"]),
            int(spec.options["box_features"]),
        )
        self.pyramid = FeaturePyramidNetwork(
            [found[stride] for stride in LEVELS], channels, LastLevelMaxPool()
        )
        self.path = path
        smallest = int(spec.options["smallest_anchor"])
        canonical = 224 * smallest / _AT_224
        self.proposals = Proposals(channels, smallest, int(spec.options["proposals"]))
        if mask_branch is None:
            mask_branch = nn.Sequential(
                MaskRCNNHeads(channels, (channels,) * 4, 1), MaskPredictor(channels, len(told))
            )
        self.heads = ObjectHeads(
            PyramidPool(7, canonical, everywhere=box_head is not None),
            box_head or TwoMLPHead(channels * 7 * 7, features),
            BoxPredictor(features, things),
            mask_pool or PyramidPool(14, canonical, everywhere=box_head is not None),
            mask_branch,
            refiner=refiner,
            sampled=int(spec.options["sampled"]),
            detections=int(spec.options["detections"]),
        )

    @property
    def segmentation_head(self) -> nn.Module:
        """The masks' last layer: one map a class."""
        if self.heads.refiner is not None:
            return self.heads.refiner.get_submodule("head.predictor")
        found = [m for m in self.heads.mask_branch.modules() if isinstance(m, MaskPredictor)]
        return found[-1]

    @property
    def class_axes(self) -> dict[str, dict[int, int]]:
        """The rows of scores and boxes, where row 0 is the background; and what masks say."""
        names = ("classes.weight", "classes.bias", "boxes", "shift")
        found = {f"heads.box_predictor.{name}": {0: 1} for name in names}
        for part in ("mask_branch", "refiner"):
            own = getattr(getattr(self.heads, part), "class_axes", {})
            found |= {f"heads.{part}.{name}": dict(axes) for name, axes in own.items()}
        return found

    def forward(self, images: Tensor, targets: Targets | None = None) -> SegOutput:
        """Losses while training, else what was found.

        Raises
        ------
        MaskwrightError : it trains and has no targets.
        """
        maps = self.maps(images)
        # Boxes are coordinates: bfloat16 has no pixel finer than 4 in a picture of 1000.
        with torch.autocast(images.device.type, enabled=False):
            return self.output(images, maps, targets)

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """The pyramid's maps by stride, finest first; the last one is for proposals only."""
        width = images.shape[-1]
        found = {width // f.shape[-1]: f for f in self.encoder(images)}
        maps = self.pyramid(OrderedDict((str(s), found[s]) for s in LEVELS))
        return {name: values.float() for name, values in maps.items()}

    def output(self, images: Tensor, maps: dict[str, Tensor], targets: Targets | None) -> SegOutput:
        batch, _, height, width = images.shape
        classes = len(self.things)
        if not self.training:
            detections = self.find(images, maps)
            found = [d.found(height, width, self.least_score) for d in detections]
            logits = torch.stack([self._logits(f, height, width) for f in found])
            painted = [paint(f, (height, width))[0] for f in found]
            return SegOutput(
                logits=logits.to(images.device),
                detections=detections,
                instances=torch.from_numpy(np.stack(painted).astype(np.int64)).to(images.device),
            )
        losses = self.learn(images, maps, targets)
        logits = maps["4"].new_zeros(1).expand(batch, classes, height, width)
        return SegOutput(logits=logits, losses=losses)

    def learn(
        self, images: Tensor, maps: dict[str, Tensor], targets: Targets | None
    ) -> dict[str, Tensor]:
        """The losses of proposals, classes, boxes and masks."""
        if targets is None:
            raise MaskwrightError(
                "A model that finds objects cannot train without targets.",
                "Hand it the classes and the object numbers of the pictures.",
            )
        rows = encode(targets, self.things)
        sizes = [(images.shape[-2], images.shape[-1])] * len(images)
        proposals, losses = self.proposals(ImageList(images, sizes), maps, rows)
        return {
            "objectness": losses["loss_objectness"],
            "proposal": losses["loss_rpn_box_reg"],
            **self.heads.learn(self._pooled(maps), proposals, rows),
        }

    def find(self, images: Tensor, maps: dict[str, Tensor]) -> list[Detections]:
        """The objects of each picture."""
        sizes = [(images.shape[-2], images.shape[-1])] * len(images)
        proposals, _ = self.proposals(ImageList(images, sizes), maps)
        found = self.heads.find(self._pooled(maps), proposals, sizes)
        return [
            Detections(f["boxes"][:, [1, 0, 3, 2]], f["scores"], f["channels"], f["masks"])
            for f in found
        ]

    def _pooled(self, maps: dict[str, Tensor]) -> list[Tensor]:
        found = [maps[str(stride)] for stride in LEVELS]
        return found if self.path is None else self.path(found)

    def _logits(self, found: list[Found], height: int, width: int) -> Tensor:
        """(C, H, W): the logarithm of each class's probability, from the objects alone."""
        shares = np.zeros((len(self.things), height, width), np.float32)
        for one in found:
            part = shares[(one.channel, *one.rect.slices)]
            np.maximum(part, one.mask, out=part)
        if self.stuff is not None:
            shares[self.stuff] = 1 - shares.max(0)
        return torch.from_numpy(np.log(np.maximum(shares, _LEAST)))
