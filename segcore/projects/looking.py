"""A picture of what a training would see, before it trains. Loads torch."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2

from segcore.base import BadFile
from segcore.projects.training import NewRun, is_run, prepare_sample
from segcore.store import Project
from segcore.train import read_frozen
from segcore.train.crop_view import CropLook, contact_sheet, draw_crop
from segcore.train.crops import CropMaker
from segcore.train.runs import read_run

_CROPS = 16
_LONGEST = 320  # pixels of a drawn crop's longer side, at most


def write_crops(target: Path, wanted: NewRun, file: Path) -> int:
    """Write crops of a project's next run, or of a prepared run, as one PNG.

    Parameters
    ----------
    target : a project, which is only read, or the folder of a run, which has its settings.
    wanted : what would be trained, where `target` is a project.

    Returns
    -------
    How many crops there are.

    Raises
    ------
    BadFile : the file cannot be written.
    NothingToLearn, NoModel, MaskwrightError : as the training would.
    """
    if is_run(target):
        return _write(target, file)
    with (
        tempfile.TemporaryDirectory(
            prefix="maskwright-crops-", ignore_cleanup_errors=True
        ) as folder,
        Project.open(target, write=False) as project,
    ):
        sample = Path(folder) / "run"
        prepare_sample(project, wanted, sample)
        return _write(sample, file)


def _write(run_dir: Path, file: Path) -> int:
    made = CropMaker(run_dir).make(read_run(run_dir).recipe, count=_CROPS)
    height, width = made.classes.shape[1:]
    share = min(1.0, _LONGEST / max(height, width))
    size = (max(1, round(height * share)), max(1, round(width * share)))
    look = CropLook.of(read_frozen(run_dir).classes)
    objects = [None] * len(made.images) if made.objects is None else list(made.objects)
    sheet = contact_sheet(
        [
            draw_crop(image, classes, numbers, size, look)
            for image, classes, numbers in zip(made.images, made.classes, objects, strict=True)
        ]
    )
    done, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    try:
        if not done:
            raise OSError("it cannot be encoded")
        file.write_bytes(data.tobytes())
    except OSError as error:
        raise BadFile(f"{file} cannot be written: {error}.", "Name another file.") from error
    return len(made.images)
