"""The project folder: its name, its files, backups, moved images, many items."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import unicodedata
from contextlib import closing
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
from store_kit import CLASSES, block, make_project

from segcore.base import MaskwrightError, Shape, Spacing, digest_file
from segcore.store import NewItem, Project, backup, check, moving, places, sources
from segcore.store.database import database_address
from segcore.store.keeper import Keeper


def test_a_closed_project_is_one_database_and_its_folders(tmp_path: Path) -> None:
    with make_project(tmp_path) as project:
        project.apply(project.items[0], block(0, 0, 9, 9, 2))
    assert sorted(p.name for p in project.path.iterdir()) == [
        "backup",
        "cache",
        "models",
        "project.db",
        "runs",
    ]


def test_a_name_without_the_ending_and_a_name_that_is_taken_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MaskwrightError, match=r"small\.maskwright"):
        Project.create(tmp_path / "small", CLASSES)
    Project.create(tmp_path / "small.maskwright", CLASSES).close()
    with pytest.raises(MaskwrightError, match="exists already"):
        Project.create(tmp_path / "small.maskwright", CLASSES)


def test_items_keep_what_they_were_added_with(tmp_path: Path) -> None:
    affine = np.array([[0.7, 0, 0, -10.25], [0, 0.7, 0, 3], [0, 0.1, 2.5, 1e-7], [0, 0, 0, 1]])
    image = tmp_path / "scan.nii"
    image.write_bytes(b"12345")
    with Project.create(tmp_path / "p.maskwright", CLASSES) as project:
        project.add_items(
            [
                NewItem(
                    "scan",
                    [image, tmp_path / "other.nii"],
                    Shape(12, 30, 40),
                    Spacing(2.5, 0.7, 0.7),
                    affine,
                    group="patient 1",
                    split="held_out",
                ),
                NewItem("scan", [image], Shape(1, 5, 5)),
            ]
        )
    with Project.open(project.path) as again:
        item, second = again.items
        assert (item.name, second.name) == ("scan", "scan (2)")
        assert (item.group, item.split, item.number) == ("patient 1", "held_out", 1)
        assert item.spacing == Spacing(2.5, 0.7, 0.7)
        assert item.affine is not None
        assert item.affine.tolist() == affine.tolist()
        assert [s.path for s in item.sources] == ["../scan.nii", "../other.nii"]
        assert [s.status for s in item.sources] == ["ok", "missing"]
        assert item.labels.tile == (16, 64, 64)
        assert second.affine is None
        assert again.items.by_name("scan (2)") == second
        with pytest.raises(MaskwrightError, match='no item "gone"'):
            again.items.by_name("gone")


def test_fields_of_an_item_change_and_stay_changed(project: Project) -> None:
    item = project.items[0]
    project.set_field(item, "group", "patient 7")
    project.set_field(item, "split", "train")
    project.set_field(item, "note", "blurred")
    project.set_field(item, "name", "renamed")
    assert project.scribe.history(item.id) == []  # not what Ctrl+Z takes back
    project.close()
    with Project.open(project.path) as again:
        item = again.items.by_name("renamed")
        assert (item.group, item.split) == ("patient 7", "train")
        log = again.database.rows("SELECT patch FROM event WHERE kind = 'item' ORDER BY seq")
        assert '"note","","blurred"' in log[2][0]


def test_ten_thousand_items_open_by_reading_their_rows_only(tmp_path: Path) -> None:
    with Project.create(tmp_path / "many.maskwright", CLASSES) as project:
        project.add_items([NewItem(f"item {n}", [], Shape(1, 64, 64)) for n in range(10_000)])
    with Project.open(project.path) as again:
        assert len(again.items) == 10_000
        assert again.items[9_999].name == "item 9999"
        assert again.items[-1].labels.counts() == {0: 64 * 64}
        assert len(again.contents._contents) == 1  # nothing else was read


def test_items_out_of_use_are_let_go_and_read_again(tmp_path: Path) -> None:
    with Project.create(tmp_path / "many.maskwright", CLASSES) as project:
        project.source("person")
        items = project.add_items(
            [NewItem(f"item {n}", [], Shape(1, 20, 20)) for n in range(1_200)]
        )
        for n, item in enumerate(items):
            project.apply(item, block(0, 0, 5, 1 + n % 7, 1 + n % 4))
        project.scribe.flush()
        assert len(project.contents._contents) <= 1_200
        for n, item in enumerate(items):
            assert item.labels.counts()[1 + n % 4] == 5 * (1 + n % 7)
        assert len(project.contents._contents) <= 512


# -- backups --------------------------------------------------------------------------------------


def test_a_backup_is_made_while_somebody_paints_and_is_a_whole_project(
    project: Project, tmp_path: Path
) -> None:
    item = project.items[0]
    for n in range(20):
        project.scribe.submit(item.id, block(n, n, 50, 60, 1 + n % 4))
    copy = backup.rotate(project.path / "project.db")
    assert copy is not None
    restored = tmp_path / "restored.maskwright"
    restored.mkdir()
    shutil.copy(copy, restored / "project.db")
    assert check(restored).problems == ()
    assert not list(copy.parent.glob("*.part*"))


def test_backups_rotate_and_the_newest_stay(project: Project) -> None:
    database = project.path / "project.db"
    for n in range(8):
        backup.rotate(database, kept=3, name=f"2026-01-0{n + 1}-120000")
    names = sorted(p.name for p in (project.path / "backup").iterdir())
    assert names == [f"2026-01-0{n}-120000.db" for n in (6, 7, 8)]


def test_a_backup_that_is_stopped_leaves_nothing(project: Project) -> None:
    assert backup.rotate(project.path / "project.db", stop=lambda: True) is None
    assert list((project.path / "backup").iterdir()) == []


def test_a_backup_is_due_only_when_idle_and_changed() -> None:
    assert backup.is_due(commits=3, idle_seconds=61, since_last=901)
    assert not backup.is_due(commits=0, idle_seconds=61, since_last=901)
    assert not backup.is_due(commits=3, idle_seconds=5, since_last=901)
    assert not backup.is_due(commits=3, idle_seconds=61, since_last=100)


def test_the_keeper_empties_the_log_without_stopping_anybody(project: Project) -> None:
    item = project.items[0]
    for n in range(40):
        project.apply(item, block(n, n, 50, 60, 1 + n % 4))
    project.scribe.flush()
    keeper = project._keeper
    assert isinstance(keeper, Keeper)
    keeper.checkpoint()
    with closing(sqlite3.connect(project.path / "project.db")) as connection:
        busy, in_log, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert (busy, in_log) == (0, moved)
    project.apply(item, block(9, 9, 50, 60, 2))
    project.scribe.flush()


# -- images that move -----------------------------------------------------------------------------


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """A project with digests, whose images have gone to another folder."""
    images = tmp_path / "images"
    (images / "a").mkdir(parents=True)
    for n in range(3):
        (images / "a" / f"{n}.png").write_bytes(bytes([n]) * 100)
    with Project.create(tmp_path / "p.maskwright", CLASSES) as project:
        project.add_items(
            [NewItem(f"{n}", [images / "a" / f"{n}.png"], Shape(1, 10, 10)) for n in range(3)]
        )
    check(project.path)
    images.rename(tmp_path / "archive")
    return project.path


def test_a_moved_folder_is_remapped_whole(moved: Path) -> None:
    with Project.open(moved) as project:
        assert len(moving.missing_files(project)) == 3
        root = moved.parent
        assert moving.remap_folder(project, root / "images", root / "archive") == 3
        assert moving.missing_files(project) == []
    with Project.open(moved) as project:
        assert [i.sources[0].path for i in project.items] == [
            f"../archive/a/{n}.png" for n in range(3)
        ]
    assert check(moved).problems == ()


def test_moved_and_renamed_images_are_found_by_their_digest(moved: Path) -> None:
    folder = moved.parent / "archive" / "a"
    for n in range(3):
        (folder / f"{n}.png").rename(folder / f"picture {2 - n}.png")
    with Project.open(moved) as project:
        assert moving.find_files(project, moved.parent / "archive") == 3
        assert project.items[0].sources[0].path == "../archive/a/picture 2.png"
    assert check(moved).problems == ()


def test_a_project_moved_with_its_images_needs_nothing(tmp_path: Path) -> None:
    (tmp_path / "here" / "images").mkdir(parents=True)
    image = tmp_path / "here" / "images" / "1.png"
    image.write_bytes(b"picture")
    with Project.create(tmp_path / "here" / "p.maskwright", CLASSES) as project:
        project.add_items([NewItem("1", [image], Shape(1, 5, 5))])
    (tmp_path / "here").rename(tmp_path / "there")
    with Project.open(tmp_path / "there" / "p.maskwright") as again:
        assert again.items[0].sources[0].status == "ok"


def test_names_are_kept_composed_and_found_decomposed(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "Gefäß.png")
    (tmp_path / decomposed).write_bytes(b"picture")
    with Project.create(tmp_path / "p.maskwright", CLASSES) as project:
        project.add_items([NewItem("1", [tmp_path / decomposed], Shape(1, 5, 5))])
        source = project.items[0].sources[0]
        assert source.path == "../" + unicodedata.normalize("NFC", "Gefäß.png")
        assert source.status == "ok"


# -- the system -----------------------------------------------------------------------------------


def test_a_project_on_a_share_is_locked_for_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_project(tmp_path) as made:
        path = made.path
    monkeypatch.setattr(places, "is_network_share", lambda folder: True)
    with Project.open(path) as project:
        assert not project.read_only
        item = project.items[0]
        project.apply(item, block(0, 0, 9, 9, 2))
        project.scribe.undo(item.id)
        project.scribe.redo(item.id)
        project.scribe.flush()
        assert not (path / "project.db-shm").exists()
        code = (
            "import sys, segcore.store.places as places; from segcore.store import Project\n"
            "places.is_network_share = lambda folder: True\n"
            "try: Project.open(sys.argv[1])\n"
            "except Exception as e: print(type(e).__name__, e)"
        )
        answer = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        ).stdout
        assert answer.startswith("ProjectBusy small.maskwright is locked by another program.")
    monkeypatch.undo()
    with Project.open(path) as project:
        assert project.items[0].labels.counts()[2] == 81
    assert check(path).problems == ()


def test_this_folder_is_on_no_share(tmp_path: Path) -> None:
    assert not places.is_network_share(tmp_path)


def test_the_store_imports_nothing_heavy() -> None:
    code = (
        "import sys, segcore.store; heavy = ('torch', 'cv2', 'scipy', 'PIL', 'skimage', 'nibabel',"
        " 'pydicom', 'tifffile', 'psutil'); print([m for m in heavy if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert answer.stdout.strip() == "[]"


def test_digests_are_made_in_idle_time_one_by_one(tmp_path: Path) -> None:
    for n in range(2):
        (tmp_path / f"{n}.png").write_bytes(bytes([n]) * 100)
    with Project.create(tmp_path / "p.maskwright", CLASSES) as project:
        files = [tmp_path / "0.png", tmp_path / "1.png", tmp_path / "gone.png"]
        project.add_items([NewItem(f.name, [f], Shape(1, 5, 5)) for f in files])
        (tmp_path / "1.png").write_bytes(b"another picture")  # not what was added
        assert sources.digest_one(project.database, stop=lambda: False)
        assert not sources.digest_one(project.database, stop=lambda: False)
        digests = [item.sources[0].digest for item in project.items]
    assert digests == [digest_file(tmp_path / "0.png"), "", ""]


def test_a_share_on_windows_is_named_so_that_sqlite_takes_it() -> None:
    address = PureWindowsPath(r"\\server\share\p.maskwright\project.db").as_uri()
    assert database_address(address) == "file:////server/share/p.maskwright/project.db"
    local = PureWindowsPath(r"C:\p.maskwright\project.db").as_uri()
    assert database_address(local) == local
