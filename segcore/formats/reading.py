"""`read_mask`: from a mask file to the project's classes in one call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segcore.base import ClassSet, Shape
from segcore.base.dataclass import dataclass
from segcore.formats.manifest import note_on
from segcore.formats.mapping import Mapped, to_classes, to_instances, with_instances
from segcore.formats.maskfile import MaskFile, load_mask, require_place, require_size


@dataclass(frozen=True, eq=False)
class ReadMask(MaskFile):
    """A mask file together with what it means; see `MaskFile` for the fields as stored.

    Parameters
    ----------
    classes : class ids, uint16, 0 = unlabelled; None where no classes were given.
    instances : uint32 of the same shape, or None.
    """

    classes: NDArray[np.uint16] | None = None
    instances: NDArray[np.uint32] | None = None


def read_mask(
    path: Path | str,
    classes: ClassSet | None = None,
    *,
    size: Shape | tuple[int, ...] | None = None,
    affine: NDArray[np.float64] | None = None,
    instances_of: int | None = None,
    image: str = "its image",
) -> ReadMask:
    """Read a mask file: PNG, TIFF, NIfTI or whatever else images are read from.

    The masks of one of our exports bring their objects along, if the export has some.

    Parameters
    ----------
    classes : what the numbers or colours mean; None reads them only.
    size : of the image, (y, x) or (z, y, x); checked if given.
    affine : of the image; checked if given and the mask has one.
    instances_of : id of the class whose objects the file's numbers are.
    image : the image's name, for sentences.

    Raises
    ------
    BadFile : the file is no mask, or damaged.
    SizeMismatch : it does not lie on its image's grid; names both sizes.
    UnknownValue : it holds what no class has; names file, values and counts.
    """
    mask = load_mask(path)
    if size is not None:
        require_size(mask, size, image)
    require_place(mask, affine, image)
    mapped: Mapped | None = None
    if classes is not None:
        if instances_of is not None:
            mapped = to_instances(mask, instances_of, classes)
        else:
            mapped = to_classes(mask, classes)
            note = note_on(mask.path)
            if note is not None and note.objects is not None:
                mapped = with_instances(mapped, load_mask(note.objects))
    return ReadMask(
        mask.path,
        mask.values,
        mask.colours,
        mask.palette,
        mask.affine,
        mask.lossy,
        mask.notes if mapped is None else mapped.notes,
        None if mapped is None else mapped.classes,
        None if mapped is None else mapped.instances,
    )
