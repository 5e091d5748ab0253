"""The formulas of docs/metrics_and_losses.md hold, since the page's own examples compute them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segcore.train.losses import LOSSES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics_and_losses.md"


def run(text: str) -> None:
    names: dict[str, object] = {}
    for found in re.finditer(r"```python\n(.*?)```", text, re.S):
        above = text.count("\n", 0, found.start(1))
        exec(compile("\n" * above + found.group(1), str(PAGE), "exec"), names)


def test_every_formula_of_the_page_holds() -> None:
    run(PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("right", "slip"),
    [
        ("tp / (tp + fp + fn))\nassert", "tp / tp + fp + fn)\nassert"),
        ("2 * tp / (2 * tp + fp + fn)", "2 * tp / 2 * tp + fp + fn"),
        ("2 * j / (1 + j)", "2 * j / 1 + j"),
        (
            "matched_iou.sum() / (matched + invented / 2 + missed_objects / 2)",
            "matched_iou.sum() / matched + invented / 2 + missed_objects / 2",
        ),
        ("(3 + 3) / (4 + 4 + 2 + 1)", "3 + 3 / (4 + 4 + 2 + 1)"),
        ("2 * common / (predicted + true)", "2 * common / predicted + true"),
        ("(y * p.log())", "(p * y.log())"),
    ],
)
def test_a_formula_with_a_slip_in_it_would_be_caught(right: str, slip: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert right in text
    with pytest.raises(AssertionError):
        run(text.replace(right, slip, 1))


def test_every_loss_has_its_place_on_the_page() -> None:
    headings = re.findall(r"^### (.*)$", PAGE.read_text(encoding="utf-8"), re.M)
    named = {name for heading in headings for name in re.findall(r"`(\w+)`", heading)}
    assert named == set(LOSSES)
