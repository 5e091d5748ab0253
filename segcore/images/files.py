"""Images on disk before any is opened: which there are in a folder, and whether one changed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from segcore.base import BadFile
from segcore.images.registry import FAMILIES, family_of_name, read_head, unreadable


class Fingerprint(NamedTuple):
    """Size and time of a file; a cheap answer to "is it still the same?"."""

    size: int
    mtime_ns: int


def fingerprint(path: Path) -> Fingerprint:
    """Size in bytes and time of the last change in nanoseconds.

    Of a folder (a DICOM series): the sum of the sizes and the latest time of its files.

    Raises
    ------
    BadFile
        Where there is no such file or it cannot be asked.
    """
    try:
        if not path.is_dir():
            state = path.stat()
            return Fingerprint(state.st_size, state.st_mtime_ns)
        states = [entry.stat() for entry in path.iterdir() if entry.is_file()]
    except OSError as error:
        raise unreadable(path, error) from None
    return Fingerprint(
        sum(state.st_size for state in states),
        max((state.st_mtime_ns for state in states), default=0),
    )


def scan(folder: Path) -> list[Path]:
    """The images of a folder, in the order in which people count (2 before 10).

    A file with a known ending counts even if it turns out to be damaged, so that it is told and
    not lost; one without is looked into. A folder below that holds DICOM files counts as one
    image, and so does `folder` itself where its DICOM files are the slices of something; other
    DICOM files stand for themselves. Hidden files and other folders below are passed over.

    Raises
    ------
    BadFile
        Where `folder` is no folder or cannot be read.
    """
    from segcore.images.dicom_source import dicom_files, dicom_series

    try:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except NotADirectoryError:
        raise BadFile(f"{folder.name} is a file, not a folder.", "Choose its folder.") from None
    except OSError as error:
        raise BadFile(
            f"{folder.name} could not be read: {error.strerror or 'the system refused'}.",
            "Check the name, the permissions and the connection to the disk.",
        ) from None
    found: list[Path] = []
    loose: list[Path] = []
    for entry in entries:
        if entry.is_dir():
            if dicom_files(entry):
                found.append(entry)
        elif (name := _family_name(entry)) == "dicom":
            loose.append(entry)
        elif name:
            found.append(entry)
    if loose:
        series = dicom_series(folder)
        several = {path for one in series if one.is_stack for path in one.files}
        found.extend(path for path in loose if path not in several)
        if several:
            found.append(folder)
    return sorted(found, key=lambda path: (path != folder, natural_key(path.name)))


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """Key that sorts names as people count: "slice 2" before "slice 10", without regard to case."""
    return tuple(
        (0, int(part)) if part.isdecimal() else (1, part.casefold())
        for part in re.split(r"(\d+)", name)
        if part
    )


def _family_name(path: Path) -> str:
    """Name of the family by the ending, else by the content; "" where it is no image.

    The halves of a NIfTI pair are one image: the .img is passed over where its .hdr is there.
    """
    if path.name == "DICOMDIR":
        return ""  # the index of a disc: DICOM, but no image
    by_suffix = family_of_name(path.name)
    if by_suffix is not None:
        if path.suffix.lower() == ".img" and path.with_suffix(".hdr").exists():
            return ""
        return by_suffix.name
    try:
        head = read_head(path)
    except BadFile:
        return ""
    return next((family.name for family in FAMILIES if family.sniff(head)), "")
