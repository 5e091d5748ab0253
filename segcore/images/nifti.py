"""NIfTI-1 and NIfTI-2 (nibabel), compressed or not, one file or a pair.

The array's first axis is x, its second y, its third z; slices are shown as (y, x). The affine is
nibabel's, bit by bit, so that a mask written with it lies on the same grid.
"""

from __future__ import annotations

import logging
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, Rect, Shape, Spacing
from segcore.images.family import Family
from segcore.images.orientation import radiological_flip
from segcore.images.rescale import Rescale, plan
from segcore.images.source import ImageInfo, ImageSource, check_decoded_size

_MILLIMETRES = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}
_TIME_UNITS = ("sec", "msec", "usec")


class NiftiSource(ImageSource):
    """A volume, or several on one grid as channels.

    A compressed file is unpacked once, as stored, and kept; of another one only the slices that
    are looked at are read, and the last ones kept.

    Parameters
    ----------
    proxy : nibabel's array proxy that gives stored numbers, axes (x, y, z, fourth).
    colours : 3 or 4 where the file stores RGB or RGBA as its number type, else 0.
    """

    def __init__(
        self,
        path: Path,
        info: ImageInfo,
        proxy: Any,
        rescale: Rescale,
        *,
        compressed: bool,
        colours: int,
    ) -> None:
        super().__init__(path, "nifti", info)
        self._proxy = proxy
        self._rescale = rescale
        self._compressed = compressed
        self._colours = colours

    def _region(self, z: int, rect: Rect, level: int, channels: tuple[int, ...]) -> NDArray[Any]:
        if self._colours:
            return self._slice(z, 0)[rect.slices][..., list(channels)]
        # Of hundreds of volumes over time one is looked at: the others are not read for it.
        parts = [self._slice(z, channel)[rect.slices] for channel in channels]
        return self._rescale.apply(np.stack(parts, axis=-1))

    def _slice(self, z: int, fourth: int) -> NDArray[Any]:
        """Stored numbers of one slice: (y, x), or (y, x, 3) of a coloured file."""
        if self.axes == "tyx":
            z, fourth = 0, z
        if self._compressed:
            # One entry, larger than the cache's bound perhaps; the newest entry always stays.
            volume = self._cached((0,), lambda: self._stored((Ellipsis,)))
            stored = volume[:, :, z, fourth]
        else:
            stored = self._cached(
                (z, fourth), lambda: self._stored((slice(None), slice(None), z, fourth))
            )
        if self._colours:
            names = stored.dtype.names or ()
            stored = np.stack([stored[name] for name in names[:3]], axis=-1)
            return stored.transpose(1, 0, 2)
        return stored.T

    def _stored(self, index: tuple[Any, ...]) -> NDArray[Any]:
        try:
            return np.asarray(self._proxy[index])
        except (OSError, EOFError, ValueError, zlib.error):
            raise _cut_off(self.path) from None


def _cut_off(path: Path) -> BadFile:
    return BadFile(
        f"{path.name} is damaged or cut off: its voxels cannot all be read.",
        "Copy it again from its source.",
    )


def _open(path: Path, *, limit_bytes: int | None, as_stack: bool) -> ImageSource:
    import nibabel as nib
    from nibabel.arrayproxy import ArrayProxy

    # It mends small faults of headers and says so on the terminal; that is nobody's concern here.
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)

    try:
        image = nib.load(path)
        header = image.header
        shape = tuple(int(n) for n in image.shape)
        stored = np.dtype(header.get_data_dtype())
        slope, intercept = image.dataobj.slope, image.dataobj.inter
        units = header.get_xyzt_units()
        affine, spacing, has_orientation = _geometry(image, units[0])
    except FileNotFoundError as error:
        other = Path(str(error.filename or "")).name or "its other half"
        raise BadFile(
            f"{path.name} is half of a pair, and {other} is missing.",
            "Put the .hdr and .img file into one folder.",
        ) from None
    except Exception:
        # Which of a dozen kinds nibabel raises depends on the byte of the header that is wrong.
        raise BadFile(
            f"{path.name} is not a sound NIfTI file: its header cannot be read.",
            "Copy it again from its source.",
        ) from None

    grid = _grid(path, shape)
    colours = len(stored.names) if stored.names else 0
    if stored.kind not in "iuf" and colours not in (3, 4):
        raise BadFile(
            f"{path.name} holds numbers of type {stored}, which cannot be shown.",
            "Convert it to a real number type, e.g. the magnitude of complex numbers.",
        )
    files = {entry.filename for entry in image.file_map.values() if entry.filename}
    compressed = any(str(name).lower().endswith((".gz", ".bz2", ".zst")) for name in files)
    voxels = int(np.prod(grid, dtype=object))
    at_once = voxels if compressed else grid[0] * grid[1]
    check_decoded_size(
        path,
        at_once * stored.itemsize,
        limit_bytes,
        f"{' x '.join(f'{n:,}' for n in shape)} voxels",
        "Unpack it with gunzip; of an unpacked file slice by slice is read",
    )
    source_file = image.dataobj.file_like
    offset = int(image.dataobj.offset)
    if not compressed and _size(Path(str(source_file))) < offset + voxels * stored.itemsize:
        raise _cut_off(path)

    fourth = "time" if units[1] in _TIME_UNITS else "channel"
    is_film = grid[2] == 1 and grid[3] > 1 and fourth == "time"
    rescale = Rescale(1.0, 0.0, np.dtype(np.uint8)) if colours else plan(stored, slope, intercept)
    hints = []
    names: tuple[str, ...] = ()
    if colours:
        channels = 3
    elif is_film or grid[3] == 1:
        channels = 1
    else:
        channels = grid[3]
        names = tuple(f"{fourth} {i + 1}" for i in range(channels))
        what = "times" if fourth == "time" else "volumes on one grid"
        hints.append(f"The file holds {channels} {what}; they are channels of one volume.")
    if not has_orientation and grid[2] > 1:
        hints.append("The file does not say how the patient lies; left and right are not certain.")
    axes = "tyx" if is_film else "yx" if grid[2] == 1 else "zyx"
    info = ImageInfo(
        shape=Shape(grid[3] if is_film else grid[2], grid[1], grid[0]),
        axes=axes,
        channels=channels,
        channel_names=names,
        dtype=rescale.dtype,
        spacing=spacing,
        affine=affine,
        view_flip=radiological_flip(affine) if has_orientation else (False, False),
        hints=tuple(hints),
        has_alpha=colours == 4,
        metadata={
            "format": "NIfTI-2" if header["sizeof_hdr"] == 540 else "NIfTI-1",
            "stored as": str(stored.newbyteorder("=")) if not colours else "RGB",
            "fourth axis": fourth if grid[3] > 1 else "",
        },
    )
    # The same proxy without its scaling: stored numbers are a half to an eighth of the values.
    proxy = ArrayProxy(source_file, (grid, image.dataobj.dtype, offset, 1.0, 0.0), mmap=False)
    return NiftiSource(path, info, proxy, rescale, compressed=compressed, colours=colours)


def _grid(path: Path, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Sizes along x, y, z and the one further axis (time or channel)."""
    further = [n for n in shape[3:] if n != 1]
    if len(shape) < 2 or len(further) > 1 or min(shape) < 1:
        raise BadFile(
            f"{path.name} has {len(shape)} axes ({' x '.join(map(str, shape))}); "
            "up to a volume over time or with channels is read.",
            "Take one part out of it, e.g. with nibabel's slicer.",
        )
    x, y, z = (*shape, 1)[:3]
    return x, y, z, further[0] if further else 1


def _geometry(image: Any, unit_name: str) -> tuple[NDArray[np.float64], Spacing, bool]:
    """Affine, spacing, and whether the file itself gives an orientation (sform or qform)."""
    from nibabel.affines import voxel_sizes

    header = image.header
    affine = np.array(image.affine, np.float64)
    unit = _MILLIMETRES.get(unit_name, 1.0)
    sizes = [float(v) for v in voxel_sizes(affine)]
    # The header's own numbers where they mean the same, in their shortest form: 0.6 as written,
    # not 0.6000000238 after a root of squares.
    zooms = [float(str(v)) for v in header.get_zooms()[:3]]
    if len(zooms) == 3 and np.allclose(zooms, sizes, rtol=1e-5, atol=0):
        sizes = zooms
    x, y, z = (size * unit for size in sizes)
    said = any(int(header[key]) > 0 for key in ("sform_code", "qform_code") if key in header)
    return affine, Spacing(z, y, x), said


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _sniff(head: bytes) -> bool:
    if len(head) >= 348 and head[344:348] in (b"n+1\0", b"ni1\0"):
        return True
    if head[4:8] in (b"n+2\0", b"ni2\0") and head[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c"):
        return True
    if head[:2] == b"\x1f\x8b":
        try:
            return _sniff(zlib.decompressobj(wbits=31).decompress(head, 348))
        except zlib.error:
            return False
    return False


FAMILY = Family(
    name="nifti",
    title="NIfTI",
    suffixes=(".nii", ".nii.gz", ".hdr", ".img"),
    sniff=_sniff,
    open=_open,
)
