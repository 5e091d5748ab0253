"""The DICOM row of the table of families; what it does stands in `dicom_source`."""

from __future__ import annotations

import struct
from pathlib import Path

from segcore.images.family import Family
from segcore.images.source import ImageSource


def is_dicom(head: bytes) -> bool:
    """Whether a file that starts with these bytes is DICOM, with or without its preamble."""
    if head[128:132] == b"DICM":
        return True
    if len(head) < 8:
        return False
    # Without the preamble a file begins with an element of group 2 or 8, little-endian; its value
    # representation (two capitals) or a short length follows.
    group, element = struct.unpack("<HH", head[:4])
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    short = struct.unpack("<I", head[4:8])[0] < 256
    return group in (2, 8) and element < 0x0100 and (explicit or short)


def _open(path: Path, *, limit_bytes: int | None, as_stack: bool) -> ImageSource:
    from segcore.images.dicom_source import open_path

    return open_path(path, limit_bytes=limit_bytes, as_stack=as_stack)


FAMILY = Family(
    name="dicom",
    title="DICOM",
    suffixes=(".dcm", ".dicom", ".ima"),
    sniff=is_dicom,
    open=_open,
)
