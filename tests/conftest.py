"""Fixtures that every part's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout; a test that needs it fails without it."""
    folder = SHARED / "data"
    assert folder.is_dir(), "the data folder ../shared/data is missing beside the checkout"
    return folder
