"""Take the reference figures on CamVid again: full training, and fine-tuning on a shift.

Only the command line is used, as a person would. What is there already is not made again, so a
stopped call goes on where it was; a training that was killed is resumed by its own command.

    python packaging/reference.py OUT --camvid DIR [--part full|shift] [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

ARCHITECTURE = ["--arch", "fpn", "--encoder", "tu-tf_efficientnet_lite0"]
FULL_STEPS, TUNE_STEPS = 950, 200
SHIFTED, LEARNED, GAP = "0001TP", 20, 5


class Reference:
    """The projects of one folder, and the commands that fill them."""

    def __init__(self, out: Path, camvid: Path) -> None:
        self.out = out
        self.camvid = camvid
        out.mkdir(parents=True, exist_ok=True)

    def full(self, seed: int) -> None:
        """950 steps on the whole of train, scored on val as another project."""
        train = self.project("train", self.frames("train", []), "--truth")
        minutes = self.train(train, f"full{seed}", seed, FULL_STEPS, *ARCHITECTURE)
        score = self.score(train, f"full{seed}", "val", [])
        print(f"full training, seed {seed}: val {score:.4f}, {minutes:.1f} minutes", flush=True)

    def shift(self, seed: int) -> None:
        """200 steps on the first frames of another drive, from a model that never saw it."""
        frames = [name for name in self.names("train") if not name.startswith(SHIFTED)]
        base = self.project("base", self.frames("train", frames), "--truth")
        self.train(base, "base", 0, FULL_STEPS, *ARCHITECTURE)
        drive = [name for name in self.names("train") if name.startswith(SHIFTED)]
        tune = self.project("tune", self.frames("train", drive[:LEARNED]), "--labels")
        later = drive[LEARNED + GAP :]
        model = f"shift{seed}"
        start = ["--from", str(base / "models" / "base")]
        minutes = self.train(tune, model, seed, TUNE_STEPS, *start, targets="reviewed")
        for split, chosen, title in (("train", later, f"{len(later)} frames"), ("val", [], "val")):
            before = self.score(base, "base", split, chosen)
            after = self.score(tune, model, split, chosen)
            change = f"{before:.4f} -> {after:.4f} ({after - before:+.4f})"
            print(f"shift, seed {seed}: {title} {change}, {minutes:.1f} minutes", flush=True)

    def names(self, split: str) -> list[str]:
        return sorted(path.stem for path in (self.camvid / split / "images").iterdir())

    def frames(self, split: str, names: list[str]) -> Path:
        """A folder with the images and labels of these frames; all of the split without names."""
        if not names:
            return self.camvid / split
        folder = self.out / f"{split}-{names[0]}-{len(names)}"
        for kind, ending in (("images", "jpg"), ("labels", "png")):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            for name in names:
                source = self.camvid / split / kind / f"{name}.{ending}"
                shutil.copyfile(source, folder / kind / source.name)
        return folder

    def project(self, name: str, folder: Path, role: str) -> Path:
        path = self.out / f"{name}.maskwright"
        if not path.is_dir():
            files = ["--images", str(folder / "images"), role, str(folder / "labels")]
            self.command("new", path, *files, "--classes", "camvid", "--hold-out", "none")
        return path

    def train(
        self, project: Path, model: str, seed: int, steps: int, *more: str, targets: str = "truth"
    ) -> float:
        """Train unless the model is there; minutes of wall time."""
        clock = project / "models" / model / "minutes.txt"
        if not clock.is_file():
            begun = time.monotonic()
            if (project / "runs" / model).is_dir():
                self.command("train", project, "--resume", model)
            else:
                settings = ["--targets", targets, "--steps", str(steps), "--seed", str(seed)]
                self.command("train", project, *settings, "--name", model, *more)
            clock.write_text(f"{(time.monotonic() - begun) / 60}", encoding="utf-8")
        return float(clock.read_text(encoding="utf-8"))

    def score(self, owner: Path, model: str, split: str, names: list[str]) -> float:
        """Mean IoU of a model on frames, as a project of its own."""
        name = f"{model}-on-{split}" + (f"-{len(names)}" if names else "")
        project = self.project(name, self.frames(split, names), "--truth")
        self.command("predict", project, "--model", str(owner / "models" / model))
        report = json.loads(self.command("evaluate", project, "--json"))
        return float(report["mean_iou"])

    def command(self, name: str, project: Path, *options: str) -> str:
        call = [sys.executable, "-m", "segcore.cli", name, str(project), *options]
        print("$ maskwright", *call[3:], flush=True)
        return subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--camvid", type=Path, required=True, help="the folder with train and val")
    parser.add_argument("--part", choices=("full", "shift"), nargs="*", default=["full", "shift"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    given = parser.parse_args()
    reference = Reference(given.out, given.camvid)
    for part in given.part:
        for seed in given.seeds:
            getattr(reference, part)(seed)


if __name__ == "__main__":
    main()
