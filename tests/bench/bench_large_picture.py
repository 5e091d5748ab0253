"""A tiled picture of 16,000 x 16,000 pixels without levels: how soon something is on screen.

The floor is decoding the picture once, in the same run.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile

from app.settings import Settings
from segcore import images
from segcore.base import CLASS_PRESETS, Rect, Shape
from segcore.store import NewItem, Project

pytestmark = pytest.mark.bench

SIDE = 16_000
FIRST_BUDGET, SECOND_BUDGET = 0.5, 0.2
MEMORY_BUDGET = 1.0


def large_tiff(file: Path) -> None:
    """Noise on a ramp, (16000, 16000, 3) uint8, in packed tiles."""
    random = np.random.default_rng(0)

    def tiles() -> Any:
        for y in range(0, SIDE, 512):
            for x in range(0, SIDE, 512):
                tile = random.integers(0, 16, (512, 512, 3)).astype(np.uint8)
                yield tile + np.uint8((x + y) // 200)

    tifffile.imwrite(
        file,
        tiles(),
        shape=(SIDE, SIDE, 3),
        dtype=np.uint8,
        tile=(512, 512),
        photometric="rgb",
        compression="zlib",
        compressionargs={"level": 1},
    )


def open_and_watch(path: Path, qtbot: Any) -> tuple[float, float, float]:
    """Seconds to something on screen, seconds to all levels, most memory in GB."""
    from app.window.start import make_window

    window = make_window(settings=Settings(None))
    space = window.workspace
    window._core_started = True
    window.resize(1366, 768)
    with qtbot.waitExposed(window):
        window.show()
    process = psutil.Process()
    before = most = process.memory_info().rss
    begun, first = time.perf_counter(), 0.0
    space.open_project(path)

    def is_built() -> bool:
        nonlocal first, most
        most = max(most, process.memory_info().rss)
        shown = space.image is not None and not space.overviews.decoding
        if shown and window.canvas.is_settled and not first:
            first = time.perf_counter() - begun
        return bool(first) and space.overviews.row is None

    qtbot.waitUntil(is_built, timeout=300_000)
    built = time.perf_counter() - begun
    window.close()
    window.deleteLater()
    return first, built, (most - before) / 1e9


def test_a_large_picture_is_on_screen_long_before_it_is_decoded(tmp_path: Path, qtbot: Any) -> None:
    file = tmp_path / "large.tif"
    large_tiff(file)
    with Project.create(tmp_path / "large.maskwright", CLASS_PRESETS["binary"]) as project:
        project.add_items([NewItem("large", [file], Shape(1, SIDE, SIDE))])
    begun = time.perf_counter()
    with images.open(file) as source:
        for y in range(0, SIDE, 1024):
            source.read(0, Rect(y, 0, min(1024, SIDE - y), SIDE))
    floor = time.perf_counter() - begun
    print(f"\ndecoding once: {floor:.1f} s")
    for name, budget in (("first", FIRST_BUDGET), ("second", SECOND_BUDGET)):
        first, built, memory = open_and_watch(tmp_path / "large.maskwright", qtbot)
        print(
            f"{name} opening: on screen after {first:.2f} s ({first / floor:.2f} times, at most "
            f"{budget}), levels after {built:.1f} s, {memory:.2f} GB (at most {MEMORY_BUDGET})"
        )
        assert first <= budget * floor
        assert memory <= MEMORY_BUDGET
