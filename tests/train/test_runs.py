"""A run's folder seen from outside: states, events, and who works on it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from segcore.base import BadFile, MaskwrightError
from segcore.train import (
    Recipe,
    find_runs,
    make_run,
    read_events,
    read_run,
    request_pause,
    state,
)
from segcore.train.runs import PAUSE_SECONDS, EventLog, claim, is_alive, is_paused, write_run


def test_run_json_comes_back(tmp_path: Path) -> None:
    made = make_run(tmp_path / "r", Recipe(steps=9, seed=4), project="p", licence="CC0")
    assert read_run(tmp_path / "r") == made
    assert made.name == "r"
    assert made.versions["torch"]
    with pytest.raises(MaskwrightError, match="holds a run already"):
        make_run(tmp_path / "r", Recipe())


def test_runs_are_found_by_name(tmp_path: Path) -> None:
    for name in ("b", "a"):
        make_run(tmp_path / name, Recipe())
    (tmp_path / "c").mkdir()
    assert [p.name for p in find_runs(tmp_path)] == ["a", "b"]
    assert list(find_runs(tmp_path / "gone")) == []


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no folder of a run"):
        read_run(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(BadFile, match="damaged"):
        read_run(tmp_path)


def test_events_are_read_from_where_one_left_off_and_a_half_line_waits(tmp_path: Path) -> None:
    make_run(tmp_path / "r", Recipe())
    log = EventLog(tmp_path / "r")
    log.write("started", steps=2)
    first, offset = read_events(tmp_path / "r")
    assert [e["kind"] for e in first] == ["started"]
    with (tmp_path / "r" / "events.jsonl").open("a") as stream:
        stream.write('{"kind": "st')
    assert read_events(tmp_path / "r", offset) == ([], offset)
    with (tmp_path / "r" / "events.jsonl").open("a") as stream:
        stream.write('ep", "step": 1}\n')
    assert read_events(tmp_path / "r", offset)[0] == [{"kind": "step", "step": 1}]


def test_states_follow_the_events_and_the_process(tmp_path: Path) -> None:
    run_dir = tmp_path / "r"
    make_run(run_dir, Recipe())
    assert state(run_dir) == "prepared"
    run = claim(run_dir)
    log = EventLog(run_dir)
    log.write("started")
    assert state(run_dir) == "running"
    gone = {**run.process, "started": 1.0}  # type: ignore[dict-item]
    write_run(run_dir, replace(run, process=gone))
    assert state(run_dir) == "lost"
    log.write("cancelled")
    assert state(run_dir) == "cancelled"
    log.write("started")
    log.write("done")
    assert state(run_dir) == "done"


def test_a_process_id_that_was_used_again_is_not_taken_for_the_trainer(tmp_path: Path) -> None:
    make_run(tmp_path / "r", Recipe())
    run = claim(tmp_path / "r")
    assert is_alive(run)
    assert run.process is not None
    assert not is_alive(replace(run, process={**run.process, "started": 12345.0}))
    assert not is_alive(replace(run, process={**run.process, "host": "elsewhere"}))
    assert not is_alive(replace(run, process=None))


def test_two_trainers_cannot_work_on_one_run(tmp_path: Path) -> None:
    make_run(tmp_path / "r", Recipe())
    run = claim(tmp_path / "r")
    parent = psutil.Process(os.getppid())
    other = {**run.process, "pid": parent.pid, "started": parent.create_time()}  # type: ignore[dict-item]
    write_run(tmp_path / "r", replace(run, process=other))
    with pytest.raises(MaskwrightError, match=f"Process {parent.pid} works on the run r"):
        claim(tmp_path / "r")


def test_a_pause_that_nobody_renews_ends(tmp_path: Path) -> None:
    make_run(tmp_path / "r", Recipe())
    assert not is_paused(tmp_path / "r")
    request_pause(tmp_path / "r", True)
    assert is_paused(tmp_path / "r")
    past = time.time() - PAUSE_SECONDS - 1
    os.utime(tmp_path / "r" / "pause", (past, past))
    assert not is_paused(tmp_path / "r")
    request_pause(tmp_path / "r", False)
    request_pause(tmp_path / "r", False)


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from segcore.train.main import main

    assert main([]) == 2
    assert main([str(tmp_path)]) == 1
    assert "no folder of a run" in capsys.readouterr().err
    assert json.dumps(Recipe().to_json()), "a recipe is plain JSON"
