"""The wheel: it has all it needs, and works where nothing of the checkout is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout, built with the tools that are installed."""
    shutil.rmtree(ROOT / "build", ignore_errors=True)  # an older build's files would come along
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), "."],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return next(out.glob("*.whl"))


@pytest.mark.slow(reason="builds the wheel")
def test_the_wheel_holds_code_schema_icons_and_models_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "app", "segcore", "resources",
    }  # fmt: skip
    assert "segcore/store/schema.sql" in names
    for folder, pattern in (("icons", "*.svg"), ("weights", "*/model.*")):
        for file in (ROOT / "resources" / folder).glob(pattern):
            assert file.relative_to(ROOT).as_posix() in names
    pages = [file.name for file in (ROOT / "docs" / "manual").glob("*.md")]
    assert {f"resources/manual/{page}" for page in pages} <= set(names)
    assert "resources/images/crops_light.png" in names  # of the page on fine-tuning
    for package in ("app", "segcore"):
        for file in (ROOT / package).rglob("*.py"):
            assert file.relative_to(ROOT).as_posix() in names


@pytest.mark.slow(
    reason="installs the wheel into an empty environment, makes and predicts the demo"
)
def test_the_installed_wheel_starts_predicts_and_exports(wheel: Path) -> None:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "packaging" / "smoke.py"), str(wheel.parent), "--borrow"],
        cwd=wheel.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "as png" in ended.stdout
