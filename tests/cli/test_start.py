"""How the program starts: which call opens a window, and what a machine without Qt's libraries
or without a screen is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.main import main
from app.qt_libraries import DEBIAN_PACKAGES, missing_libraries, trouble_of
from app.start import open_window

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the window was asked to open, instead of a window."""
    calls: list[object] = []
    monkeypatch.setattr("app.main.open_window", lambda project: calls.append(project) or 0)
    return calls


def test_a_bare_call_and_a_project_open_the_window(opened: list[object], tmp_path: Path) -> None:
    project = tmp_path / "a.maskwright"
    project.mkdir()
    assert main([]) == 0
    assert main([str(project)]) == 0
    assert opened == [None, str(project)]


def test_a_process_that_has_loaded_torch_leaves_the_window_to_a_fresh_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[list[str]] = []
    monkeypatch.setitem(sys.modules, "torch", sys)
    monkeypatch.setattr(subprocess, "call", lambda command: calls.append(command) or 0)
    assert open_window(tmp_path / "a.maskwright") == 0
    assert calls == [[sys.executable, "-m", "app.main", str(tmp_path / "a.maskwright")]]


def test_what_is_no_existing_project_folder_is_a_command(
    opened: list[object], tmp_path: Path
) -> None:
    (tmp_path / "file.maskwright").write_text("")
    (tmp_path / "folder").mkdir()
    for name in ("file.maskwright", "folder", "gone.maskwright"):
        assert main([str(tmp_path / name)]) == 2
    assert opened == []


def test_a_project_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([str(tmp_path / "gone.maskwright")]) == 2
    assert "gone.maskwright" in capsys.readouterr().err


def test_a_missing_library_is_named_with_its_package() -> None:
    trouble = trouble_of("libEGL.so.1: cannot open shared object file: No such file or directory")
    assert "libEGL.so.1" in trouble.message
    assert "libegl1" in trouble.hint
    assert "apt-get install" in trouble.hint


def test_a_library_of_no_known_package_is_named_all_the_same() -> None:
    trouble = trouble_of("libnever.so.7: cannot open shared object file")
    assert "libnever.so.7" in trouble.message


def test_the_set_up_of_ci_installs_every_package_of_the_table() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    # What these bring along needs no line of its own.
    along = {"libx11-6", "libxcb1", "libfreetype6"}
    along |= {f"libxcb-{part}" for part in ("render0", "shm0", "sync1", "xfixes0")}
    for package in set(DEBIAN_PACKAGES.values()) - along:
        assert re.search(rf"(^|\s){re.escape(package)}(\s|$)", script), package


def test_all_libraries_of_the_table_load_where_the_window_does() -> None:
    assert missing_libraries() == []


def run_window(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """``maskwright`` in a process of its own, with these variables and no other screen."""
    screenless = {"QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"}
    inherited = {k: v for k, v in os.environ.items() if k not in screenless}
    return subprocess.run(
        [sys.executable, "-m", "app.main", *environment.pop("arguments", "").split()],
        cwd=ROOT,
        env=inherited | {"XDG_CONFIG_HOME": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", ["", "--startup-report"])
def test_no_screen_is_one_sentence_and_no_crash(tmp_path: Path, arguments: str) -> None:
    ended = run_window(tmp_path, arguments=arguments)
    assert ended.returncode == 1
    assert "no screen" in ended.stderr
    assert len(ended.stderr.splitlines()) == 2


def test_a_screen_that_does_not_answer_is_one_sentence_and_no_abort(tmp_path: Path) -> None:
    ended = run_window(tmp_path, DISPLAY=":4711")
    assert ended.returncode == 1
    assert '":4711"' in ended.stderr
    assert len(ended.stderr.splitlines()) == 2


def test_a_library_that_qt_cannot_load_is_one_sentence(tmp_path: Path) -> None:
    # A package named PySide6 that fails as the real one does where libEGL is not installed.
    fake = tmp_path / "fake" / "PySide6"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("")
    (fake / "QtWidgets.py").write_text(
        "raise ImportError('libEGL.so.1: cannot open shared object file: No such file')"
    )
    ended = run_window(tmp_path, PYTHONPATH=str(fake.parent), QT_QPA_PLATFORM="offscreen")
    assert ended.returncode == 1
    assert "libegl1" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_doctor_tells_of_a_missing_screen_without_failing(tmp_path: Path) -> None:
    ended = run_window(tmp_path, arguments="doctor")
    assert ended.returncode == 0, ended.stderr
    assert "no screen" in ended.stdout
