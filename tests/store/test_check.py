"""`check` finds planted damage and says where it is; a sound project is clean."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from store_kit import CLASSES, block, make_project, random_classes

from segcore.base import NotAProject, Shape
from segcore.store import NewItem, Project, check
from segcore.store.blobs import DamagedTile

Damage = Callable[[sqlite3.Connection], object]


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A closed project with strokes, undo, imports, a prediction and instances."""
    with make_project(tmp_path, 2) as project:
        item, other = project.items[0], project.items[1]
        project.import_layer(item, "truth", random_classes(item, 1)[0])
        for n in range(6):
            project.apply(item, block(20 * n, 30 * n, 90, 120, 1 + n % 4))
        project.scribe.undo(item.id)
        instances = np.zeros((300, 520), np.uint32)
        instances[5:50, 9:80] = 1
        classes = np.where(instances, 3, 1)
        layer = project.store_prediction(other, "cells", "", classes, instances=instances)
        project.adopt(other, layer)
        project.accept(other)
        assert item.confusion is not None
        return project.path


def spoil(project: Path, damage: Damage) -> None:
    with closing(sqlite3.connect(project / "project.db")) as connection:
        damage(connection)
        connection.commit()


def flip_a_byte(connection: sqlite3.Connection) -> None:
    number, data = connection.execute("SELECT id, data FROM blob ORDER BY id LIMIT 1").fetchone()
    spoilt = bytearray(data)
    spoilt[len(spoilt) // 2] ^= 0x10
    connection.execute("UPDATE blob SET data = ? WHERE id = ?", (bytes(spoilt), number))


def sql(text: str) -> Damage:
    return lambda connection: connection.execute(text)


DAMAGES: list[tuple[str, Damage, str]] = [
    ("a flipped byte", flip_a_byte, "Tile 0 of the project is damaged"),
    (
        "a blob that is gone",
        sql("DELETE FROM blob WHERE id = (SELECT max(handle) FROM tile)"),
        "is not stored",
    ),
    ("a tile that is gone", sql("DELETE FROM tile WHERE plane = 0 AND layer = 1"), "log leads to"),
    (
        "a tile that points elsewhere",
        sql("UPDATE tile SET handle = -3 WHERE plane = 0 AND layer = 1"),
        "is not the one that the log leads to",
    ),
    (
        "an event that is gone",
        sql("DELETE FROM event WHERE seq = (SELECT min(seq) FROM event WHERE kind = 'do')"),
        "event",
    ),
    ("an undo that is gone", sql("DELETE FROM event WHERE kind = 'undo'"), "log leads to"),
    ("another state", sql("UPDATE item SET state = 'rejected' WHERE number = 2"), "is rejected"),
    ("an origin that is gone", sql("DELETE FROM source WHERE id = 1"), "which is not known"),
    ("a class that is gone", sql("DELETE FROM class WHERE id = 2"), "which is not known"),
    ("a layer that is gone", sql("DELETE FROM layer WHERE number = 1"), "layer that is not there"),
    ("a pointer that is gone", sql("DELETE FROM pointer WHERE slot = 'label'"), "has no label"),
    (
        "another item's layer",
        sql(
            "UPDATE pointer SET layer = (SELECT layer FROM pointer WHERE slot = 'truth')"
            " WHERE slot = 'prediction:cells'"
        ),
        "shows another",
    ),
    ("an instance that is gone", sql("DELETE FROM instance"), "Instance"),
    (
        "an instance nobody made",
        sql("INSERT INTO instance SELECT item, 99, row FROM instance"),
        "is in no step",
    ),
]


def test_a_sound_project_is_clean(used: Path) -> None:
    report = check(used)
    assert report.problems == ()
    assert report.ok
    assert (report.items, report.files) == (2, 0)
    assert report.tiles > 4
    assert report.events > 8


@pytest.mark.parametrize(("what", "damage", "said"), DAMAGES, ids=[d[0] for d in DAMAGES])
def test_planted_damage_is_found_and_named(
    used: Path, what: str, damage: Damage, said: str
) -> None:
    spoil(used, damage)
    report = check(used)
    assert not report.ok
    assert any(said in problem.text for problem in report.damage), report.damage


def test_a_page_overwritten_with_noise_is_found(used: Path) -> None:
    file = used / "project.db"
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 3 + 2000] = np.random.default_rng(1).bytes(2000)
    file.write_bytes(content)
    assert not check(used).ok


def test_a_damaged_tile_is_an_error_that_says_what_to_do(used: Path) -> None:
    spoil(used, flip_a_byte)
    with Project.open(used) as project:
        truth = project.items[0].truth
        assert truth is not None
        with pytest.raises(DamagedTile, match=r"damaged.*backup"):
            truth.read()
        assert project.items[1].labels.counts()[3] == 45 * 71  # the rest works


def test_what_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAProject, match=r"no project\.db"):
        check(tmp_path)


def test_check_works_while_somebody_paints(project: Project) -> None:
    item = project.items[0]
    for n in range(30):
        project.scribe.submit(item.id, block(n, n, 40, 40, 1 + n % 4))
        if n % 10 == 0:
            assert check(project.path).problems == ()


# -- images ---------------------------------------------------------------------------------------


@pytest.fixture
def with_images(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    for n in range(3):
        (images / f"{n}.png").write_bytes(bytes([n]) * 100)
    with Project.create(tmp_path / "p.maskwright", CLASSES) as project:
        project.add_items(
            [NewItem(f"{n}", [images / f"{n}.png"], Shape(1, 10, 10)) for n in range(3)]
        )
        return project.path


def test_a_missing_and_a_changed_image_are_told_and_are_no_damage(with_images: Path) -> None:
    assert check(with_images).problems == ()
    images = with_images.parent / "images"
    (images / "0.png").unlink()
    (images / "1.png").write_bytes(b"\1" * 99 + b"x")  # the same size
    report = check(with_images)
    assert report.ok
    assert [p.text for p in report.images] == [
        "0: ../images/0.png is missing.",
        "1: ../images/1.png has changed.",
    ]
    with Project.open(with_images) as project:
        assert [i.sources[0].status for i in project.items] == ["missing", "changed", "ok"]
        project.apply(project.items[0], block(0, 0, 5, 5, 1))  # the rest works
        assert project.items[0].labels.counts()[1] == 25


def test_an_image_that_was_only_touched_has_not_changed(with_images: Path) -> None:
    check(with_images)  # makes the digests
    image = with_images.parent / "images" / "2.png"
    image.write_bytes(image.read_bytes())
    assert check(with_images).images == ()


def test_check_keeps_digests_unless_somebody_has_the_project(with_images: Path) -> None:
    with Project.open(with_images) as project:
        check(with_images)
        assert project.items[0].sources[0].digest == ""
    check(with_images)
    with Project.open(with_images) as project:
        assert len(project.items[0].sources[0].digest) == 64


def test_images_are_not_read_if_not_wanted(with_images: Path) -> None:
    (with_images.parent / "images" / "0.png").unlink()
    assert check(with_images, images=False).problems == ()
