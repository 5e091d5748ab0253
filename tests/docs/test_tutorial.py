"""The tutorial runs as it stands, on a few frames and with fewer steps."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorials" / "camvid.md"
FEWER = {"--steps": "2", "--trials": "1"}
DRIVES = {"train": {"0001TP": 4, "0006R0": 5, "0016E5": 3}, "val": {"0016E5": 3}}


def blocks(kind: str) -> Iterator[str]:
    text = PAGE.read_text(encoding="utf-8")
    for found in re.finditer(r"```(\w+)\n(.*?)```", text, re.S):
        if kind in (found.group(1), ""):
            yield found.group(0)


def run_python(block: str, names: dict[str, object]) -> None:
    exec(compile(block.split("\n", 1)[1].removesuffix("```"), str(PAGE), "exec"), names)


def test_the_formulas_are_those_of_the_metrics() -> None:
    first = next(blocks("python"))
    assert "iou(matrix)[k] == tp / (tp + fp + fn)" in first
    run_python(first, {})


@pytest.mark.slow(reason="trains three times, a minute")
def test_every_command_of_the_tutorial_runs(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for split, drives in DRIVES.items():
        for kind in ("images", "labels"):
            (tmp_path / "camvid" / split / kind).mkdir(parents=True)
            source = shared_data / "camvid" / split / kind
            for drive, count in drives.items():
                for file in sorted(source.glob(f"{drive}*"))[:count]:
                    shutil.copy(file, tmp_path / "camvid" / split / kind)
    names: dict[str, object] = {}
    for block in blocks(""):
        if block.startswith("```python"):
            run_python(block, names)
            continue
        for line in block.replace("\\\n", " ").splitlines()[1:-1]:
            words = shlex.split(line)
            assert words[0] == "maskwright"
            for option, value in FEWER.items():
                if option in words:
                    words[words.index(option) + 1] = value
            call = [sys.executable, "-m", "segcore.cli", *words[1:]]
            done = subprocess.run(call, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (line, done.stderr)
    assert len(list((tmp_path / "result").rglob("*.png"))) >= 2
    assert (tmp_path / "street.maskwright" / "models" / "fpn-2").is_dir()
