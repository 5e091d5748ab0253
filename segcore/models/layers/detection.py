"""Proposals, pooling and heads of two-stage detectors: torchvision's, on whole-picture targets.

What differs from torchvision's own modules: places aside (void, crowds) count neither as objects
nor as background; features are pooled without the shift by half a pixel; the box that is regressed
is that of the class, kept as a parameter with an axis of classes, and the mask head has one map a
class and none for the background, so that fine-tuning can carry each class over. What refines the
masks, as PointRend does, is a part of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.ops import clip_boxes_to_image, roi_align

from segcore.models.layers.object_targets import Row, masks_on_boxes, share_aside
from segcore.models.layers.point_masks import PointRefiner
from segcore.models.layers.points import of_channel
from segcore.models.objects import LOWEST_SCORE

LEVELS = (4, 8, 16, 32)  # strides of the maps that boxes are pooled from
ASIDE = 0.5  # share of a box; what lies aside by more is no example of background


class Proposals(RegionProposalNetwork):  # type: ignore[misc]
    """The region proposal network of Ren et al. 2015 on the levels of a pyramid (Lin et al. 2016).

    Parameters
    ----------
    smallest : side in pixels of the anchors on the finest level; each level has twice the last.
    kept : the most proposals of a picture in prediction; 2000 while training.
    """

    def __init__(self, channels: int, smallest: int, kept: int) -> None:
        sizes = tuple((smallest * 2**level,) for level in range(len(LEVELS) + 1))
        super().__init__(
            AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes)),
            RPNHead(channels, 3),
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.3,
            batch_size_per_image=256,
            positive_fraction=0.5,
            pre_nms_top_n={"training": 2000, "testing": 1000},
            post_nms_top_n={"training": 2000, "testing": kept},
            nms_thresh=0.7,
        )

    def assign_targets_to_anchors(
        self, anchors: list[Tensor], targets: list[Row]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """As torchvision's; anchors that lie aside are no background."""
        labels, boxes = super().assign_targets_to_anchors(anchors, targets)
        for label, at, row in zip(labels, anchors, targets, strict=True):
            label[(label == 0) & (share_aside(row["aside"], at) > ASIDE)] = -1
        return labels, boxes

    def compute_loss(
        self,
        objectness: Tensor,
        pred_bbox_deltas: Tensor,
        labels: list[Tensor],
        regression_targets: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """As torchvision's; 0 for a batch of which nothing is known, where its mean is none."""
        if all((label < 0).all() for label in labels):
            return 0 * objectness.sum(), 0 * pred_bbox_deltas.sum()
        return cast(
            "tuple[Tensor, Tensor]",
            super().compute_loss(objectness, pred_bbox_deltas, labels, regression_targets),
        )


class PyramidPool(nn.Module):
    """RoIAlign on a pyramid: (N, C, size, size), each box from the level of its size.

    Lin et al. 2016, equation 1: a box of `canonical` pixels belongs to the level of stride 16.

    Parameters
    ----------
    everywhere : adaptive feature pooling (Liu et al. 2018, section 3.2): every box from every
        level, (levels, N, C, size, size).
    """

    def __init__(self, size: int, canonical: float, *, everywhere: bool = False) -> None:
        super().__init__()
        self.size, self.canonical, self.everywhere = size, canonical, everywhere

    def forward(self, maps: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        rois = torch.cat(
            [torch.cat((b.new_full((len(b), 1), k), b), dim=1) for k, b in enumerate(boxes)]
        )
        if self.everywhere:
            return torch.stack([self._from(m, s, rois) for m, s in zip(maps, LEVELS, strict=True)])
        level = self._levels(rois)
        order = torch.argsort(level, stable=True)
        parts = [
            self._from(found, stride, rois[level == k])
            for k, (found, stride) in enumerate(zip(maps, LEVELS, strict=True))
        ]
        return torch.cat(parts)[torch.argsort(order)]

    def _levels(self, rois: Tensor) -> Tensor:
        sides = ((rois[:, 3] - rois[:, 1]) * (rois[:, 4] - rois[:, 2])).clamp(min=1e-6).sqrt()
        return (LEVELS.index(16) + torch.log2(sides / self.canonical + 1e-6)).floor().clamp(0, 3)

    def _from(self, found: Tensor, stride: int, rois: Tensor) -> Tensor:
        return cast(
            "Tensor", roi_align(found, rois, (self.size, self.size), 1 / stride, 2, aligned=True)
        )


class BoxPredictor(nn.Module):
    """Scores of background and classes, and a box for each class.

    Parameters
    ----------
    things : (C,) bool; the other classes are never found.
    """

    closed: Tensor

    def __init__(self, features: int, things: Tensor) -> None:
        super().__init__()
        rows = len(things) + 1
        self.classes = nn.Linear(features, rows)
        self.boxes = nn.Parameter(torch.empty(rows, 4, features))
        self.shift = nn.Parameter(torch.zeros(rows, 4))
        closed = torch.cat((torch.zeros(1, dtype=torch.bool), ~things))
        self.register_buffer("closed", closed, persistent=False)
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.zeros_(self.classes.bias)
        nn.init.normal_(self.boxes, std=0.001)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.classes(features).masked_fill(self.closed, -torch.inf)
        boxes = functional.linear(features, self.boxes.flatten(0, 1), self.shift.flatten())
        return scores, boxes


class MaskPredictor(nn.Module):
    """Masks of every class at twice the size: a transposed convolution and the head."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(channels, channels, 2, 2)
        self.relu = nn.ReLU(inplace=True)
        self.logits = nn.Conv2d(channels, classes, 1)
        nn.init.kaiming_normal_(self.enlarge.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(cast("Tensor", self.enlarge.bias))
        # Masks begin undecided; scaled by few classes they would begin far off.
        nn.init.normal_(self.logits.weight, std=0.001)
        nn.init.zeros_(cast("Tensor", self.logits.bias))

    def forward(self, features: Tensor) -> Tensor:
        return cast("Tensor", self.logits(self.relu(self.enlarge(features))))


class ObjectHeads(RoIHeads):  # type: ignore[misc]
    """Classes, boxes and masks of proposals.

    Parameters
    ----------
    box_pool, box_head, box_predictor : maps and proposals to features, to scores and boxes.
    mask_pool, mask_branch : maps and boxes to features, to (N, C, m, m) mask logits.
    refiner : makes finer masks of those (`segcore.models.layers.point_masks`). It learns in the
        boxes as they are corrected, as in prediction (Kirillov et al. 2019, section 4.1).
    sampled : proposals a picture that a training step looks at; a quarter of them objects.
    detections : the most that are found in a picture.
    """

    def __init__(
        self,
        box_pool: nn.Module,
        box_head: nn.Module,
        box_predictor: BoxPredictor,
        mask_pool: nn.Module,
        mask_branch: nn.Module,
        *,
        refiner: PointRefiner | None = None,
        sampled: int,
        detections: int,
    ) -> None:
        super().__init__(
            box_roi_pool=box_pool,
            box_head=box_head,
            box_predictor=box_predictor,
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=sampled,
            positive_fraction=0.25,
            bbox_reg_weights=None,
            score_thresh=LOWEST_SCORE,
            nms_thresh=0.5,
            detections_per_img=detections,
        )
        self.mask_pool = mask_pool
        self.mask_branch = mask_branch
        self.refiner = refiner
        self._aside: list[Tensor] = []

    def assign_targets_to_proposals(
        self, proposals: list[Tensor], gt_boxes: list[Tensor], gt_labels: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """As torchvision's; proposals that lie aside are no background."""
        matched, labels = super().assign_targets_to_proposals(proposals, gt_boxes, gt_labels)
        for label, at, sums in zip(labels, proposals, self._aside, strict=True):
            label[(label == 0) & (share_aside(sums, at) > ASIDE)] = -1
        return matched, labels

    def learn(
        self,
        maps: Sequence[Tensor],
        proposals: list[Tensor],
        targets: list[Row],
    ) -> dict[str, Tensor]:
        """The losses ``class``, ``box``, ``mask`` (He et al. 2017, section 3) and ``points``."""
        # torchvision hands only boxes and labels on to where proposals get theirs.
        self._aside = [row["aside"] for row in targets]
        chosen, matched, labels, wanted = self.select_training_samples(proposals, targets)
        scores, deltas = self.box_predictor(self.box_head(self.box_roi_pool(maps, chosen)))
        if len(scores):
            of_class, of_box = fastrcnn_loss(scores, deltas, labels, wanted)
        else:  # nothing is known of the whole batch
            of_class, of_box = scores.sum(), deltas.sum()
        hits = [label > 0 for label in labels]
        if self.refiner is not None:
            sizes = [row["known"].shape for row in targets]
            chosen = self._corrected(deltas.detach(), chosen, torch.cat(labels), sizes)
        boxes = [box[hit] for box, hit in zip(chosen, hits, strict=True)]
        told = [(row, index[hit]) for row, index, hit in zip(targets, matched, hits, strict=True)]
        logits = self.mask_branch(self.mask_pool(maps, boxes))
        channel = torch.cat([label[hit] for label, hit in zip(labels, hits, strict=True)]) - 1
        read = [
            masks_on_boxes(row, index, box, logits.shape[-1])
            for (row, index), box in zip(told, boxes, strict=True)
        ]
        known = torch.cat([r[1] for r in read])
        of_mask = functional.binary_cross_entropy_with_logits(
            of_channel(logits, channel),
            torch.cat([r[0] for r in read]),
            known.to(logits.dtype),
            reduction="sum",
        )
        losses = {"class": of_class, "box": of_box, "mask": of_mask / known.sum().clamp(min=1)}
        if self.refiner is not None:
            losses["points"] = self.refiner.learn(maps[0], boxes, logits, channel, told)
        return losses

    def _corrected(
        self,
        deltas: Tensor,
        boxes: list[Tensor],
        labels: Tensor,
        sizes: Sequence[tuple[int, int]],
    ) -> list[Tensor]:
        """The boxes as the box head corrects them for their classes, cut at the picture's rim."""
        made: Tensor = self.box_coder.decode(deltas, boxes)
        made = made.reshape(len(labels), deltas.shape[1] // 4, 4)
        made = made[torch.arange(len(labels), device=labels.device), labels]
        parts = torch.split(made, [len(b) for b in boxes])
        return [clip_boxes_to_image(p, size) for p, size in zip(parts, sizes, strict=True)]

    def find(
        self, maps: Sequence[Tensor], proposals: list[Tensor], sizes: list[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        """For each picture ``boxes`` (N, 4), ``scores``, ``channels`` and ``masks`` (N, m, m)."""
        scores, deltas = self.box_predictor(self.box_head(self.box_roi_pool(maps, proposals)))
        boxes, best, labels = self.postprocess_detections(scores, deltas, proposals, sizes)
        channel = torch.cat(labels) - 1
        logits = self.mask_branch(self.mask_pool(maps, boxes))
        if self.refiner is None:
            masks = of_channel(logits, channel).sigmoid()
        else:
            masks = self.refiner.draw(maps[0], boxes, logits, channel).sigmoid()
        return [
            {"boxes": b, "scores": s, "channels": label - 1, "masks": m}
            for b, s, label, m in zip(
                boxes, best, labels, torch.split(masks, [len(b) for b in boxes]), strict=True
            )
        ]

    def forward(self, *_: Any) -> Any:
        """torchvision's way in, which this class does not have.

        Raises
        ------
        NotImplementedError : always; ask `learn` or `find`.
        """
        raise NotImplementedError
