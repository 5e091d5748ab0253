"""A mask as its file has it: numbers, or colours that stand for classes.

What the numbers mean is said by the project's classes; `segcore.formats.mapping` brings the two
together. Here a mask is only read, exactly: a palette's indices and not its colours, 16 and 32
bits uncut, one-bit masks as 0 and 1.
"""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore import images
from segcore.base import BadFile, Shape, SizeMismatch
from segcore.base.dataclass import dataclass
from segcore.formats.palettes import palette_indices
from segcore.images import ImageSource


@dataclass(frozen=True, eq=False)
class MaskFile:
    """The content of a mask file.

    Parameters
    ----------
    path : the file.
    values : (y, x), or (z, y, x) of a volume or a stack; uint16, or uint32 where a value needs
        it. Of a colour-coded mask: rows of `colours`.
    colours : (n, 3) uint8, red, green, blue, if the file gives classes as colours.
    palette : (n, 3) uint8 of a file with a palette, whose indices `values` are.
    affine : (4, 4), index (x, y, z, 1) to RAS+ millimetres, if the file has one.
    lossy : the file's compression changes values (JPEG).
    notes : sentences for people about what was noticed.
    """

    path: Path
    values: NDArray[np.uint16] | NDArray[np.uint32]
    colours: NDArray[np.uint8] | None = None
    palette: NDArray[np.uint8] | None = None
    affine: NDArray[np.float64] | None = None
    lossy: bool = False
    notes: tuple[str, ...] = field(default=())

    @property
    def shape(self) -> Shape:
        """Size in voxels; a picture has one slice."""
        z, y, x = (1, *self.values.shape) if self.values.ndim == 2 else self.values.shape
        return Shape(z, y, x)

    def counts(self) -> dict[int, int]:
        """Pixels of each value that occurs, by growing value."""
        return count_values(self.values)


def load_mask(path: Path | str) -> MaskFile:
    """Read a mask file of any kind that images can have.

    Raises
    ------
    BadFile : it cannot be read, or holds fractions, negative numbers or several channels that are
        no colours. One sentence, with a hint.
    """
    path = Path(path)
    # The image's own reader checks first: size against memory, cut off files, wrong endings.
    with images.open(path) as source:
        if source.family == "raster":
            return _load_raster(path, source)
        if source.family == "tiff":
            indices, palette = _tiff_numbers(path)
            if indices is not None:
                return MaskFile(path, as_numbers(path, indices), palette=palette)
        values = _all_slices(source)
        if source.channels == 1:
            return MaskFile(path, as_numbers(path, values[..., 0]), affine=source.affine)
        return _of_colours(path, source, values)


def require_size(mask: MaskFile, size: Shape | tuple[int, ...], image: str = "its image") -> None:
    """Check that a mask lies on its image's grid.

    Parameters
    ----------
    size : (y, x) or (z, y, x) of the image.
    image : the image's name, for the sentence.

    Raises
    ------
    SizeMismatch : names both sizes, and says so where width and height are exchanged.
    """
    z, y, x = size if len(size) == 3 else (1, *size)
    if mask.shape == (z, y, x):
        return
    if mask.shape == (z, x, y):
        hint = "Width and height are exchanged: turn the mask, or write it with its axes in order."
    else:
        hint = "Choose the mask that belongs to this image; masks are never scaled."
    raise SizeMismatch(
        f"{mask.path.name} is {_size_text(mask.shape)}, {image} is {_size_text(Shape(z, y, x))}.",
        hint,
    )


def require_place(
    mask: MaskFile, affine: NDArray[np.float64] | None, image: str = "its image"
) -> None:
    """Check that a volume's mask lies where its image does.

    Every corner of the grid may be off by a tenth of a voxel: headers are rounded. A side without
    an affine is not checked.

    Raises
    ------
    SizeMismatch : says by how many millimetres they differ.
    """
    if mask.affine is None or affine is None:
        return
    z, y, x = mask.shape
    corners = np.array(
        [[i, j, k, 1] for i in (0, x - 1) for j in (0, y - 1) for k in (0, z - 1)], np.float64
    ).T
    off = np.linalg.norm((mask.affine @ corners - affine @ corners)[:3], axis=0).max()
    voxel = np.linalg.norm(np.asarray(affine)[:3, :3], axis=0).min()
    if not off <= 0.1 * voxel:
        raise SizeMismatch(
            f"{mask.path.name} lies elsewhere than {image}: "
            f"their voxels are up to {off:.3g} mm apart.",
            "Choose the mask of this image, or resample it onto the image's grid.",
        )


def count_values(values: NDArray[Any]) -> dict[int, int]:
    """Pixels of each value that occurs, by growing value."""
    if values.dtype == np.uint16:
        # Counting beats the sort of np.unique by far where there are few possible values.
        numbers = np.bincount(values.reshape(-1))
        found = np.flatnonzero(numbers)
        numbers = numbers[found]
    else:
        found, numbers = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), numbers.tolist(), strict=True))


def as_numbers(path: Path, values: NDArray[Any]) -> NDArray[np.uint16] | NDArray[np.uint32]:
    """Whole numbers of any type as uint16, or as uint32 where one of them needs it.

    Raises
    ------
    BadFile : a value is negative, a fraction, not finite or above 32 bits.
    """
    if values.dtype == np.bool_:
        return values.astype(np.uint16)
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (np.floor(values) == values)
        if not whole.all():
            example = values[~whole].flat[0]
            raise BadFile(
                f"{path.name} is no mask: it holds {example:g}, which is no whole number.",
                "A mask has one whole number for each class or object.",
            )
    if values.size == 0:
        return values.astype(np.uint16)
    low, high = values.min(), values.max()
    if low < 0 or high >= 2**32:
        raise BadFile(
            f"{path.name} is no mask: it holds {(low if low < 0 else high):g}.",
            "The numbers of a mask are from 0 to 4,294,967,295.",
        )
    return values.astype(np.uint16) if high <= 65535 else values.astype(np.uint32)


# -- families ---------------------------------------------------------------------------------


def _load_raster(path: Path, source: ImageSource) -> MaskFile:
    kind, bits, has_palette = _stored_as(path)
    if has_palette:
        indices, palette = palette_indices(path, kind)
        return MaskFile(path, indices, palette=palette)
    pixels = source.read()
    lossy = kind == "JPEG" or (kind == "WebP" and not _is_lossless_webp(path))
    notes = (_lossy_note(path),) if lossy else ()
    if source.channels > 1:
        return _of_colours(path, source, pixels, lossy=lossy, notes=notes)
    grey = pixels[..., 0]
    if bits < 8:
        # Decoders spread 1, 2 and 4 bits over 0 to 255; in a mask the stored number counts.
        grey = grey // (255 // (2**bits - 1))
    return MaskFile(path, as_numbers(path, grey), lossy=lossy, notes=notes)


def _stored_as(path: Path) -> tuple[str, int, bool]:
    """Kind of a picture, bits a sample (8 where they do not matter), and whether by a palette."""
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"\x89PNG"):
        bits, colour_type = head[24], head[25]
        return "PNG", bits if colour_type == 0 and bits < 8 else 8, colour_type == 3
    if head.startswith(b"BM"):
        at = 24 if head[14] == 12 else 28  # the first header of BMP was shorter
        return "BMP", 8, int.from_bytes(head[at : at + 2], "little") <= 8
    if head.startswith(b"GIF8"):
        return "GIF", 8, True
    return ("WebP" if head.startswith(b"RIFF") else "JPEG"), 8, False


def _tiff_numbers(path: Path) -> tuple[NDArray[Any] | None, NDArray[np.uint8] | None]:
    """Stored numbers of a TIFF with one sample a pixel, and its palette; None for colours."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            series = tif.series[0]
            page = series.keyframe
            if int(page.samplesperpixel) != 1 or set(series.axes) - set("YXZTIQS"):
                return None, None
            stored = np.squeeze(series.asarray())
            stored = stored.reshape(stored.shape if stored.ndim >= 2 else page.shape[:2])
            palette = None
            if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
                palette = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
    except Exception:  # each of tifffile's many decoders has errors of its own
        raise BadFile(
            f"{path.name} is damaged or incomplete: its pixels cannot be decoded.",
            "Copy it again from its source.",
        ) from None
    if stored.ndim > 3:
        raise BadFile(
            f"{path.name} has {stored.ndim} axes; a mask has two, or three with slices.",
            "Write each mask into a file of its own.",
        )
    return stored, palette


def _all_slices(source: ImageSource) -> NDArray[Any]:
    """(y, x, c) of a picture, (z, y, x, c) of anything deeper."""
    if source.shape.z == 1:
        return source.read()
    return np.stack([source.read(z) for z in range(source.shape.z)])


def _of_colours(
    path: Path,
    source: ImageSource,
    pixels: NDArray[Any],
    *,
    lossy: bool = False,
    notes: tuple[str, ...] = (),
) -> MaskFile:
    if source.channels != 3 or pixels.dtype != np.uint8:
        raise BadFile(
            f"{path.name} has {source.channels} channels of {pixels.dtype}; "
            "a mask has one, or colours of 8 bits.",
            "Write one number a pixel.",
        )
    packed = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    found, rows = np.unique(packed, return_inverse=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.uint8)
    values = as_numbers(path, rows.reshape(packed.shape))
    return MaskFile(path, values, colours=colours, affine=source.affine, lossy=lossy, notes=notes)


def _is_lossless_webp(path: Path) -> bool:
    with path.open("rb") as file:
        return b"VP8L" in file.read(64)


def _lossy_note(path: Path) -> str:
    return (
        f"{path.name} is compressed with loss, which changes values along the edges of a mask; "
        "save masks as PNG."
    )


def _size_text(shape: Shape) -> str:
    text = f"{shape.x} x {shape.y}"
    return f"{text} x {shape.z} voxels" if shape.z > 1 else f"{text} pixels"
