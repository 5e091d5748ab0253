"""What the samples of a TIFF mean: from stored numbers to the channels that people see.

TIFF 6.0, tags PhotometricInterpretation (262), ExtraSamples (338), ColorMap (320).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile
from segcore.base.dataclass import dataclass

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _SEPARATED, _YCBCR = range(7)
_LINEAR_RAW = 34892
_UNSHOWN = {8: "Lab colours", 9: "Lab colours", 10: "Lab colours", 32803: "raw camera data"}
_JPEG = (6, 7, 34892, 33007)
_APERIO_JPEG2000_YCBCR = 33003


@dataclass(frozen=True)
class Samples:
    """How stored samples become channels.

    Attributes
    ----------
    kind : "grey", "colour", "palette", "CMYK", "YCbCr" or "channels".
    channels, dtype : of what `values` gives.
    kept : which stored samples go in.
    lut : (n, 3) uint8 of a palette.
    top : the largest stored number where it has to be known (white is zero, fewer than 8 bits).
    """

    kind: str
    channels: int
    dtype: np.dtype[Any]
    kept: tuple[int, ...]
    has_alpha: bool = False
    white_is_zero: bool = False
    lut: NDArray[np.uint8] | None = None
    top: int = 0

    @property
    def is_colour(self) -> bool:
        return self.kind in ("colour", "palette", "CMYK", "YCbCr")

    @classmethod
    def of(cls, path: Path, page: Any, count: int, dtype: np.dtype[Any]) -> Samples:
        """What a page says about its samples.

        Parameters
        ----------
        page : tifffile's first page of the series.
        count : stored samples a pixel, over all pages of the series.
        dtype : of the stored numbers.

        Raises
        ------
        BadFile
            Where the number type or the colour space cannot be shown.
        """
        meaning = int(page.photometric)
        if dtype.kind not in "biuf":
            raise BadFile(
                f"{path.name} holds numbers of type {dtype}, which cannot be shown.",
                "Convert it to a real number type, e.g. the magnitude of complex numbers.",
            )
        if meaning in _UNSHOWN:
            raise BadFile(
                f"{path.name} holds {_UNSHOWN[meaning]}, which are not read.",
                "Convert it to RGB.",
            )
        bits = int(page.bitspersample)
        top = (1 << bits) - 1 if dtype.kind in "bu" else 0
        if meaning == _PALETTE and page.colormap is not None and count == 1:
            # 16 bits a colour by the standard; the few old files with 8 have nothing above 255.
            table = np.asarray(page.colormap, np.uint16).T
            lut = (table >> 8 if table.max() > 255 else table).astype(np.uint8)
            return cls("palette", 3, np.dtype(np.uint8), (0,), lut=lut)

        alpha = _alpha_samples(page, meaning, count)
        kept = tuple(i for i in range(count) if i not in alpha)
        shown = np.dtype(np.uint8) if bits < 8 and dtype.kind in "bu" else dtype
        kind, channels = "channels", len(kept)
        eight_bit = bool(dtype == np.uint8)
        if meaning == _SEPARATED and channels == 4 and eight_bit:
            kind, channels = "CMYK", 3
        elif _is_undecoded_ycbcr(page, meaning) and channels == 3 and eight_bit:
            kind = "YCbCr"
        elif channels == 1:
            kind = "grey"
        elif channels == 3 and meaning in (_RGB, _YCBCR, _LINEAR_RAW):
            kind = "colour"
        return cls(
            kind,
            channels,
            shown,
            kept,
            has_alpha=bool(alpha),
            white_is_zero=kind == "grey" and meaning == _WHITE_IS_ZERO,
            top=top,
        )

    def values(self, stored: NDArray[Any]) -> NDArray[Any]:
        """(h, w, stored samples) to (h, w, channels) of `dtype`."""
        if self.lut is not None:
            colours: NDArray[np.uint8] = self.lut[np.minimum(stored[..., 0], len(self.lut) - 1)]
            return colours
        if len(self.kept) != stored.shape[2]:
            stored = stored[..., list(self.kept)]
        if self.kind == "CMYK":
            ink = 255 - stored.astype(np.uint16)
            mixed = ink[..., :3] * ink[..., 3:]
            return ((mixed + 127) // 255).astype(np.uint8)
        if self.kind == "YCbCr":
            # OpenCV's order is Y, Cr, Cb.
            swapped = np.ascontiguousarray(stored[..., (0, 2, 1)])
            return np.asarray(cv2.cvtColor(swapped, cv2.COLOR_YCrCb2RGB))
        if 0 < self.top < 255:
            stored = (stored.astype(np.uint16) * 255 // self.top).astype(np.uint8)
        if self.white_is_zero and stored.dtype.kind == "u":
            # As every other reader shows it; models see what people see.
            stored = (255 if self.top < 255 else self.top) - stored
        return stored.astype(self.dtype, copy=False)


def _is_undecoded_ycbcr(page: Any, meaning: int) -> bool:
    """JPEG comes out of its decoder as RGB; what else says YCbCr is still that."""
    compression = int(page.compression)
    return compression == _APERIO_JPEG2000_YCBCR or (meaning == _YCBCR and compression not in _JPEG)


def _alpha_samples(page: Any, meaning: int, count: int) -> set[int]:
    """Which samples are alpha: declared as such, or the fourth of an RGB that says nothing."""
    extra = [int(kind) for kind in (page.extrasamples or ())]
    first_extra = int(page.samplesperpixel) - len(extra)
    alpha = {first_extra + i for i, kind in enumerate(extra) if kind in (1, 2)}
    if not extra and meaning == _RGB and count == 4:
        alpha = {3}
    # With several pages a channel the numbers would be those of each page; nobody writes that.
    return alpha if count == int(page.samplesperpixel) else set()
