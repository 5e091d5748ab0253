"""Several images on one grid (T1 and T2) as the channels of one picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segcore.base import BadFile, Rect, SizeMismatch
from segcore.images.registry import open as open_image
from segcore.images.source import ImageInfo, ImageSource

# Affines are written as text by some programs; a thousandth of a millimetre is no other place.
_SAME_PLACE_MM = 1e-3


def open_all(
    paths: Sequence[Path | str], *, limit_bytes: int | None = None, as_stack: bool = False
) -> ImageSource:
    """Open the files of one picture; the channels of several come one after the other.

    Parameters
    ----------
    paths : at least one; each as for `segcore.images.open`.
    limit_bytes, as_stack : of each file, as for `segcore.images.open`.

    Raises
    ------
    BadFile : a file is missing or damaged, or there is none.
    SizeMismatch : they do not lie on one grid.
    """
    if not paths:
        raise BadFile("There is no image to open.", "Name at least one file.")
    with ExitStack() as opened:
        parts = [
            opened.enter_context(open_image(path, limit_bytes=limit_bytes, as_stack=as_stack))
            for path in paths
        ]
        made = parts[0] if len(parts) == 1 else JoinedSource(parts)
        opened.pop_all()  # what was opened stays so; on an error before, all is closed
        return made


class JoinedSource(ImageSource):
    """Images on one grid as one; closing it closes them.

    Geometry, presets and whether small values are bright are the first one's, because its channel
    is what a screen shows first; hints are everybody's. Coarser levels are those of all.

    Raises
    ------
    SizeMismatch : they do not lie on one grid.
    """

    def __init__(self, parts: Sequence[ImageSource]) -> None:
        for part in parts[1:]:
            _require_one_grid(parts[0], part)
        self._parts = tuple(parts)
        super().__init__(parts[0].path, parts[0].family, _joined_info(parts))

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(path for part in self._parts for path in part.paths)

    def is_ready(self, level: int, z: int = 0) -> bool:
        """Whether all parts can be read at once."""
        return level < len(self.levels) and all(part.is_ready(level, z) for part in self._parts)

    @property
    def decodes_whole(self) -> bool:
        return all(part.decodes_whole for part in self._parts)

    @property
    def is_plain(self) -> bool:
        return all(part.is_plain for part in self._parts)

    def is_resident(self, level: int, z: int = 0) -> bool:
        return all(part.is_resident(level, z) for part in self._parts)

    def trim(self) -> None:
        for part in self._parts:
            part.trim()

    def _region(self, z: int, rect: Rect, level: int, channels: tuple[int, ...]) -> NDArray[Any]:
        self._check_open()
        # Each part is asked for what is wanted of it only.
        read: list[NDArray[Any]] = []
        place: dict[int, int] = {}
        first = 0
        for part in self._parts:
            wanted = [c - first for c in channels if first <= c < first + part.channels]
            wanted = list(dict.fromkeys(wanted))
            if wanted:
                place |= {first + c: len(place) + i for i, c in enumerate(wanted)}
                read.append(part.read(z, rect, level, wanted).astype(self.dtype, copy=False))
            first += part.channels
        pixels = np.concatenate(read, axis=-1)
        return pixels[..., [place[c] for c in channels]]

    def close(self) -> None:
        """Close all parts."""
        super().close()
        for part in self._parts:
            part.close()


def _joined_info(parts: Sequence[ImageSource]) -> ImageInfo:
    first = parts[0]
    names = [
        part.path.name.split(".")[0] + (f" {name}" if part.channels > 1 else "")
        for part in parts
        for name in part.channel_names
    ]
    hints = [hint for part in parts for hint in part.hints]
    other = next((part for part in parts if part.invert != first.invert), None)
    if other is not None:
        hints.append(
            f"Small values are bright in only one of {first.path.name} and {other.path.name}; "
            f"both are shown as {first.path.name}."
        )
    shared = all(
        [level.shape for level in part.levels] == [level.shape for level in first.levels]
        for part in parts
    )
    frames = {part.frame_of_reference for part in parts}
    # From the first one's, so that a fact which is added to `ImageInfo` is not lost here.
    return replace(
        first.info,
        channels=sum(part.channels for part in parts),
        dtype=np.result_type(*(part.dtype for part in parts)),
        channel_names=tuple(names),
        levels=first.levels if shared else first.levels[:1],
        spacing=next((part.spacing for part in parts if part.spacing is not None), None),
        affine=next((part.affine for part in parts if part.affine is not None), None),
        view_flip=next(
            (part.view_flip for part in parts if part.affine is not None), first.view_flip
        ),
        hints=tuple(dict.fromkeys(hints)),
        has_alpha=any(part.has_alpha for part in parts),
        frame_of_reference=frames.pop() if len(frames) == 1 else "",
    )


def _require_one_grid(first: ImageSource, other: ImageSource) -> None:
    hint = "Join only images that lie on one grid."
    if other.shape != first.shape:
        raise SizeMismatch(
            f"{other.path.name} has {tuple(other.shape)} voxels and {first.path.name} "
            f"{tuple(first.shape)} (z, y, x).",
            hint,
        )
    if first.affine is None or other.affine is None:
        return
    if not np.allclose(first.affine, other.affine, rtol=0, atol=_SAME_PLACE_MM):
        raise SizeMismatch(
            f"{other.path.name} and {first.path.name} lie at different places in the patient.",
            hint,
        )
