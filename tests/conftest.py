"""Fixtures that every part's tests share."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from counting import (  # noqa: F401 - hooks, which pytest finds here by their names
    pytest_deselected,
    pytest_runtest_makereport,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from hypothesis import settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# What the program keeps to be faster next time; the cores that tests start inherit it.
if "MASKWRIGHT_CACHE" not in os.environ:
    os.environ["MASKWRIGHT_CACHE"] = tempfile.mkdtemp(prefix="maskwright-tests-")
    atexit.register(shutil.rmtree, os.environ["MASKWRIGHT_CACHE"], ignore_errors=True)

# A busy machine is no failure: how long an example takes is what the benchmarks are for. A case
# that was found prints the line that brings it back.
settings.register_profile("maskwright", deadline=None, print_blob=True)
settings.load_profile("maskwright")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; a test that needs it fails without it."""
    folder = SHARED / "data"
    assert folder.is_dir(), "the data folder ../shared/data is missing beside the checkout"
    return folder
