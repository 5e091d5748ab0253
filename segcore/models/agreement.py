"""Which engines may compute a model: how far their answers are from torch's in float32. No torch.

An engine is a library with a number format. It is used only where, on real images, it was seen to
give the same classes within these limits; the model's self-description holds what was seen, and a
model that says nothing of an engine is computed by torch in float32, which needs no check.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from segcore.base.dataclass import dataclass

TORCH = "torch-f32"  # what the others are held against
ENGINES: Mapping[str, str] = {
    TORCH: "torch float32",
    "torch-bf16": "torch bfloat16",
    "openvino-f32": "OpenVINO float32",
    "openvino-bf16": "OpenVINO bfloat16",
}
"""Every engine by its name, with what people read."""

SURE = 0.05  # the lead of the best probability above which the answer is no matter of rounding
MOST_DIFFERENT = 0.01
MOST_DIFFERENT_SURE = 0.003
MOST_MOVED = 0.002


@dataclass(frozen=True)
class Agreement:
    """What was seen of one engine on real images, against torch in float32.

    Parameters
    ----------
    different : share of the pixels that have another class, 0 to 1.
    different_sure : the same among the pixels whose best probability leads by more than `SURE`.
    moved : how far the mean IoU moved, absolute. Against truth where there is any; else the most
        that it can have moved against any truth: 1 less the mean IoU of the two answers, because
        1 - IoU is a metric (Jaccard distance) and obeys the triangle inequality.
    against : ``truth`` or ``torch``, see `moved`.
    items : how many images were compared; 0 where the engine cannot compute the model at all.
    pixels : of those images.
    where : which images, as people read it.
    version : of the library that computed.
    problem : why the engine cannot compute the model, as a sentence, or "".
    """

    different: float = math.nan
    different_sure: float = math.nan
    moved: float = math.nan
    against: str = "truth"
    items: int = 0
    pixels: int = 0
    where: str = ""
    version: str = ""
    problem: str = ""

    @property
    def holds(self) -> bool:
        """Whether the engine may compute the model."""
        return (
            not self.problem
            and self.items > 0
            and self.different <= MOST_DIFFERENT
            and self.different_sure <= MOST_DIFFERENT_SURE
            and self.moved < MOST_MOVED
        )

    @property
    def sentence(self) -> str:
        """What was seen, for people."""
        if self.problem:
            return self.problem
        if not self.items:
            return "Not compared."
        moved = "mean IoU moves by" if self.against == "truth" else "mean IoU moves by at most"
        images = "1 image" if self.items == 1 else f"{self.items} images"
        return (
            f"Another class at {self.different:.2%} of the pixels, at {self.different_sure:.2%} "
            f"of those that are sure; {moved} {self.moved:.4f} ({images}, {self.where})."
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; what is no number is null."""
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Agreement:
        """What `to_json` wrote; a row of another version of this program says nothing."""
        values: dict[str, Any] = {k: math.nan if v is None else v for k, v in row.items()}
        try:
            return cls(**values)
        except TypeError:
            return cls()


def agreements(rows: Mapping[str, Any]) -> dict[str, Agreement]:
    """The engines that a model's self-description tells of (`ModelSpec.engines`)."""
    return {name: Agreement.from_json(row) for name, row in rows.items() if name in ENGINES}


def may_compute(rows: Mapping[str, Any], engine: str) -> bool:
    """Whether a model that says `rows` of its engines may be computed by this one."""
    if engine == TORCH:
        return True
    found = agreements(rows).get(engine)
    return found is not None and found.holds
