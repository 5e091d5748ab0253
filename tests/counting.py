"""What a test run says of the tests that it did not run, and what it does not let pass.

Only tests marked `gpu` may skip where the data folder is there: a test that skips quietly is a
test that nobody has. Tests that are deselected are counted by their mark, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

LEFT_OUT = ("slow", "bench", "heavy")
SHARED = Path(__file__).resolve().parents[2] / "shared"

_deselected: Counter[tuple[str, str]] = Counter()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Count what is deselected by its mark and reason."""
    for item in items:
        mark = next((m for m in item.iter_markers() if m.name in LEFT_OUT), None)
        if mark is None:
            _deselected["other", "not chosen on the command line"] += 1
        else:
            _deselected[mark.name, _reason(item, mark)] += 1


def _reason(item: pytest.Item, mark: pytest.Mark) -> str:
    if mark.kwargs.get("reason"):
        return str(mark.kwargs["reason"])
    if mark.args:
        return str(mark.args[0])
    for line in item.config.getini("markers"):
        name, _, text = str(line).partition(":")
        if name.strip() == mark.name:
            return text.strip()
    return "no reason given"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """A skip of a test that is not marked `gpu` counts as a failure."""
    outcome = yield
    report = outcome.get_result()
    gpu = item.get_closest_marker("gpu") is not None
    if report.skipped and not gpu and not hasattr(report, "wasxfail") and SHARED.is_dir():
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"only tests marked gpu may skip; this one did: {why}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that shares the tests with others hands its counts to the one that sums up."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["deselected"] = [
            [mark, reason, count] for (mark, reason), count in _deselected.items()
        ]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take the counts of one such process: each of them collects all tests."""
    for mark, reason, count in getattr(node, "workeroutput", {}).get("deselected", ()):
        _deselected[mark, reason] = max(count, _deselected[mark, reason])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many tests did not run, and why."""
    if not _deselected:
        return
    terminalreporter.write_sep("-", f"{_deselected.total()} deselected")
    for (mark, reason), count in sorted(_deselected.items()):
        terminalreporter.write_line(f"{count:5d} {mark}: {reason}")
