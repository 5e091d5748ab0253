"""What every encoder can do, as tried out beforehand, and which families refuse it. No torch.

The table (``encoders.json``, made by ``packaging/encoder_table.py``) covers the encoders of
segmentation-models-pytorch by their names and those of timm as ``tu-NAME``. A weights tag after a
dot (``tu-resnet50.a1_in1k``) does not change what an encoder can do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from segcore.base.dataclass import dataclass

Style = Literal["halves", "late", "early", "tokens", ""]

TABLE = Path(__file__).with_name("encoders.json")
# The code of these is under terms of its own; everything else is MIT, BSD or Apache-2.0.
_LICENCES = {
    "mit_b": "NVIDIA Source Code License: research and evaluation only",
    "mobileone": "Apple's licence of ml-mobileone",
}


@dataclass(frozen=True)
class EncoderRow:
    """What one encoder can do.

    Parameters
    ----------
    name : with ``tu-`` before it where it is timm's.
    style : how its features lie. ``halves``: at strides 1, 2, 4, 8, 16, 32, the first one being
        the picture. ``late``: the same, with nothing at stride 2. ``early``: features at stride 1
        as well. ``tokens``: a plain vision transformer, one stride throughout. Empty: unusable.
    dilates : the strides that it can be held at instead of 32.
    multiple : heights and widths must be multiples of it.
    settings : what timm has to be told to let it take any size.
    patch, prefix : pixels of a token, and whether there are tokens that stand for no place.
    millions : parameters; 0 where nobody counted.
    why : why it is unusable.
    licence : of its code, where that is not permissive as the rest.
    like : the encoder of the same kind that was tried in its place.
    """

    name: str
    style: Style = ""
    dilates: tuple[int, ...] = ()
    multiple: int = 32
    settings: Mapping[str, Any] = field(default_factory=dict)
    patch: int = 0
    prefix: bool = False
    millions: float = 0.0
    why: str = ""
    licence: str = ""
    like: str = ""


@cache
def encoder_rows() -> Mapping[str, EncoderRow]:
    """Every encoder there is, by name; a few are there only to say why they are unusable."""
    rows = json.loads(TABLE.read_text(encoding="utf-8"))["encoders"]
    return {name: _row(name, row) for name, row in rows.items()}


def _row(name: str, row: dict[str, Any]) -> EncoderRow:
    bare = name.removeprefix("tu-")
    licence = next((text for start, text in _LICENCES.items() if bare.startswith(start)), "")
    return EncoderRow(name, licence=licence, **row | {"dilates": tuple(row.get("dilates", ()))})


def encoder_row(name: str) -> EncoderRow | None:
    """The row of an encoder, or None for one that the table does not know."""
    bare = name.partition(".")[0]
    rows = encoder_rows()
    if bare not in rows and bare.startswith("timm-"):
        bare = "tu-" + bare.removeprefix("timm-")  # smp's older spelling
    return rows.get(bare)


def encoder_names(architecture: str | None = None, **options: Any) -> list[str]:
    """The encoders that can be used, or those that one architecture takes with these options."""
    from segcore.models.registry import architecture as row_of

    names = [
        name
        for name, row in encoder_rows().items()
        if row.style and not name.startswith("tu-test_")  # timm's own, for tests
    ]
    if architecture is None:
        return names
    family = row_of(architecture)
    if not family.encoder:
        return []
    return [name for name in names if family.refuses(name, options) is None]


def is_vgg(encoder: str) -> bool:
    """Whether it is one of torchvision's, which some families here build in their own way."""
    return encoder.removesuffix("_bn") in ("vgg11", "vgg13", "vgg16", "vgg19")


def refuse(
    title: str, encoder: str, options: Mapping[str, Any], *, half: bool = False
) -> str | None:
    """Why a family of decoders over features of several sizes cannot take an encoder, or None.

    Parameters
    ----------
    options : ``output_stride`` and ``encoder_depth`` are looked at where the family has them.
    half : whether the family needs features at half the picture's size.
    """
    row = encoder_row(encoder)
    if row is None:
        return None
    if row.style == "tokens":
        return f"{encoder} gives one size of features and {title} needs several; DPT takes it."
    if not row.style:
        return f"{encoder} cannot be used here: {row.why}."
    stride = int(options.get("output_stride", 32))
    coarsest = min(32, 2 ** int(options.get("encoder_depth", 5)))
    if stride < coarsest and stride not in row.dilates:
        return f"{title} dilates its encoder to stride {stride}, which {encoder} cannot do."
    if half and row.style == "late":
        return f"{title} needs features at half the picture's size, and {encoder} has none."
    return None
