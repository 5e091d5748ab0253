"""What a dense CRF gains and loses behind a model, class by class.

For each model the parameters are searched on pictures that it was trained on, as
``maskwright refine --tune`` does, and everything is scored on its held-out pictures: those that
stand beside the models that come along, and the frames of val for a model of the street scenes.
Prints the table of the manual's page on refining.

    python packaging/crf_figures.py DATA nuclei retina camvid=FOLDER
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore import images
from segcore.base import Rect
from segcore.infer import Predictor
from segcore.infer.threads import share_processor
from segcore.metrics import ConfusionAccumulator, iou, mean
from segcore.models import ModelSpec, load_model
from segcore.models.built_in import BUILT_IN
from segcore.refine import AUTHORS, DEEPLAB, CrfParams, densecrf
from segcore.refine.blocks import blocks
from segcore.refine.pixels import seen_pixels, solver_window
from segcore.refine.tuning import search

FOLDERS = {"nuclei": "nuclei", "retina": "chase_retina"}
CHOSEN_ON = {"nuclei": 12, "retina": 4, "camvid": 8}
JUDGED_ON = {"nuclei": 40, "retina": 6, "camvid": 16}
TRIALS = 30
CUT = 512  # pixels of a side that a trial of the search takes


@dataclass(frozen=True)
class Case:
    """A picture, what the model says of it, and what is right."""

    pixels: NDArray[np.uint8]
    shares: NDArray[np.float16]
    truth: NDArray[np.uint16]

    def cut(self) -> Case:
        """The middle, as much as a trial should take."""
        height, width = self.truth.shape
        top, left = max(0, height - CUT) // 2, max(0, width - CUT) // 2
        here = slice(top, top + CUT), slice(left, left + CUT)
        return Case(self.pixels[here], self.shares[(slice(None), *here)], self.truth[here])

    def solved(self, params: CrfParams | None) -> NDArray[np.uint16]:
        shares = self.shares.astype(np.float32)
        if params is None:
            return np.asarray(shares.argmax(axis=0) + 1, np.uint16)
        size = (self.truth.shape[0], self.truth.shape[1])
        out = np.zeros(size, np.uint16)
        for inner, outer in blocks(Rect(0, 0, *size), params.reach, size, len(shares)):
            told = densecrf(
                self.pixels[outer.slices], shares[(slice(None), *outer.slices)], params
            ).argmax(axis=0)
            out[inner.slices] = told[inner.shifted(-outer.y, -outer.x).slices] + 1
        return out


@dataclass(frozen=True)
class Subject:
    """A model, and the pictures that it is judged by.

    Parameters
    ----------
    train, held : pairs of an image and its mask.
    table : (256,) from a mask's value to the place of the class from 1 on, 0 for none.
    """

    name: str
    folder: Path
    train: list[tuple[Path, Path]]
    held: list[tuple[Path, Path]]
    table: NDArray[np.uint16]
    classes: tuple[str, ...]

    def cases(self, pairs: Sequence[tuple[Path, Path]]) -> Iterator[Case]:
        """The pictures with the probabilities of the model, one by one."""
        predictor = Predictor(load_model(self.folder), folder=self.folder)
        for path, label in pairs:
            mask = cv2.imread(str(label), cv2.IMREAD_UNCHANGED)
            assert mask is not None
            mask = mask[..., 0] if mask.ndim == 3 else mask
            with images.open(path) as source:
                whole = Rect(0, 0, source.shape.y, source.shape.x)
                shares = predictor.probabilities(source, whole).astype(np.float16)
                pixels = seen_pixels(source.read(), solver_window(source))
            yield Case(pixels, shares, self.table[np.minimum(mask, 255)])


def subject(name: str, data: Path) -> Subject:
    name, _, where = name.partition("=")
    folder = Path(where) if where else BUILT_IN / name
    told = ModelSpec.read(folder).classes.scored
    names = tuple(c.name for c in told)
    if name == "camvid":
        pairs = [_pairs(data / "camvid" / part) for part in ("train", "val")]
        table = np.zeros(256, np.uint16)
        for place, c in enumerate(told, 1):
            table[c.value] = place
        return Subject(name, folder, pairs[0], pairs[1], table, names)
    held = (BUILT_IN / name / "held_out.txt").read_text(encoding="utf-8").split()
    every = _pairs(data / FOLDERS[name])
    train = [pair for pair in every if pair[0].stem not in held]
    judged = [pair for pair in every if pair[0].stem in held]
    table = np.full(256, 2, np.uint16)  # whatever number an object has
    table[0] = 1
    return Subject(name, folder, train, judged, table, names)


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    found = sorted((folder / "images").iterdir())
    return [(path, next((folder / "labels").glob(f"{path.stem}*"))) for path in found]


def score(every: Sequence[Case], params: CrfParams | None) -> NDArray[np.float64]:
    counts = ConfusionAccumulator(list(range(1, len(every[0].shares) + 1)))
    for case in every:
        counts.add(case.truth, case.solved(params))
    return iou(counts.matrix)


def spread(pairs: Sequence[tuple[Path, Path]], count: int) -> list[tuple[Path, Path]]:
    places = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int)
    return [pairs[place] for place in places.tolist()]


def report(given: str, data: Path) -> None:
    one = subject(given, data)
    chosen = [case.cut() for case in one.cases(spread(one.train, CHOSEN_ON[one.name]))]
    found = search(lambda params: mean(score(chosen, params))[0], trials=TRIALS)[0].params
    judged = list(one.cases(spread(one.held, JUDGED_ON[one.name])))
    say(f"{one.name}: searched on {len(chosen)}, judged on {len(judged)} held-out pictures")
    say("found: " + ", ".join(f"{key} {value:g}" for key, value in found.to_json().items()))
    say(" " * 9 + "  ".join(one.classes))
    every = (("without", None), ("authors", AUTHORS), ("deeplab", DEEPLAB), ("found", found))
    for title, params in every:
        began = time.monotonic()
        values = score(judged, params)
        seconds = (time.monotonic() - began) / len(judged)
        row = "  ".join(f"{value:.4f}" for value in values)
        say(f"{title:8} {row}  mean {mean(values)[0]:.4f}  {seconds:.2f} s a picture")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    data, *names = sys.argv[1:]
    share_processor()
    for name in names or list(FOLDERS):
        report(name, Path(data))


if __name__ == "__main__":
    main()
