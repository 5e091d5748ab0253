"""What the tests of the command line share: calling it, and small slices of the real data."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from segcore.cli.host import Host
from segcore.cli.main import run
from segcore.projects.places import Places


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as JSON; fails where there is a word beside it."""
        return json.loads(self.out)


Command = Callable[..., Result]


@pytest.fixture
def maskwright(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs a command in this process: ``maskwright("info", path)``; it must not raise.

    Settings, logs and the demo of whoever runs the tests are left alone.
    """
    here = Places(*(tmp_path / "places" / name for name in ("settings", "logs", "weights", "data")))
    for module in ("segcore.cli.crash", "segcore.cli.health", "segcore.projects.demo"):
        monkeypatch.setattr(f"{module}.places", lambda: here)

    def call(*arguments: object, host: Host | None = None) -> Result:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([str(argument) for argument in arguments], host)
        return Result(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def done(maskwright: Command) -> Command:
    """As `maskwright`, and the command must succeed."""

    def call(*arguments: object, host: Host | None = None) -> Result:
        result = maskwright(*arguments, host=host)
        assert result.code == 0, result.err
        return result

    return call


def take(source: Path, target: Path, names: list[str]) -> None:
    """Copy the files of these stems from one folder into another."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.name.split(".")[0] in names:
            shutil.copyfile(file, target / file.name)


@pytest.fixture
def street(shared_data: Path, tmp_path: Path) -> Path:
    """Six CamVid scenes of two drives: folders images and labels."""
    for source, names in (
        (shared_data / "camvid" / "train", ["0001TP_006690", "0001TP_006720", "0006R0_f00930"]),
        (shared_data / "camvid" / "val", ["0016E5_07959", "0016E5_07961", "0016E5_07963"]),
    ):
        for part in ("images", "labels"):
            take(source / part, tmp_path / "street" / part, names)
    return tmp_path / "street"
