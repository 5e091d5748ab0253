"""Tries a built wheel: installed into an empty environment it starts, predicts and exports.

``python packaging/smoke.py DIST [--borrow]``. DIST is the folder with the wheel. With ``--borrow``
the other packages come from the environment that runs this, so that nothing is downloaded; the
wheel itself is always installed, and nothing of the checkout is in reach.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--borrow", action="store_true", help="borrow the other packages")
    arguments = parser.parse_args()
    wheels = sorted(arguments.dist.glob("maskwright-*.whl"), key=lambda p: p.stat().st_mtime)
    if not wheels:
        sys.stderr.write(f"There is no wheel in {arguments.dist}; build one with: make wheel\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="maskwright-smoke-") as folder:
        place = Path(folder)
        python = environment(place / "venv", wheels[-1], borrow=arguments.borrow)
        for line in trial(place, python):
            sys.stdout.write(line + "\n")
    return 0


def environment(folder: Path, wheel: Path, *, borrow: bool) -> Path:
    """An empty environment with the wheel in it; its Python."""
    venv.EnvBuilder(with_pip=True).create(folder)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if borrow:
        site = subprocess.run(
            [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        # A plain path: .pth files of the lender (an editable install) are not read from there.
        (Path(site) / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        install.append("--no-deps")
    else:
        install += ["--constraint", str(ROOT / "constraints.txt")]
    # pip is called away from the checkout, whose folder would shadow what is installed.
    subprocess.run([*install, str(wheel.resolve())], check=True, cwd=folder)
    return python


def trial(place: Path, python: Path) -> list[str]:
    """What the installed program was seen to do; raises where it fails."""
    own = {"PYTHONPATH", "PYTHONHOME"}
    variables = {k: v for k, v in os.environ.items() if k not in own} | {
        "QT_QPA_PLATFORM": "offscreen",
        "XDG_DATA_HOME": str(place / "data"),
        "XDG_CONFIG_HOME": str(place / "config"),
        "XDG_STATE_HOME": str(place / "state"),
    }

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [str(python), *arguments],
            cwd=place, env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if ended.returncode != 0:
            raise SystemExit(f"{' '.join(arguments)} failed:\n{ended.stdout}{ended.stderr}")
        return ended.stdout.strip()

    program = ("-m", "app.main")
    said = []
    where = run("-c", "import segcore; print(segcore.__file__)")
    if not Path(where).resolve().is_relative_to((place / "venv").resolve()):
        raise SystemExit(f"segcore was taken from {where}, not from the wheel")
    said.append(run(*program, "--version"))
    times = json.loads(run(*program, "--startup-report").splitlines()[-1])
    said.append(f"started: {times}")
    demo = next((place / "data").rglob("demo.maskwright"))
    told = json.loads(run(*program, "info", str(demo), "--json"))
    if told["states"]["predicted"] != told["items"]:
        raise SystemExit(f"the demo was not predicted: {told['states']}")
    told = json.loads(run(*program, "predict", str(demo), "--model", "nuclei", "--json",
                          "--items", "nuclei*", "--overwrite"))  # fmt: skip
    said.append(f"predicted: {told}")
    out = str(place / "out")
    said.append(run(*program, "export", str(demo), out, "--format", "png", "--states", "predicted"))
    if not (place / "out" / "manifest.json").is_file():
        raise SystemExit("the export has no manifest")
    return said


if __name__ == "__main__":
    sys.exit(main())
