"""Train the two models that come with the program, `nuclei` and `retina`.

    python resources/weights/make_defaults.py prepare nuclei ../shared/data/nuclei RUN_DIR
    python -m segcore.train RUN_DIR
    python resources/weights/make_defaults.py take nuclei RUN_DIR
    python resources/weights/make_defaults.py score nuclei ../shared/data/nuclei
    python resources/weights/make_defaults.py check nuclei ../shared/data/nuclei

``prepare`` makes a run's folder; the held-out pictures are those that ``NAME/held_out.txt`` lists,
and no training sees them. ``take`` copies the result here and adds to its description how it was
made and what a mask of nothing but background would score on the same pictures. ``score`` measures
the held-out pictures again, for where the program predicts otherwise than it did. ``check``
compares the engines with torch in float32 on held-out pictures and notes what was seen; in bfloat16
torch's too, which takes minutes where the processor has none.
"""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segcore import images, metrics
from segcore.base import ClassId, ClassSet, SegClass
from segcore.infer.comparing import MOST_IMAGES, Sample, check_model
from segcore.models.spec import ModelSpec
from segcore.models.weights import load_model
from segcore.train import Recipe, TrainItem, freeze, make_run, read_frozen, read_report
from segcore.train.score import score

HERE = Path(__file__).resolve().parent
HELD_OUT_NUCLEI = 71
HELD_OUT_CHILDREN = (3, 7, 11)

CLASSES = {
    "nuclei": ClassSet(
        (
            SegClass(
                ClassId(1), "background", 0, None, uuid="6d9f8d64-52c5-5d6c-9f0f-6e75636c0001"
            ),
            SegClass(
                ClassId(2),
                "nucleus",
                1,
                "#2FB8E0",
                thing=True,
                uuid="6d9f8d64-52c5-5d6c-9f0f-6e75636c0002",
                code="SCT:84640000",
            ),
        )
    ),
    "retina": ClassSet(
        (
            SegClass(
                ClassId(1), "background", 0, None, uuid="6d9f8d64-52c5-5d6c-9f0f-726574690001"
            ),
            SegClass(
                ClassId(2),
                "vessel",
                1,
                "#38E07B",
                uuid="6d9f8d64-52c5-5d6c-9f0f-726574690002",
                code="SCT:61695000",
            ),
        )
    ),
}

COMMON: dict[str, Any] = {
    "arch": "unet",
    "encoder": "tu-tf_efficientnet_lite0",
    "targets": "truth",
    "preparation": "percentile",
    "flip_vertical": 0.5,
    "turn": 0.5,
    "balance": "sqrt",
}
RECIPES = {
    "nuclei": Recipe(
        **COMMON,
        steps=500,
        batch=8,
        crop_height=256,
        crop_width=256,
        scale_low=0.6,
        scale_high=1.8,
        colour="strong",
    ),
    "retina": Recipe(
        **COMMON,
        steps=260,
        batch=4,
        crop_height=320,
        crop_width=320,
        scale_low=0.7,
        scale_high=1.5,
        colour="mild",
    ),
}
LICENCES = {
    "nuclei": (
        "BSD-3-Clause; data CC0 1.0; encoder's first weights Apache-2.0",
        (
            "BBBC038v1, Broad Bioimage Benchmark Collection (Caicedo et al., Nature Methods 2019; "
            "Ljosa et al., Nature Methods 2012)"
        ),
    ),
    "retina": (
        "BSD-3-Clause; data CC BY 4.0; encoder's first weights Apache-2.0",
        (
            "CHASE_DB1, Kingston University and St George's, University of London (Fraz et al., "
            "IEEE Transactions on Biomedical Engineering 2012; Owen et al. 2009), CC BY 4.0"
        ),
    ),
}


def choose_held_out(name: str, data: Path) -> list[str]:
    """Stems of the pictures that no training sees."""
    if name == "retina":
        return [f"Image_{child:02d}{eye}" for child in HELD_OUT_CHILDREN for eye in "LR"]
    with (data / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    # Every third or so of a list sorted by kind and size: evenly over both.
    rows.sort(key=lambda r: (r["kind"], int(r["width"]) * int(r["height"]), r["file"]))
    places = [int((i + 0.5) * len(rows) / HELD_OUT_NUCLEI) for i in range(HELD_OUT_NUCLEI)]
    return sorted(Path(rows[place]["file"]).stem for place in places)


def read_target(path: Path, classes: ClassSet) -> NDArray[np.uint16]:
    """Class ids (h, w): the first class where the file is 0, the second elsewhere."""
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    first, second = (c.id for c in classes)
    return np.where(values > 0, np.uint16(second), np.uint16(first)).astype(np.uint16)


def items(name: str, data: Path, held_out: list[str]) -> Iterator[TrainItem]:
    for image in sorted((data / "images").iterdir()):
        yield TrainItem(
            name=image.stem,
            sources=(image,),
            target=read_target(data / "labels" / f"{image.stem}.png", CLASSES[name]),
            group=image.stem[:-1] if name == "retina" else "",
            role="held_out" if image.stem in held_out else "train",
        )


def prepare(name: str, data: Path, run_dir: Path) -> None:
    listing = HERE / name / "held_out.txt"
    if not listing.exists():
        listing.parent.mkdir(exist_ok=True)
        listing.write_text("\n".join(choose_held_out(name, data)) + "\n", encoding="utf-8")
    licence, attribution = LICENCES[name]
    make_run(run_dir, RECIPES[name], name=name, licence=licence, attribution=attribution)
    held_out = listing.read_text(encoding="utf-8").split()
    freeze(items(name, data, held_out), run_dir, CLASSES[name])


def take(name: str, run_dir: Path) -> None:
    report = read_report(run_dir)
    if report is None or report["cancelled"]:
        raise SystemExit(f"the run in {run_dir} is not finished")
    data = read_frozen(run_dir)
    classes = CLASSES[name]
    ids = [int(c.id) for c in classes]
    counts = metrics.ConfusionAccumulator(ids)
    for item in data.of("held_out"):
        truth = item.read_target()
        counts.add(truth, np.full_like(truth, ids[0]))
    empty_iou, empty_dice = metrics.iou(counts.matrix), metrics.dice(counts.matrix)
    spec = ModelSpec.read(run_dir / "result")
    scores = dict(spec.scores)
    scores["all_background"] = {
        "mean_iou": round(float(metrics.mean(empty_iou)[0]), 6),
        "mean_dice": round(float(metrics.mean(empty_dice)[0]), 6),
        "classes": [
            {"name": c.name, "iou": round(float(i), 6), "dice": round(float(d), 6)}
            for c, i, d in zip(classes, empty_iou, empty_dice, strict=True)
        ],
        "items": len(data.of("held_out")),
    }
    command = " && ".join(
        (
            f"python resources/weights/make_defaults.py prepare {name} DATA RUN",
            "python -m segcore.train RUN",
            f"python resources/weights/make_defaults.py take {name} RUN",
        )
    )
    for file in ("model.safetensors", "model.json"):
        shutil.copyfile(run_dir / "result" / file, HERE / name / file)
    spec.changed(scores=scores, command=command).write(HERE / name / "model.json")


def score_again(name: str, data: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        prepare(name, data, Path(folder) / "run")
        held_out = read_frozen(Path(folder) / "run").of("held_out")
        found = score(load_model(HERE / name), held_out, CLASSES[name])
    spec = ModelSpec.read(HERE / name)
    kept = spec.scores["held_out"]
    sys.stdout.write(f"mean IoU {kept['mean_iou']} -> {found['mean_iou']}\n")
    spec.changed(scores={**spec.scores, "held_out": kept | found}).write(HERE / name / "model.json")


def check(name: str, data: Path, engines: tuple[str, ...]) -> None:
    held_out = (HERE / name / "held_out.txt").read_text(encoding="utf-8").split()
    chosen = [item for item in items(name, data, held_out) if item.role == "held_out"]
    step = max(1, len(chosen) // MOST_IMAGES)  # evenly: the list is sorted by name
    samples = (Sample(read_picture(item.sources[0]), item.target) for item in chosen[::step])
    where = "held-out pictures"
    found = check_model(HERE / name, samples, CLASSES[name], where, engines=engines)
    for engine, seen in found.items():
        sys.stdout.write(f"{engine}: {'agrees' if seen.holds else 'no'}. {seen.sentence}\n")


def read_picture(path: Path) -> NDArray[Any]:
    with images.open(path) as source:
        return source.read(0)


def main(arguments: list[str]) -> None:
    if len(arguments) == 4 and arguments[0] == "prepare":
        prepare(arguments[1], Path(arguments[2]), Path(arguments[3]))
    elif len(arguments) == 3 and arguments[0] == "take":
        take(arguments[1], Path(arguments[2]))
    elif len(arguments) == 3 and arguments[0] == "score":
        score_again(arguments[1], Path(arguments[2]))
    elif len(arguments) >= 3 and arguments[0] == "check":
        engines = tuple(arguments[3:]) or ("openvino-f32", "torch-bf16")
        check(arguments[1], Path(arguments[2]), engines)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
