"""The shelf of opened items: none is opened twice at once, none is shown as it was before."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.workspace import Workspace
from app.workspace.opened import OpenedItem, Shelf
from segcore.base import MaskwrightError
from segcore.edits import FillUnlabelled


class Opener:
    """Opens items as slowly as it is told; the labels are the number of the opening."""

    def __init__(self) -> None:
        self.began = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.count = 0
        self.error: Exception | None = None

    def __call__(self, item: Any) -> OpenedItem:
        self.count += 1
        labels: Any = self.count
        self.began.release()
        assert self.may_end.acquire(timeout=20)
        if self.error is not None:
            raise self.error
        return OpenedItem(item, None, None, labels, None, None, None, 0, (0.0, 255.0))


ITEM = SimpleNamespace(id="one")


@pytest.fixture
def opener() -> Opener:
    return Opener()


def begin(pool: ThreadPoolExecutor, shelf: Shelf, opener: Opener) -> Future[OpenedItem]:
    future = pool.submit(shelf.prepare, ITEM)
    assert opener.began.acquire(timeout=20)
    return future


def test_who_asks_for_an_item_that_is_being_opened_gets_the_same(opener: Opener) -> None:
    shelf = Shelf(opener)
    with ThreadPoolExecutor(2) as pool:
        first = begin(pool, shelf, opener)
        second = pool.submit(shelf.prepare, ITEM)
        assert not opener.began.acquire(timeout=0.1)
        opener.may_end.release()
        assert first.result(20) is second.result(20) is shelf.take("one")
    assert opener.count == 1


def test_an_item_that_changes_while_it_is_opened_is_opened_again(opener: Opener) -> None:
    shelf = Shelf(opener)
    with ThreadPoolExecutor(1) as pool:
        first = begin(pool, shelf, opener)
        shelf.spoil("one")
        opener.may_end.release(2)
        assert first.result(20).labels == 2
    assert shelf.take("one") is first.result()


def test_what_cannot_be_opened_fails_for_all_who_wait_and_is_tried_again(opener: Opener) -> None:
    shelf = Shelf(opener)
    opener.error = MaskwrightError("No such file.")
    with ThreadPoolExecutor(2) as pool:
        waiting = [begin(pool, shelf, opener), pool.submit(shelf.prepare, ITEM)]
        opener.may_end.release(2)
        for future in waiting:
            with pytest.raises(MaskwrightError, match="No such file"):
                future.result(20)
        opener.error = None
        opener.may_end.release()
        assert pool.submit(shelf.prepare, ITEM).result(20) is shelf.take("one")


def test_what_was_being_opened_when_the_shelf_was_cleared_is_not_put_on_it(
    opener: Opener,
) -> None:
    shelf = Shelf(opener)
    with ThreadPoolExecutor(1) as pool:
        first = begin(pool, shelf, opener)
        shelf.clear()
        opener.may_end.release()
        assert first.result(20).labels == 1
    assert shelf.take("one") is None


def test_an_item_shows_what_was_stored_for_it_while_it_was_on_its_way(
    open_workspace: Workspace, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    w = open_workspace
    wanted = w.queue.order[2]  # nobody predicted this one
    w._shelf.clear()
    read, may_end = threading.Event(), threading.Event()
    opener = w._shelf._opener

    def slow(item: Any) -> OpenedItem:
        opened = opener(item)
        read.set()
        assert may_end.wait(20)
        return opened

    monkeypatch.setattr(w._shelf, "_opener", slow)
    w.open_item(wanted)
    assert read.wait(20)
    fill = FillUnlabelled(class_id=4, origin=w.person_origin())
    w.project.scribe.submit(wanted, fill).durable.result(timeout=20)
    may_end.set()
    until = time.monotonic() + 20
    while w._shelf.take(wanted) is None:  # it is there, and the window has heard of neither
        assert time.monotonic() < until
        time.sleep(0.001)
    qtbot.waitUntil(lambda: w.item.id == wanted, timeout=20_000)
    assert set(np.unique(w.labels.read())) == {4}
