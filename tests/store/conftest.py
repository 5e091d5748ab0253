"""Fixtures of the store's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_kit import make_project

from segcore.store import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project with three items of 300 x 520 pixels, closed at the end."""
    with make_project(tmp_path, items=3) as made:
        yield made
