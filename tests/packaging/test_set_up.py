"""The set-up says in a sentence what a machine lacks, with the name of the package."""

from __future__ import annotations

import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def set_up(python: Path | str, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(ROOT / "packaging" / "set_up.sh"), str(python), str(target)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def fake_python(folder: Path, script: str) -> Path:
    path = folder / "python3"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path


def test_a_missing_python_is_named_with_its_package(tmp_path: Path) -> None:
    ended = set_up("python3-is-not-here", tmp_path / "venv")
    assert ended.returncode == 1
    assert "apt-get install python3" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_an_old_python_is_named_with_what_is_needed(tmp_path: Path) -> None:
    python = fake_python(
        tmp_path, 'case "$1" in --version) echo "Python 3.9.2";; *) exit 1;; esac\n'
    )
    ended = set_up(python, tmp_path / "venv")
    assert ended.returncode == 1
    assert "Python 3.9.2 is too old" in ended.stderr
    assert "3.11" in ended.stderr


def test_a_python_without_venv_is_named_with_its_package(tmp_path: Path) -> None:
    python = fake_python(tmp_path, 'case "$*" in *ensurepip*) exit 1;; *) exit 0;; esac\n')
    ended = set_up(python, tmp_path / "venv")
    assert ended.returncode == 1
    assert "python3-venv" in ended.stderr


def test_without_a_compiler_dense_crf_is_left_out_and_the_rest_goes_on(tmp_path: Path) -> None:
    # An environment that is there already, whose pip does nothing and which lacks pydensecrf.
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    script = 'case "$*" in *pydensecrf*) exit 1;; *sysconfig*) echo /no/such/Python.h;; esac\n'
    fake_python(venv / "bin", script).rename(venv / "bin" / "python")
    ended = set_up(fake_python(tmp_path, "exit 0\n"), venv)
    assert ended.returncode == 0
    assert "python3-dev" in ended.stderr
    assert "dense CRF is left out" in ended.stderr


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_requirement_is_pinned_to_a_version_that_it_allows(project: dict) -> None:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            pins[canonicalize_name(pin.name)] = next(iter(pin.specifier)).version
    texts = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    for requirement in map(Requirement, texts):
        version = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


def test_no_file_that_is_installed_from_names_a_host() -> None:
    for name in ("constraints.txt", "Makefile", ".ci/run", "packaging/set_up.sh"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"https?://|index-url|find-links", text), name
