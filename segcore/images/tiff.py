"""The TIFF row of the table of families; what it does stands in `tiff_source`."""

from __future__ import annotations

from pathlib import Path

from segcore.images.family import Family
from segcore.images.source import ImageSource


def _open(path: Path, *, limit_bytes: int | None, as_stack: bool) -> ImageSource:
    from segcore.images.tiff_source import open_path

    return open_path(path, limit_bytes=limit_bytes, as_stack=as_stack)


FAMILY = Family(
    name="tiff",
    title="TIFF",
    suffixes=(".tif", ".tiff", ".ome.tif", ".ome.tiff", ".btf", ".tf8", ".svs", ".ndpi", ".lsm"),
    sniff=lambda head: head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    open=_open,
)
