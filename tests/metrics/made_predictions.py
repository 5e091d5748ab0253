"""Real annotations as maps of segments, and predictions made of them by what models do wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

KINDS = ("shifted", "merged", "split", "wrong class", "missing", "invented", "all")


@dataclass(frozen=True, eq=False)
class Picture:
    """A map of segment ids, 0 = void, and what each segment is."""

    name: str
    ids: np.ndarray  # (y, x) int64
    category: dict[int, int]
    crowd: frozenset[int] = frozenset()

    def keys(self) -> np.ndarray:
        """Keys as `segcore.metrics` has them: category * 2^32 + id."""
        table = np.zeros(int(self.ids.max()) + 1, np.int64)
        for number, category in self.category.items():
            table[number] = (category << 32) + number
        return table[self.ids]

    @property
    def crowd_keys(self) -> set[int]:
        return {(self.category[number] << 32) + number for number in self.crowd}

    def present(self) -> Picture:
        """Without what lost all its pixels."""
        left = set(np.unique(self.ids).tolist()) - {0}
        return replace(self, category={n: c for n, c in self.category.items() if n in left})


def read_ids(path: Path) -> np.ndarray:
    blue, green, red = np.moveaxis(cv2.imread(str(path)).astype(np.int64), -1, 0)
    return red + 256 * green + 65536 * blue


def coco_pictures(shared_data: Path) -> tuple[list[Picture], list[dict]]:
    """The two pictures of COCO panoptic (three crowds, void) and their categories."""
    folder = shared_data / "coco_panoptic"
    content = json.loads((folder / "panoptic_examples.json").read_text())
    pictures = [
        Picture(
            annotation["file_name"],
            read_ids(folder / "panoptic_examples" / annotation["file_name"]),
            {s["id"]: s["category_id"] for s in annotation["segments_info"]},
            frozenset(s["id"] for s in annotation["segments_info"] if s["iscrowd"]),
        )
        for annotation in content["annotations"]
    ]
    return pictures, content["categories"]


def nuclei_pictures(shared_data: Path) -> tuple[list[Picture], list[dict]]:
    """Nuclei on their ground; a corner is void, and the first two nuclei are one crowd."""
    pictures = []
    for path in sorted((shared_data / "nuclei/labels").glob("*.png"))[:4]:
        numbers = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.int64)
        ids = numbers + 1  # the ground becomes segment 1
        ids[:60, :60] = 0
        ids[ids == 3] = 2
        left = [n for n in np.unique(ids).tolist() if n]
        category = {n: 2 if n == 1 else 1 for n in left}
        pictures.append(Picture(path.name, ids, category, frozenset({2} & set(left))))
    categories = [
        {"id": 1, "name": "nucleus", "isthing": 1, "supercategory": "cell"},
        {"id": 2, "name": "ground", "isthing": 0, "supercategory": "cell"},
    ]
    return pictures, categories


def predicted(picture: Picture, kind: str, rng: np.random.Generator) -> Picture:
    """The picture as a model might have it, wrong in one of `KINDS`."""
    made = replace(
        picture, crowd=frozenset(), ids=picture.ids.copy(), category={**picture.category}
    )
    # A model knows no crowd: it finds pieces of it.
    for number in picture.crowd:
        _split(made, number)
    for step in KINDS[:-1] if kind == "all" else (kind,):
        numbers = sorted(made.present().category)
        share = 0.15 if kind == "all" else 0.4
        some = [n for n in numbers if rng.random() < share]
        for number in some:
            _spoil(made, step, number, rng)
        if step == "shifted":
            made = replace(made, ids=np.roll(made.ids, rng.integers(-6, 7, 2), (0, 1)))
    return made.present()


def _spoil(made: Picture, step: str, number: int, rng: np.random.Generator) -> None:
    if step == "merged":
        like = [n for n, c in made.category.items() if c == made.category[number] and n != number]
        if like:
            made.ids[made.ids == number] = like[int(rng.integers(len(like)))]
    elif step == "split":
        _split(made, number)
    elif step == "wrong class":
        made.category[number] = int(rng.choice(sorted(set(made.category.values()))))
    elif step == "missing":
        made.ids[made.ids == number] = 0
    elif step == "invented":
        y, x = (int(rng.integers(0, n)) for n in made.ids.shape)
        fresh = max(made.category) + 1
        made.ids[y : y + int(rng.integers(5, 90)), x : x + int(rng.integers(5, 90))] = fresh
        made.category[fresh] = int(rng.choice(sorted(set(made.category.values()))))


def _split(made: Picture, number: int) -> None:
    rows, columns = np.nonzero(made.ids == number)
    if not columns.size:
        return
    right = columns > columns.mean()
    fresh = max(made.category) + 1
    made.ids[rows[right], columns[right]] = fresh
    made.category[fresh] = made.category[number]
