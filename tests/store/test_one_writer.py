"""One process writes to a project; another reads, says who has it, and follows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from store_kit import block, make_project

from segcore.base import MaskwrightError, ReadOnly, Shape
from segcore.store import NewItem, Project, writer

ROOT = Path(__file__).resolve().parents[2]


class OtherWindow:
    """A second process that has the project open."""

    def __init__(self, project: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("other_window.py")), str(project)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"},
        )
        self.mode = self.hear()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, command: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.hear()

    def close(self) -> None:
        self.process.communicate("close\n")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_a_second_window_reads_says_who_has_it_and_follows(project: Project) -> None:
    other = OtherWindow(project.path)
    assert other.mode == "reads"
    said = other.ask("writer")
    assert said.startswith("Ada has it open on ")
    assert f"process {os.getpid()}" in said
    refusal = other.ask("paint")
    assert refusal.startswith("small is open for reading: Ada has it open on")
    assert other.ask("poll") == "0 0 new"
    project.apply(project.items[0], block(0, 0, 20, 30, 2, name="Brush car"))
    project.scribe.flush()
    assert other.ask("poll") == "1 600 corrected"
    assert other.ask("history") == "Brush car"
    project.scribe.undo(project.items[0].id)
    project.scribe.flush()
    assert other.ask("poll") == "1 0 new"
    assert other.ask("poll") == "0 0 new"
    other.close()


def test_the_project_is_free_once_its_writer_has_closed(tmp_path: Path) -> None:
    with make_project(tmp_path) as made:
        path = made.path
    other = OtherWindow(path)
    assert other.mode == "writes"
    with Project.open(path, person="Ada") as reader:
        assert reader.read_only
        assert reader.writer.startswith("Grace has it open on")
    other.close()
    with Project.open(path) as project:
        assert not project.read_only


def test_the_row_of_a_process_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    with make_project(tmp_path) as made:
        path = made.path
    other = OtherWindow(path)
    assert other.ask("paint") == "painted"
    other.kill()
    with Project.open(path) as project:
        assert not project.read_only
        assert project.items[0].labels.counts()[3] == 100


def test_a_reader_knows_when_nobody_writes_any_more(tmp_path: Path) -> None:
    with make_project(tmp_path) as made:
        path = made.path
    for end in (OtherWindow.close, OtherWindow.kill):
        other = OtherWindow(path)
        with Project.open(path, person="Ada") as reader:
            assert reader.was_taken
            assert reader.holder is not None
            assert reader.holder.pid == other.process.pid
            end(other)
            assert reader.holder is None
            assert reader.writer == "nobody writes to it"
            assert reader.read_only
            with Project.open(path, person="Grace") as third:
                assert not third.was_taken
                assert reader.holder is not None
                assert reader.holder.person == "Grace"
    with Project.open(path, write=False) as asked:
        assert not asked.was_taken  # it reads because it was told to


def test_a_process_that_has_the_old_number_by_chance_is_not_the_writer(tmp_path: Path) -> None:
    with make_project(tmp_path) as made:
        path = made.path
        # This process lives, but it did not start when the row says: the number was used again.
        with made.database.transaction() as connection:
            connection.execute("UPDATE writer SET started = started - 1000")
        with Project.open(path) as project:
            assert not project.read_only
        with pytest.raises(MaskwrightError, match="taken over"):
            made.add_items([made_item()])
        made.close(discard=True)


def made_item() -> NewItem:
    return NewItem("late", [], Shape(1, 10, 10))


def test_another_machine_has_it_as_long_as_its_heart_beats(tmp_path: Path) -> None:
    with make_project(tmp_path) as made:
        path = made.path
    with Project.open(path) as project:
        writer.beat(project.database, project._epoch)
        with project.database.transaction() as connection:
            connection.execute("UPDATE writer SET host = 'elsewhere', pid = 1")
        with Project.open(path) as second:
            assert second.read_only
            assert re.search("open on elsewhere .process 1.", second.writer)
        with project.database.transaction() as connection:
            connection.execute("UPDATE writer SET heartbeat = heartbeat - 3600")
        with Project.open(path) as second:
            assert not second.read_only


def test_a_reader_refuses_every_way_to_change_something(project: Project) -> None:
    with Project.open(project.path, person="Grace") as reader:
        item = reader.items[0]
        classes = item.labels.read()
        layer = project.store_prediction(item.id, "unet", "", classes)
        ways = [
            lambda: reader.apply(item, block(0, 0, 5, 5, 1)),
            lambda: reader.scribe.undo(item.id),
            lambda: reader.add_items([made_item()]),
            lambda: reader.set_classes(reader.classes.added("tram")),
            lambda: reader.source("model", "unknown"),
            lambda: reader.import_layer(item, "truth", classes, origin=1),
            lambda: reader.adopt(item, layer),
            lambda: reader.undo_group("batch"),
        ]
        for way in ways:
            with pytest.raises(ReadOnly, match="Ada has it open on"):
                way()


def test_a_reader_is_no_writer_when_asked_for(tmp_path: Path) -> None:
    with make_project(tmp_path) as made:
        path = made.path
    with Project.open(path, write=False) as reader:
        assert reader.read_only
        with Project.open(path) as project:
            assert not project.read_only


def test_a_closed_project_says_so(tmp_path: Path) -> None:
    with make_project(tmp_path) as made:
        item = made.items[0]
    with pytest.raises(ReadOnly, match="is closed"):
        made.apply(item, block(0, 0, 5, 5, 1))
    made.close()  # once more does nothing
