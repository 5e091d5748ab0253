"""Which files of two folders belong together: by stem, the name without its ending.

It knows names only; what is in the files is the readers' business.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from segcore.base import BadFile
from segcore.base.dataclass import dataclass
from segcore.images import dicom, family_of_name, kinds
from segcore.images.family import HEAD_BYTES

_DOUBLE_ENDINGS = (".nii.gz", ".ome.tif", ".ome.tiff")


@dataclass(frozen=True)
class Matched:
    """What belongs to each image, and what found no partner.

    Parameters
    ----------
    pairs : stem -> path, for the stems that an image has.
    without_image : files whose stem no image has.
    without_file : stems of images that have no file here.
    """

    pairs: Mapping[str, Path] = field(default_factory=dict)
    without_image: tuple[Path, ...] = ()
    without_file: tuple[str, ...] = ()


def stem_of(path: Path) -> str:
    """The name without its ending; double endings such as ``.nii.gz`` go as one. In NFC."""
    name = _nfc(path.name)
    for ending in _DOUBLE_ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name.rsplit(".", 1)[0] if "." in name.lstrip(".") else name


def images_in(folder: Path) -> dict[str, Path]:
    """The images of a folder, stem -> path, in the order of their names.

    A DICOM series of several slices is one image, named after the folder that holds it; so is
    each subfolder with such a series. Other subfolders are passed over. Images that share a stem
    keep their endings, so that no mask is taken for the wrong one.

    Raises
    ------
    BadFile : no such folder, no image in it, or a folder that mixes several series.
    """
    require_folder(folder, "images")
    entries = [p for p in sorted(folder.iterdir()) if not p.name.startswith(".")]
    files = [p for p in entries if p.is_file()]
    slices = [p for p in files if _is_dicom(p)]
    found = [p for p in files if p not in set(slices) and family_of_name(p.name) is not None]
    found += _series_or_files(folder, slices)
    for inside in entries:
        if inside.is_dir():
            slices = [p for p in sorted(inside.iterdir()) if p.is_file() and _is_dicom(p)]
            if len(slices) > 1:
                found += [p for p in _series_or_files(inside, slices) if p == inside]
    if not found:
        filled = [p.name for p in entries if p.is_dir() and _holds_images(p)]
        hint = (
            f"There are some in its subfolder {filled[0]}; name that one."
            if filled
            else f"Name a folder with {kinds()} files."
        )
        raise BadFile(f"{folder} holds no image.", hint)
    found.sort(key=lambda path: path.name)
    shared = Counter(_name_of(path) for path in found)
    return {
        _name_of(path) if shared[_name_of(path)] == 1 else _nfc(path.name): path for path in found
    }


def masks_in(folder: Path, what: str) -> dict[str, Path]:
    """The mask files of a folder, stem -> path.

    Parameters
    ----------
    what : what the folder is for ("truth"), for the messages.

    Raises
    ------
    BadFile : no such folder, no file that could be a mask, or two with one stem.
    """
    require_folder(folder, what)
    found = [
        p
        for p in sorted(folder.iterdir())
        if p.is_file() and not p.name.startswith(".") and family_of_name(p.name) is not None
    ]
    if not found:
        raise BadFile(
            f"{folder} holds no {what} files.", "Name a folder with PNG, TIFF or NIfTI masks."
        )
    result: dict[str, Path] = {}
    for path in found:
        other = result.setdefault(stem_of(path), path)
        if other is not path:
            raise BadFile(
                f"{other.name} and {path.name} in {folder} have one stem.",
                "Keep one file for each name.",
            )
    return result


def match(stems: Sequence[str], files: Mapping[str, Path]) -> Matched:
    """Bring the files of a folder to the images with the same stem.

    Parameters
    ----------
    stems : of the images, in order.
    files : from `masks_in`.
    """
    known = set(stems)
    return Matched(
        pairs={stem: files[stem] for stem in stems if stem in files},
        without_image=tuple(path for stem, path in files.items() if stem not in known),
        without_file=tuple(stem for stem in stems if stem not in files),
    )


def require_folder(folder: Path, what: str) -> None:
    """Refuse what is no folder, saying what it was named for."""
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise BadFile(f"The {what} folder {folder} {problem}.", "Check the path.")


def _name_of(path: Path) -> str:
    return _nfc(path.name) if path.is_dir() else stem_of(path)


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _is_dicom(path: Path) -> bool:
    """By its ending, or by its content where the ending says nothing."""
    if family_of_name(path.name) is dicom.FAMILY:
        return True
    if path.suffix and not path.suffix[1:].isdigit():
        return False
    try:
        with path.open("rb") as file:
            return dicom.is_dicom(file.read(HEAD_BYTES))
    except OSError:
        return False


def _series_or_files(folder: Path, slices: list[Path]) -> list[Path]:
    """The folder itself for a series of several slices, and single files for the rest."""
    if len(slices) < 2:
        return slices
    from segcore.images.dicom_source import dicom_series

    stacks = [series for series in dicom_series(folder) if series.is_stack]
    if not stacks:
        return slices
    if len(stacks) > 1:
        raise BadFile(
            f"{folder} mixes {len(stacks)} DICOM series.",
            "Put the files of each series into a folder of its own.",
        )
    taken = set(stacks[0].files)
    return [folder, *(path for path in slices if path not in taken)]


def _holds_images(folder: Path) -> bool:
    return any(p.is_file() and family_of_name(p.name) is not None for p in folder.iterdir())
