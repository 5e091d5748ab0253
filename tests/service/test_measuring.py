"""A measurement can be ended at any moment and leaves nothing behind."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import psutil

from segcore.base import MaskwrightError
from segcore.service.measuring import Measurement
from segcore.train.preflight import Cost

ENDLESS = "tests.service.endless"
WAIT_S = 60.0


class Asked:
    """What a measurement is asked with, and what it told."""

    def __init__(self) -> None:
        self.folders: queue.Queue[Path] = queue.Queue()
        self.told: queue.Queue[Cost | MaskwrightError] = queue.Queue()

    def prepare(self, folder: Path) -> None:
        folder.mkdir()
        self.folders.put(folder)


def process_of(measurement: Measurement) -> psutil.Process:
    """Its process, once it is started."""
    started = threading.Event()
    while not measurement.pid:
        assert not started.wait(0.01)
    return psutil.Process(measurement.pid)


def test_a_cancelled_measurement_ends_its_process_and_tells_nothing() -> None:
    asked = Asked()
    measurement = Measurement(asked.prepare, asked.told.put, module=ENDLESS)
    measurement.start()
    process = process_of(measurement)
    measurement.cancel(WAIT_S)
    assert not process.is_running()
    assert not asked.folders.get(timeout=WAIT_S).parent.exists()
    assert asked.told.empty()


def test_one_that_the_system_ends_says_that_the_memory_may_be_full() -> None:
    asked = Asked()
    measurement = Measurement(asked.prepare, asked.told.put, module=ENDLESS)
    measurement.start()
    process_of(measurement).kill()
    said = asked.told.get(timeout=WAIT_S)
    assert isinstance(said, MaskwrightError)
    assert "memory was full" in said.message


def test_what_cannot_be_prepared_is_told_and_starts_no_process() -> None:
    asked = Asked()

    def refuse(_: Path) -> None:
        raise MaskwrightError("There is nothing to train on.")

    measurement = Measurement(refuse, asked.told.put, module=ENDLESS)
    measurement.start()
    said = asked.told.get(timeout=WAIT_S)
    assert isinstance(said, MaskwrightError)
    assert said.message == "There is nothing to train on."
    assert measurement.pid == 0


def test_one_that_is_cancelled_while_it_prepares_starts_no_process() -> None:
    asked, ready, go = Asked(), threading.Event(), threading.Event()

    def slowly(folder: Path) -> None:
        asked.prepare(folder)
        ready.set()
        assert go.wait(WAIT_S)

    measurement = Measurement(slowly, asked.told.put, module=ENDLESS)
    measurement.start()
    assert ready.wait(WAIT_S)
    measurement.cancel()
    go.set()
    measurement.cancel(WAIT_S)
    assert measurement.pid == 0
    assert asked.told.empty()
    assert not asked.folders.get(timeout=WAIT_S).parent.exists()


def test_it_gives_way_as_a_training_does() -> None:
    asked = Asked()
    measurement = Measurement(asked.prepare, asked.told.put, module=ENDLESS)
    measurement.start()
    process = process_of(measurement)
    waited = threading.Event()
    try:
        while process.nice() == psutil.Process().nice():
            assert not waited.wait(0.01)
    finally:
        measurement.cancel(WAIT_S)
