"""The examples of docs/api.md run, from top to bottom, as the page promises."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
STAYS = {
    "segcore.models": ["build"],
    "segcore.metrics": ["confusion_matrix", "iou", "dice"],
    "segcore.store": ["Project"],
    "segcore.infer": ["Predictor"],
    "segcore.refine": ["grabcut", "densecrf"],
}


def test_every_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for found in re.finditer(r"```python\n(.*?)```", text, re.S):
        # Blank lines before the example make a failure point at its line of the page.
        above = text.count("\n", 0, found.start(1))
        exec(compile("\n" * above + found.group(1), str(PAGE), "exec"), names)


def test_every_name_that_stays_has_an_example() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for module, members in STAYS.items():
        lines = re.findall(rf"^from {re.escape(module)} import (.*)$", text, re.M)
        imported = {name.strip() for line in lines for name in line.split(",")}
        assert set(members) <= imported, module
