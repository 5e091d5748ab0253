"""The table of image families, and the one way from a path to an open image.

A file is recognised by its content first and by its ending second: endings lie.
"""

from __future__ import annotations

from pathlib import Path

from segcore.base import BadFile
from segcore.images import dicom, nifti, raster, tiff
from segcore.images.family import HEAD_BYTES, Family
from segcore.images.source import ImageSource

# DICOM before TIFF: its preamble may be a TIFF header, so that one file is both (PS3.10, 7.1).
FAMILIES: tuple[Family, ...] = (raster.FAMILY, dicom.FAMILY, tiff.FAMILY, nifti.FAMILY)


def open(  # noqa: A001 - the verb of the package; nobody imports it bare
    path: Path | str, *, limit_bytes: int | None = None, as_stack: bool = False
) -> ImageSource:
    """Open an image file, or a folder with a DICOM series.

    Parameters
    ----------
    path : file or folder; it is never written to.
    limit_bytes : the most that may be decoded at once (an untiled picture or one tile);
        None is a quarter of the memory, at most 8 GiB.
    as_stack : open the slices of a series that is no even volume one by one, without spacing.

    Raises
    ------
    BadFile
        One sentence that names the file and what is wrong, with a hint.
    """
    path = Path(path)
    family = family_of(path)
    return family.open(path, limit_bytes=limit_bytes, as_stack=as_stack)


def family_of(path: Path) -> Family:
    """The family a file belongs to by its content, or by its ending where content says nothing.

    Raises
    ------
    BadFile
        Where there is no such file, it is empty, or is no image of a known family.
    """
    if path.is_dir():
        return dicom.FAMILY
    head = read_head(path)
    for family in FAMILIES:
        if family.sniff(head):
            return family
    by_suffix = family_of_name(path.name)
    if by_suffix is None:
        raise BadFile(
            f"{path.name} is not an image of a known kind.",
            f"Known are {kinds('and')}.",
        )
    return by_suffix


def kinds(word: str = "or") -> str:
    """Every kind of image that opens, for sentences: ``PNG, JPEG, ... or NIfTI``."""
    *others, last = ", ".join(family.title for family in FAMILIES).split(", ")
    return f"{', '.join(others)} {word} {last}"


def family_of_name(name: str) -> Family | None:
    """The family by the file name's ending alone; None where no family claims it."""
    lower = name.lower()
    fitting = [
        (len(suffix), family)
        for family in FAMILIES
        for suffix in family.suffixes
        if lower.endswith(suffix)
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def read_head(path: Path) -> bytes:
    """The first bytes of a file.

    Raises
    ------
    BadFile
        Where there is no such file, it may not be read, or it is empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise unreadable(path, error) from None
    if not head:
        raise BadFile(f"{path.name} is empty: it has 0 bytes.", "Copy it again from its source.")
    return head


def unreadable(path: Path, error: OSError) -> BadFile:
    """What the system said about a file, as a sentence with its remedy."""
    if isinstance(error, FileNotFoundError):
        return BadFile(
            f"{path.name} does not exist.", "Check the name, or whether the file was moved."
        )
    return BadFile(
        f"{path.name} could not be read: {error.strerror or 'the system refused'}.",
        "Check the permissions and the connection to the disk.",
    )
