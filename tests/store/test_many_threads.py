"""Several threads hand over steps and read at once: each step follows from the one before."""

from __future__ import annotations

import itertools
import threading

import numpy as np
from store_kit import block, random_classes

from segcore.store import Applied, Committed, Project, check


def test_steps_of_many_threads_are_done_one_after_the_other(project: Project) -> None:
    heard: list[object] = []
    project.scribe.listen(heard.append)
    items = [item.id for item in project.items]
    failures: list[BaseException] = []
    painting = threading.Event()

    def paint(seed: int) -> None:
        random = np.random.default_rng(seed)
        try:
            for _ in range(40):
                item = items[int(random.integers(3))]
                y, x, height, width, class_id = random.integers(1, 200, 5)
                kind = random.random()
                if kind < 0.15:
                    project.scribe.undo(item)
                elif kind < 0.25:
                    project.scribe.redo(item)
                else:
                    edit = block(int(y), int(x), int(height), int(width), 1 + int(class_id) % 4)
                    project.scribe.submit(item, edit)
        except BaseException as error:
            failures.append(error)

    def read() -> None:
        try:
            while not painting.is_set():
                for item in project.items:
                    labels = item.labels
                    first, second = labels.read(), labels.read()
                    assert np.array_equal(first, second)  # a snapshot does not change
                    assert sum(labels.counts().values()) == 300 * 520
                    assert item.state in ("new", "corrected")
        except BaseException as error:
            failures.append(error)

    painters = [threading.Thread(target=paint, args=(seed,)) for seed in range(4)]
    readers = [threading.Thread(target=read) for _ in range(2)]
    for thread in (*painters, *readers):
        thread.start()
    for thread in painters:
        thread.join()
    project.scribe.flush()
    painting.set()
    for thread in readers:
        thread.join()
    assert failures == []
    applied = [event for event in heard if isinstance(event, Applied)]
    for item_id in items:
        chain = [event for event in applied if event.item_id == item_id]
        assert len(chain) > 10
        for earlier, later in itertools.pairwise(chain):
            assert later.labels_before is earlier.labels
        assert chain[-1].labels is project.items.by_id(item_id).labels
    committed = [i for e in heard if isinstance(e, Committed) for i in e.event_ids]
    assert committed == [event.event_id for event in applied if not event.patch.is_empty]
    pictures = [item.labels.read() for item in project.items]
    project.close()
    with Project.open(project.path) as again:
        assert all(
            np.array_equal(item.labels.read(), picture)
            for item, picture in zip(again.items, pictures, strict=True)
        )
    assert check(project.path).problems == ()


def test_imports_of_many_threads_give_each_layer_its_own_number(project: Project) -> None:
    def import_truth(n: int) -> None:
        item = project.items[n % 3]
        project.import_layer(item, "truth", random_classes(item, n)[0])

    threads = [threading.Thread(target=import_truth, args=(n,)) for n in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    project.close()
    assert check(project.path).problems == ()
    with Project.open(project.path) as again:
        numbers = again.database.rows("SELECT number FROM layer")
        assert len(numbers) == 12
