"""What a training costs the person who goes on painting: GrabCut preview and brush, idle and not.

A real trainer is started as the window starts it. Idle figures are taken while it is suspended, in
turns with the others, so that whatever else the machine does slows both. The budget is a ratio:
at most 1.5 between the medians. Run it alone with
`python -m pytest tests/bench/bench_interference.py -m bench -s`.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from segcore.base import CLASS_PRESETS, Rect
from segcore.service import trainer
from segcore.service.client import Client
from segcore.service.protocol import Event, Grabcut, JobChanged, ProcessReady, RegionSolved
from segcore.train import Recipe, TrainItem, freeze, make_run, read_events

pytestmark = pytest.mark.bench

BUDGET_RATIO = 1.5
ROUNDS = 6
CUTS = 4
STROKE_EVENTS = 60


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Path]:
    """A training on street scenes as a person would start it, at work."""
    folder = tmp_path_factory.mktemp("p.maskwright") / "runs" / "street"
    make_run(folder, Recipe(arch="fpn", weights=None, steps=100_000))
    items = []
    for path in sorted((shared_data / "camvid" / "train" / "images").iterdir())[:16]:
        label = cv2.imread(str(path.parents[1] / "labels" / f"{path.stem}.png"), 0)
        items.append(TrainItem(path.stem, (path,), label.astype(np.uint16) + 1))
    freeze(items, folder, CLASS_PRESETS["camvid"])
    trainer.launch(folder)
    until(lambda: any(e["kind"] == "step" for e in read_events(folder)[0]))
    yield folder
    trainer.cancel(folder)
    process(folder).resume()
    process(folder).kill()


def until(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)


def process(run_dir: Path) -> psutil.Process:
    from segcore.train import read_run

    facts = read_run(run_dir).process
    assert facts is not None
    return psutil.Process(int(facts["pid"]))


def in_turns(
    run_dir: Path, measure: Callable[[], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Milliseconds while the trainer is suspended, and while it works."""
    idle, busy = [], []
    training = process(run_dir)
    measure()  # the first of all pays for what is loaded once
    for _ in range(ROUNDS):
        training.suspend()
        idle.append(measure())
        training.resume()
        before = training.cpu_times().user
        until(lambda before=before: training.cpu_times().user > before + 0.2)  # type: ignore[misc]
        busy.append(measure())
    return np.concatenate(idle), np.concatenate(busy)


def report(what: str, idle: NDArray[np.float64], busy: NDArray[np.float64]) -> float:
    ratio = float(np.median(busy) / np.median(idle))
    print(
        f"\n{what:32} idle p50 {np.median(idle):8.2f} ms  p95 {np.percentile(idle, 95):8.2f}   "
        f"training p50 {np.median(busy):8.2f}  p95 {np.percentile(busy, 95):8.2f}   "
        f"ratio {ratio:.2f}"
    )
    return ratio


def preview_job(image: NDArray[np.uint8]) -> Grabcut:
    seeds = np.zeros(image.shape[:2], np.uint8)
    seeds[150:156, 100:200] = 1
    seeds[10:16, 40:260] = 2
    height, width = seeds.shape
    return Grabcut(key="preview", rect=Rect(0, 0, height, width), image=image, seeds=seeds)


@pytest.mark.parametrize("courteous", [True, False], ids=["training waits", "training goes on"])
def test_a_grabcut_preview_beside_a_training(
    run_dir: Path, shared_data: Path, courteous: bool
) -> None:
    path = sorted((shared_data / "camvid" / "val" / "images").iterdir())[0]
    image = np.asarray(cv2.imread(str(path))[40:320, 60:380], np.uint8)
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    courtesy = trainer.Courtesy(lambda: [run_dir] if courteous else [])

    def hear(event: Event) -> None:
        courtesy.hear(event)
        events.put(event)

    with Client("refiner", hear) as client:
        client.start()
        while not isinstance(events.get(timeout=60), ProcessReady):
            pass

        def measure() -> NDArray[np.float64]:
            times = []
            for _ in range(CUTS):
                began = time.perf_counter()
                number = client.submit(preview_job(image))
                while True:
                    event = events.get(timeout=60)
                    if isinstance(event, RegionSolved):
                        times.append(time.perf_counter() - began)
                    if isinstance(event, JobChanged) and event.number == number:
                        assert event.state not in ("failed", "lost"), event.reason
                        if event.state == "done":
                            break
            return np.array(times) * 1000

        idle, busy = in_turns(run_dir, measure)
    courtesy.close()
    said = "GrabCut preview" + ("" if courteous else ", without pausing")
    ratio = report(said, idle, busy)
    assert ratio <= BUDGET_RATIO


def test_the_brush_beside_a_training(run_dir: Path, tmp_path: Path, qapp: object) -> None:
    from tests.bench.bench_brush import measure as stroke

    count = iter(range(1000))

    def measure() -> NDArray[np.float64]:
        folder = tmp_path / str(next(count))
        folder.mkdir()
        return np.asarray(stroke(folder, 2048, 40, "fit", STROKE_EVENTS).ours)

    idle, busy = in_turns(run_dir, measure)
    assert report("Brush 40, to the painted frame", idle, busy) <= BUDGET_RATIO
