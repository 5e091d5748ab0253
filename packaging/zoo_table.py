"""Train every architecture alike on CamVid and write the table of docs/models.md.

One sequence, 0006R0, is held out of the training: the frames of val are seven seconds of a drive
that is trained on, and say little about other streets. What is done already is not done again, so
a stopped call goes on where it was.

    python packaging/zoo_table.py OUT --camvid DIR [--models NAME ...] [--steps 300]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "models.md"
BEGIN, END = "<!-- zoo table: written by make zoo-table -->", "<!-- end of the zoo table -->"
ENCODER = "tu-tf_efficientnet_lite0"
HELD_OUT = "0006R0"
FIRST = ("fpn", "unet", "naive", "deeplabv3plus", "pspnet", "segformer")
COLUMNS = {
    "val": "val",
    "val_crf": "with CRF",
    HELD_OUT: HELD_OUT,
    f"{HELD_OUT}_crf": "with CRF",
    "boundary": f"boundary, {HELD_OUT}",
    "seconds": "s per image",
    "parameters": "parameters",
    "memory": "peak memory",
    "minutes": "minutes",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the project and the rows")
    parser.add_argument("--camvid", type=Path, required=True, help="the folder with train and val")
    parser.add_argument("--models", nargs="*", default=list(FIRST))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure is not None:
        sys.stdout.write(json.dumps(measure(given.measure, given.camvid)))
        return 0
    for name in given.models:
        make_row(given.out, given.camvid, name, given.steps)
    write_table(given.out)
    return 0


def make_row(out: Path, camvid: Path, name: str, steps: int) -> None:
    """Train and measure one architecture unless its row is there."""
    row_file = out / "rows" / f"{name}.json"
    if row_file.is_file():
        return
    project = out / "camvid.maskwright"
    if not project.is_dir():
        train = camvid / "train"
        files = ["--images", str(train / "images"), "--truth", str(train / "labels")]
        split = ["--group-by", "^([^_]+)_", "--hold-out", f"{HELD_OUT}*"]
        maskwright("new", str(project), *files, *split, "--classes", "camvid")
    model = project / "models" / name
    if not model.is_dir():
        if (project / "runs" / name).is_dir():
            maskwright("train", str(project), "--resume", name)
        else:
            settings = ["--targets", "truth", "--arch", name, "--steps", str(steps), "--seed", "0"]
            settings += ["--encoder", ENCODER] if takes_encoder(name) else []
            maskwright("train", str(project), *settings, "--name", name)
    call = [sys.executable, __file__, str(out), "--camvid", str(camvid), "--measure", str(model)]
    row = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    row["steps"] = steps
    row_file.parent.mkdir(exist_ok=True)
    row_file.write_text(json.dumps(row, indent=1), encoding="utf-8")
    sys.stdout.write(f"{name}: val {row['val']:.3f}, {HELD_OUT} {row[HELD_OUT]:.3f}\n")


def maskwright(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "segcore.cli", *words], check=True)


def takes_encoder(name: str) -> bool:
    from segcore.models import architecture

    return architecture(name).refuses(ENCODER) is None


def measure(model_dir: Path, camvid: Path) -> dict[str, Any]:
    """Scores, time and memory of a trained model, in a process of its own for the memory."""
    import psutil

    from segcore.infer import Predictor
    from segcore.models import architecture, load_model

    model = load_model(model_dir)
    spec = model.spec
    predictor = Predictor(model)
    row: dict[str, Any] = {
        "title": architecture(spec.architecture).title,
        "start": "ImageNet" if spec.weights.startswith("imagenet") else "scratch",
        "encoder": spec.encoder,
        "parameters": sum(p.numel() for p in model.parameters()),
        "minutes": spec.made["minutes"],
        "device": spec.made["device"],
    }
    row |= _scores(predictor, list(_frames(camvid / "val", "")), "val")
    row["memory"] = _peak(psutil.Process())
    row |= _scores(predictor, list(_frames(camvid / "train", HELD_OUT)), HELD_OUT)
    row["boundary"] = row.pop(f"{HELD_OUT}_boundary")
    row["seconds"] = row.pop(f"{HELD_OUT}_seconds")
    return row


def _frames(folder: Path, prefix: str) -> Iterator[tuple[Path, Path]]:
    for image in sorted((folder / "images").glob(f"{prefix}*.jpg")):
        yield image, folder / "labels" / f"{image.stem}.png"


def _scores(predictor: Any, frames: list[tuple[Path, Path]], name: str) -> dict[str, Any]:
    """Mean IoU with and without a dense CRF, boundary IoU, and seconds an image."""
    import numpy as np

    from segcore import images, metrics
    from segcore.base import Rect
    from segcore.formats import read_mask
    from segcore.refine import densecrf

    classes = predictor.model.spec.classes.scored
    values = [c.value for c in classes]
    plain, refined = metrics.ConfusionAccumulator(values), metrics.ConfusionAccumulator(values)
    edges = metrics.BoundaryAccumulator(values)
    table = np.array(values)
    seconds = []
    for image, label in frames:
        with images.open(image) as source:
            picture = source.read(0)
        truth = read_mask(label).values
        began = time.perf_counter()
        shares = predictor.probabilities(picture, Rect(0, 0, *picture.shape[:2]))
        seconds.append(time.perf_counter() - began)
        found = table[shares.argmax(0)]
        plain.add(truth, found)
        edges.add(truth, found)
        refined.add(truth, table[densecrf(picture, shares).argmax(0)])
    return {
        name: float(metrics.mean(metrics.iou(plain.matrix))[0]),
        f"{name}_crf": float(metrics.mean(metrics.iou(refined.matrix))[0]),
        f"{name}_boundary": float(metrics.mean(edges.iou())[0]),
        f"{name}_seconds": float(np.median(seconds)),
    }


def _peak(process: Any) -> int:
    """Bytes that the process held at most."""
    info = process.memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return int(info.peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def write_table(out: Path) -> None:
    """Put the rows between the marks of the page, the best on the held-out drive first."""
    from segcore.models import architectures

    rows = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in out.glob("rows/*.json")}
    names = sorted(rows, key=lambda name: -rows[name][HELD_OUT])
    lines = [
        "| model | start | " + " | ".join(COLUMNS.values()) + " |",
        "| --- " * (2 + len(COLUMNS)) + "|",
    ]
    for name in names:
        row = rows[name]
        cells = [_cell(key, row[key]) for key in COLUMNS]
        lines.append(f"| {row['title']} | {row['start']} | " + " | ".join(cells) + " |")
    missing = [a.title for n, a in architectures().items() if n not in rows]
    said = f"\nNot run: {', '.join(sorted(missing))}." if missing else ""
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    body = "\n".join(lines) + "\n" + said
    PAGE.write_text(f"{before}{BEGIN}\n\n{body.rstrip()}\n\n{END}{after}", encoding="utf-8")


def _cell(key: str, value: float) -> str:
    if key == "parameters":
        return f"{value / 1e6:.2f} M"
    if key == "memory":
        return f"{value / 2**20:,.0f} MiB"
    if key == "minutes":
        return f"{value:.1f}"
    return f"{value:.2f}" if key == "seconds" else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
