"""Work beside the GUI thread: delivered here, the newest wins, nothing after the end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from app.workspace.background import Background


@pytest.fixture
def background(qapp: Any):
    made = Background(2)
    yield made
    made.close()


def test_results_come_on_the_thread_that_asked(background: Background, qtbot: Any) -> None:
    seen: list[tuple[int, int]] = []
    background.run(threading.get_ident, lambda ident: seen.append((ident, threading.get_ident())))
    qtbot.waitUntil(lambda: bool(seen))
    assert seen[0][0] != threading.get_ident()
    assert seen[0][1] == threading.get_ident()


def test_of_many_requests_only_the_running_and_the_last_are_done(
    background: Background, qtbot: Any
) -> None:
    begun, release = threading.Event(), threading.Event()
    done: list[int] = []
    shown: list[int] = []

    def work(number: int) -> int:
        begun.set()
        assert release.wait(10)
        done.append(number)
        return number

    for number in range(5):
        background.run_latest("scores", lambda n=number: work(n), shown.append)
        if number == 0:
            assert begun.wait(10)
    release.set()
    qtbot.waitUntil(lambda: bool(shown))
    assert done == [0, 4]
    assert shown == [4]


def test_an_error_without_a_taker_is_told(background: Background, qtbot: Any) -> None:
    def fail() -> None:
        raise ValueError("no")

    with qtbot.waitSignal(background.failed) as told:
        background.run(fail, lambda _: None)
    assert isinstance(told.args[0], ValueError)


def test_a_key_is_free_again_after_an_error(background: Background, qtbot: Any) -> None:
    def fail() -> None:
        raise ValueError("no")

    errors: list[Exception] = []
    background.run_latest("one", fail, lambda _: None, errors.append)
    qtbot.waitUntil(lambda: len(errors) == 1)
    done: list[int] = []
    background.run_latest("one", lambda: 7, done.append)
    qtbot.waitUntil(lambda: done == [7])


def test_nothing_is_delivered_after_the_end(qapp: Any, qtbot: Any) -> None:
    background = Background(1)
    seen: list[int] = []
    background.run(lambda: 1, seen.append)
    background.close()
    background.run(lambda: 2, seen.append)
    qapp.processEvents()
    assert seen == []
