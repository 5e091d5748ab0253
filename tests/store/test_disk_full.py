"""The disk is full: the work goes on, everything is kept, and it is written when there is room.

SQLite is told that the file may not grow; it then fails just as on a full disk, at any point of a
commit.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from store_kit import block, random_classes

from segcore.base import MaskwrightError
from segcore.store import Applied, Committed, Project, StoreRecovered, StoreTrouble, check


def fill_disk(project: Project, pages: int = 0) -> None:
    """Let the database grow by `pages` only."""
    with project.database.exclusively() as connection:
        present = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {present + pages}")


def free_disk(project: Project) -> None:
    with project.database.exclusively() as connection:
        connection.execute("PRAGMA max_page_count = 1073741823")


class Ear:
    """Hears what the store says, and waits for it."""

    def __init__(self, project: Project) -> None:
        self.heard: list[object] = []
        self._changed = threading.Condition()
        project.scribe.listen(self._hear)

    def _hear(self, event: object) -> None:
        with self._changed:
            self.heard.append(event)
            self._changed.notify_all()

    def wait_for(self, kind: type) -> object:
        def there() -> object:
            return next((e for e in self.heard if isinstance(e, kind)), None)

        with self._changed:
            assert self._changed.wait_for(there, 30), f"no {kind.__name__}"
            return there()


def paint_noise(project: Project, times: int) -> None:
    """Strokes whose tiles do not compress to nothing."""
    item = project.items[0]
    for n in range(times):
        for k in range(12):
            y, x = (37 * k + n) % 280, (53 * k + 11 * n) % 500
            project.scribe.submit(item.id, block(y, x, 3 + k, 5 + n, 1 + (k + n) % 4))
    project.scribe.call(lambda: None)


def test_a_full_disk_keeps_everything_and_writing_goes_on_when_there_is_room(
    project: Project,
) -> None:
    ear = Ear(project)
    item = project.items[0]
    project.apply(item, block(0, 0, 50, 50, 1))
    project.scribe.flush()
    fill_disk(project)
    paint_noise(project, 5)
    trouble = ear.wait_for(StoreTrouble)
    assert isinstance(trouble, StoreTrouble)
    assert "full" in str(trouble.error)
    assert trouble.waiting > 0
    # The applied queue knows nothing of it: painting and undo go on.
    before = item.labels.read()
    project.apply(item, block(100, 100, 80, 80, 4))
    project.scribe.undo(item.id).applied.result()
    assert np.array_equal(item.labels.read(), before)
    assert any(not row.durable for row in project.scribe.history(item.id))
    with pytest.raises(MaskwrightError, match="full"):
        project.scribe.flush()
    with pytest.raises(MaskwrightError, match="full"):
        project.close()
    free_disk(project)
    assert project.scribe.durable is not None
    project.scribe.durable.retry()
    ear.wait_for(StoreRecovered)
    project.scribe.flush()
    assert all(row.durable for row in project.scribe.history(item.id))
    applied = {e.event_id for e in ear.heard if isinstance(e, Applied) and not e.patch.is_empty}
    committed = [i for e in ear.heard if isinstance(e, Committed) for i in e.event_ids]
    assert set(committed) == applied
    assert len(committed) == len(applied)
    project.close()
    with Project.open(project.path) as again:
        assert np.array_equal(again.items[0].labels.read(), before)
    assert check(project.path).problems == ()


@pytest.mark.parametrize("pages", range(0, 24, 3))
def test_a_commit_that_fails_anywhere_leaves_a_sound_project(project: Project, pages: int) -> None:
    # The fault comes at another page of the commit each time.
    ear = Ear(project)
    item = project.items[0]
    fill_disk(project, pages)
    project.import_layer(item, "label", random_classes(item, 1)[0])
    paint_noise(project, 4)
    ear.wait_for(StoreTrouble)
    assert check(project.path).problems == ()
    free_disk(project)
    assert project.scribe.durable is not None
    project.scribe.durable.retry()
    project_flushes(project)
    labels = item.labels.read()
    project.close()
    with Project.open(project.path) as again:
        assert np.array_equal(again.items[0].labels.read(), labels)
    assert check(project.path).problems == ()


def project_flushes(project: Project) -> None:
    """Wait until the queue is empty, over the failure that may still stand."""
    done = threading.Event()
    project.scribe.listen(lambda e: done.set() if isinstance(e, StoreRecovered) else None)
    assert project.scribe.durable is not None
    if project.scribe.durable.trouble is not None:
        assert done.wait(30)
    project.scribe.flush()


def test_what_could_not_be_written_is_saved_elsewhere(project: Project, tmp_path: Path) -> None:
    ear = Ear(project)
    item = project.items[0]
    project.apply(item, block(0, 0, 50, 50, 1))
    (project.models_dir / "mine").mkdir()
    (project.models_dir / "mine" / "model.json").write_text("{}")
    fill_disk(project)
    paint_noise(project, 5)
    ear.wait_for(StoreTrouble)
    old = project.path
    project.save_elsewhere(tmp_path / "disk 2" / "saved.maskwright")
    project.scribe.flush()
    ear.wait_for(StoreRecovered)
    project.apply(item, block(5, 5, 50, 50, 3))
    labels = item.labels.read()
    assert project.name == "saved"
    project.close()
    with Project.open(tmp_path / "disk 2" / "saved.maskwright") as saved:
        assert not saved.read_only
        assert np.array_equal(saved.items[0].labels.read(), labels)
        assert (saved.models_dir / "mine" / "model.json").exists()
    assert check(saved.path).problems == ()
    assert check(old).problems == ()  # as of the last commit


def test_a_copy_that_cannot_be_made_changes_nothing(project: Project, tmp_path: Path) -> None:
    (tmp_path / "taken.maskwright").mkdir()
    with pytest.raises(MaskwrightError, match="exists already"):
        project.save_elsewhere(tmp_path / "taken.maskwright")
    project.apply(project.items[0], block(0, 0, 5, 5, 1))
    project.scribe.flush()


def test_adding_items_to_a_full_disk_adds_none(project: Project) -> None:
    from segcore.base import Shape
    from segcore.store import NewItem

    fill_disk(project)
    with pytest.raises(MaskwrightError, match="full"):
        project.add_items([NewItem(f"more {n}", [], Shape(1, 10, 10)) for n in range(500)])
    assert len(project.items) == 3
    free_disk(project)
    project.add_items([NewItem("more", [], Shape(1, 10, 10))])
    assert [item.name for item in project.items][3:] == ["more"]
    project.close()
    assert check(project.path).problems == ()


def test_closing_and_discarding_ends_with_what_was_durable(project: Project) -> None:
    ear = Ear(project)
    item = project.items[0]
    project.apply(item, block(0, 0, 50, 50, 1))
    project.scribe.flush()
    fill_disk(project)
    paint_noise(project, 5)
    ear.wait_for(StoreTrouble)
    project.close(discard=True)
    assert check(project.path).problems == ()
    with Project.open(project.path) as again:
        assert again.items[0].labels.counts()[1] >= 2500 - 600
