"""The client's rules, with real processes: the newest wins, the dead are replaced."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from multiprocessing import connection as pipes
from typing import Any

import numpy as np
import psutil
import pytest

from segcore.base import Rect
from segcore.service.client import Client
from segcore.service.protocol import (
    Channel,
    Grabcut,
    Hello,
    JobChanged,
    ProcessLost,
    ProcessReady,
    RegionSolved,
)
from segcore.service.rules import RULES
from tests.service.hearing import Heard, long_job, square_job

ODD = "tests.service.odd_worker"


@pytest.fixture
def odd(heard: Heard) -> Iterator[Client]:
    with Client("refiner", heard, module=ODD) as client:
        yield client


def odd_job(key: str) -> Grabcut:
    return Grabcut(
        key=key, rect=Rect(0, 0, 2, 2), image=np.zeros((2, 2)), seeds=np.zeros((2, 2), np.uint8)
    )


# -- the way of a job ---------------------------------------------------------------------------


def test_a_cut_comes_back_from_another_process_where_it_was_asked_for(
    refiner: Client, heard: Heard
) -> None:
    number = refiner.submit(square_job(at=(10, 20)))
    assert heard.wait_end(number).state == "done"
    (solved,) = heard.answers(number)
    assert isinstance(solved, RegionSolved)
    assert solved.rect == Rect(10, 20, 120, 160)
    wanted = np.zeros((120, 160), np.bool_)
    wanted[40:80, 50:110] = True
    assert np.array_equal(solved.mask, wanted)
    assert heard.states(number) == ["queued", "running", "done"]
    assert os.getpid() not in refiner.pids


def test_a_box_is_given_where_the_crop_lies_in_the_picture(refiner: Client, heard: Heard) -> None:
    job = square_job(at=(1000, 2000))
    boxed = Grabcut(
        key="boxed",
        rect=job.rect,
        image=job.image,
        seeds=np.zeros((120, 160), np.uint8),
        box=Rect(1036, 2046, 48, 68),
    )
    number = refiner.submit(boxed)
    assert heard.wait_end(number).state == "done"
    (solved,) = heard.answers(number)
    assert isinstance(solved, RegionSolved)
    assert solved.mask.sum() == 40 * 60


def test_a_spare_refiner_is_kept_started(refiner: Client, heard: Heard) -> None:
    refiner.start()
    heard.wait_of(ProcessReady, 2)
    assert len(refiner.pids) == 2


def test_an_error_for_people_is_the_reason_of_a_failed_job(odd: Client, heard: Heard) -> None:
    end = heard.wait_end(odd.submit(odd_job("refuse")))
    assert (end.state, end.reason) == ("failed", "The file is empty. Choose another.")


def test_a_bug_fails_its_job_and_the_process_works_on(odd: Client, heard: Heard) -> None:
    end = heard.wait_end(odd.submit(odd_job("bug")))
    assert end.state == "failed"
    assert "two and two is five" in end.reason
    assert "RuntimeError" not in end.reason
    assert heard.wait_end(odd.submit(odd_job("fine"))).state == "done"
    assert not [e for e in heard.events if isinstance(e, ProcessLost)]


def test_seeds_of_another_size_fail_with_a_sentence(refiner: Client, heard: Heard) -> None:
    job = Grabcut(
        key="k", rect=Rect(0, 0, 9, 9), image=np.zeros((9, 9)), seeds=np.zeros((3, 9), np.uint8)
    )
    end = heard.wait_end(refiner.submit(job))
    assert end.state == "failed"
    assert "The seeds have shape (3, 9)" in end.reason


def test_an_array_that_cannot_be_sent_fails_its_job_only(odd: Client, heard: Heard) -> None:
    image: Any = np.array([["text"]])
    job = Grabcut(key="k", rect=Rect(0, 0, 1, 1), image=image, seeds=np.zeros((1, 1), np.uint8))
    assert "cannot be sent" in heard.wait_end(odd.submit(job)).reason
    assert heard.wait_end(odd.submit(odd_job("fine"))).state == "done"


def test_a_listener_that_raises_loses_no_later_event() -> None:
    heard = Heard()

    def fragile(event: Any) -> None:
        heard(event)
        if isinstance(event, JobChanged) and event.state == "queued":
            raise ValueError("a bug of the window")

    with Client("refiner", fragile, module=ODD) as client:
        assert heard.wait_end(client.submit(odd_job("fine"))).state == "done"


# -- the newest wins, and cancelling ------------------------------------------------------------


def test_of_two_jobs_with_one_key_the_newer_wins(odd: Client, heard: Heard) -> None:
    older = odd.submit(odd_job("patient"))
    heard.wait_state(older, "running")
    newer = odd.submit(odd_job("patient"))
    assert heard.wait_end(older).reason == "Replaced by a newer one."
    heard.wait_state(newer, "running")
    odd.cancel(newer)
    assert heard.wait_end(newer).state == "cancelled"
    assert heard.states(older) == ["queued", "running", "cancelling", "cancelled"]
    assert not heard.answers(older), "an answer that came too late was handed on"


def test_a_newer_job_does_not_wait_until_the_older_has_stopped(odd: Client, heard: Heard) -> None:
    older = odd.submit(odd_job("deaf"))
    heard.wait_state(older, "running")
    heard.wait_of(ProcessReady, 2)
    newer = odd.submit(Grabcut(**{**_fields(odd_job("fine")), "key": "deaf"}))
    heard.wait_state(newer, "running")
    ends = [e.number for e in heard.events if isinstance(e, JobChanged) and e.state == "cancelled"]
    assert older not in ends, "the spare one should have taken the newer job at once"


def _fields(job: Grabcut) -> dict[str, Any]:
    return {name: getattr(job, name) for name in job.__struct_fields__}


def test_jobs_of_other_keys_wait_their_turn(odd: Client, heard: Heard) -> None:
    first = odd.submit(odd_job("patient 1"))
    second = odd.submit(odd_job("plain 2"))
    urgent = odd.submit(odd_job("plain 3"), urgent=True)
    heard.wait_state(first, "running")
    odd.cancel(first)
    heard.wait_end(second)
    done = [e.number for e in heard.events if isinstance(e, JobChanged) and e.state == "done"]
    assert done == [urgent, second]


def test_a_job_that_waits_is_cancelled_at_once(odd: Client, heard: Heard) -> None:
    first = odd.submit(odd_job("patient 1"))
    waiting = odd.submit(odd_job("plain"))
    heard.wait_state(first, "running")
    odd.cancel(waiting)
    heard.wait_end(waiting)
    assert heard.states(waiting) == ["queued", "cancelled"]
    odd.cancel_all()
    assert heard.wait_end(first).state == "cancelled"


def test_a_refiner_that_hears_no_cancel_is_killed_and_replaced(odd: Client, heard: Heard) -> None:
    number = odd.submit(odd_job("deaf"))
    heard.wait_state(number, "running")
    process = psutil.Process(odd.pids[0])
    odd.cancel(number)
    assert heard.wait_end(number).state == "cancelled"
    process.wait(10)
    assert heard.wait_end(odd.submit(odd_job("fine"))).state == "done"
    assert not [e for e in heard.events if isinstance(e, ProcessLost)], "nothing was lost"
    heard.wait_of(ProcessReady, 3)


def test_jobs_of_two_clients_never_share_a_number(odd: Client, heard: Heard) -> None:
    with Client("core", heard, module=ODD) as other:
        numbers = [client.submit(odd_job("fine")) for client in (odd, other, odd, other)]
        assert len(set(numbers)) == 4
        heard.wait_end(numbers[-1])


def test_an_answer_with_the_number_of_no_job_is_dropped(odd: Client, heard: Heard) -> None:
    number = odd.submit(odd_job("stray"))
    assert heard.wait_end(number).state == "done"
    assert {getattr(e, "number", number) for e in heard.events} == {number}


def test_pure_noise_is_stopped_when_it_outlives_its_budget(heard: Heard) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    job = Grabcut(
        key="noise",
        rect=Rect(0, 0, 512, 512),
        image=noise,
        seeds=np.zeros((512, 512), np.uint8),
        box=Rect(1, 1, 510, 510),
    )
    with Client("refiner", heard, budget_s=0.02) as refiner:
        refiner.start()
        heard.wait_of(ProcessReady, 2)
        pid = refiner.pids[0]
        number = refiner.submit(job)
        end = heard.wait_end(number)
        assert end.state == "failed"
        assert end.reason == "It took longer than 0.02 s and was stopped."
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=10)
        assert pid not in refiner.pids
        number = refiner.submit(square_job(), budget_s=30)
        assert heard.wait_end(number).state == "done"


def test_a_core_over_its_budget_is_told_to_stop_and_not_killed(heard: Heard) -> None:
    with Client("core", heard, module=ODD) as client:
        number = client.submit(odd_job("patient"), budget_s=0.05)
        heard.wait_state(number, "running")
        pid = client.pids[0]
        end = heard.wait_end(number)
        assert (end.state, end.reason) == (
            "cancelled",
            "It took longer than 0.05 s and was stopped.",
        )
        assert heard.wait_end(client.submit(odd_job("fine"))).state == "done"
        assert client.pids == [pid]


def test_a_core_whose_device_hangs_is_ended_in_the_end(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, "core", dataclasses.replace(RULES["core"], grace_s=0.1))
    with Client("core", heard, module=ODD) as client:
        number = client.submit(odd_job("deaf"))
        heard.wait_state(number, "running")
        client.cancel(number)
        assert heard.wait_end(number).state == "cancelled"
        assert heard.wait_end(client.submit(odd_job("fine"))).state == "done"


# -- processes that die -------------------------------------------------------------------------


def test_a_refiner_killed_in_the_middle_loses_its_job_and_the_next_job_works(
    refiner: Client, heard: Heard
) -> None:
    number = refiner.submit(long_job(), budget_s=100)
    heard.wait_state(number, "running")
    psutil.Process(refiner.pids[0]).kill()
    end = heard.wait_end(number)
    assert end.state == "lost"
    assert "refiner" in end.reason
    lost = heard.wait_of(ProcessLost)
    assert (lost.kind, lost.reason, lost.restarts) == ("refiner", end.reason, 1)
    number = refiner.submit(square_job())
    assert heard.wait_end(number).state == "done"


def test_a_job_that_waited_outlives_the_process_that_died(odd: Client, heard: Heard) -> None:
    crashing = odd.submit(odd_job("crash"))
    waiting = odd.submit(odd_job("fine"))
    assert heard.wait_end(crashing).state == "lost"
    assert heard.wait_end(waiting).state == "done"


def test_the_last_words_of_a_process_are_in_the_reason(odd: Client, heard: Heard) -> None:
    end = heard.wait_end(odd.submit(odd_job("crash")))
    assert end.reason == "The refiner ended with status 7: the disk of the moon is full."


def test_an_idle_process_that_dies_is_replaced(odd: Client, heard: Heard) -> None:
    odd.start()
    heard.wait_of(ProcessReady, 2)
    for pid in odd.pids:
        psutil.Process(pid).kill()
    heard.wait_of(ProcessLost, 2)
    heard.wait_of(ProcessReady, 4)


def test_a_process_that_talks_nonsense_is_ended(odd: Client, heard: Heard) -> None:
    end = heard.wait_end(odd.submit(odd_job("nonsense")))
    assert end.state == "lost"
    assert end.reason == "The refiner said something that cannot be understood."
    assert heard.wait_end(odd.submit(odd_job("fine"))).state == "done"


def test_a_refiner_that_cannot_start_is_given_up_and_tried_again_when_asked(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKWRIGHT_ODD", "dies at once")
    with Client("refiner", heard, module=ODD) as client:
        end = heard.wait_end(client.submit(odd_job("fine")))
        assert end.state == "lost"
        assert "no such library" in end.reason
        monkeypatch.delenv("MASKWRIGHT_ODD")
        assert heard.wait_end(client.submit(odd_job("fine"))).state == "done"


# -- the door -----------------------------------------------------------------------------------


def test_who_has_another_key_is_refused(odd: Client, heard: Heard) -> None:
    odd.start()
    heard.wait_of(ProcessReady, 2)
    assert odd.address is not None
    with pytest.raises((pipes.AuthenticationError, EOFError, OSError)):
        pipes.Client(odd.address, authkey=b"another key").recv_bytes()
    assert heard.wait_end(odd.submit(odd_job("fine"))).state == "done"


def test_garbage_and_silence_at_the_door_disturb_nobody(odd: Client, heard: Heard) -> None:
    odd.start()
    visitors = [pipes.Client(odd.address) for _ in range(6)]  # the last one keeps silent
    for visitor, said in zip(visitors, (b"", b"\x00", b"\xff" * 400, bytes(5000)), strict=False):
        visitor.send_bytes(said)
    if os.name == "posix":  # not even a frame
        os.write(visitors[4].fileno(), b"GET / HTTP/1.1\r\n\r\n")
    assert heard.wait_end(odd.submit(odd_job("fine"))).state == "done"
    for visitor in visitors:
        visitor.close()


def test_who_knows_the_key_but_is_no_process_of_ours_is_shown_out(
    odd: Client, heard: Heard
) -> None:
    odd.start()
    heard.wait_of(ProcessReady, 2)
    stranger = pipes.Client(odd.address, authkey=odd._authkey)
    Channel(stranger).send(Hello(1, "refiner", 999, 1))  # type: ignore[arg-type]
    with pytest.raises((EOFError, OSError)):
        stranger.recv_bytes()


# -- the end ------------------------------------------------------------------------------------


def test_closing_ends_the_processes_and_all_events(heard: Heard) -> None:
    others = set(threading.enumerate())
    client = Client("refiner", heard)
    number = client.submit(long_job(), budget_s=100)
    heard.wait_state(number, "running")
    heard.wait_of(ProcessReady, 2)
    processes = [psutil.Process(pid) for pid in client.pids]
    assert len(processes) == 2
    client.close()
    count = len(heard.events)
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive
    assert len(heard.events) == count
    own = set(threading.enumerate()) - others
    for thread in own:
        thread.join(10)
    assert not [thread for thread in own if thread.is_alive()]
    client.close()


def test_what_is_submitted_after_closing_is_dropped(heard: Heard) -> None:
    client = Client("refiner", heard, module=ODD)
    client.close()
    client.submit(odd_job("fine"))
    assert client.pids == []
    assert not heard.events


def test_a_listener_may_close_the_client() -> None:
    closed = threading.Event()
    clients: list[Client] = []

    def hear(event: Any) -> None:
        if isinstance(event, JobChanged) and event.state == "done":
            clients[0].close()
            closed.set()

    clients.append(Client("refiner", hear, module=ODD))
    clients[0].submit(odd_job("fine"))
    assert closed.wait(60)
    assert clients[0].pids == [] or not any(map(psutil.pid_exists, clients[0].pids))


def test_closing_before_starting_starts_nothing(heard: Heard) -> None:
    client = Client("core", heard)
    client.close()
    assert client.pids == []
    assert not heard.events


@pytest.mark.parametrize("kind", ["refiner", "core"])
def test_when_the_window_is_killed_its_processes_end_by_themselves(kind: str) -> None:
    script = f"""
import sys, threading
from segcore.service.client import Client
from segcore.service.protocol import ProcessReady
from tests.service.hearing import long_job
ready = threading.Event()
client = Client({kind!r}, lambda e: ready.set() if isinstance(e, ProcessReady) else None)
client.submit(long_job(), budget_s=100)
ready.wait(60)
print(*client.pids, flush=True)
threading.Event().wait()
"""
    window = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "."}
    )
    try:
        assert window.stdout is not None
        processes = [psutil.Process(int(pid)) for pid in window.stdout.readline().split()]
        assert processes
    finally:
        window.kill()
        window.wait()
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive


# -- what the window may load -------------------------------------------------------------------


def test_the_client_brings_neither_torch_nor_opencv_into_the_window() -> None:
    script = (
        "import sys, segcore.service, segcore.service.client, segcore.service.protocol,"
        " segcore.service.trainer\n"
        "heavy = {'torch', 'cv2', 'scipy', 'skimage', 'tifffile', 'nibabel', 'pydicom', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="."
    )
    assert found.stdout.strip() == "[]"


def test_the_refiner_loads_no_torch() -> None:
    script = "import sys, segcore.service.refiner; print('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd="."
    )
    assert found.stdout.strip() == "False"
