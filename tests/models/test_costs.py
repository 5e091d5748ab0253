"""The file that remembers what models cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from segcore.models import costs
from segcore.models.costs import CostFile, CostQuestion, ModelCost

UNET = CostQuestion(architecture="unet", encoder="resnet18", classes=3)
COST = ModelCost(14_000_000, 230_000_000, 1.25, 512, "CPU, 2 threads", "At hand")


def test_a_cost_is_remembered_for_its_question_and_device(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "costs.json"
    CostFile(path).put("CPU", UNET, COST)
    again = CostFile(path)
    assert again.get("CPU", UNET) == COST
    assert again.get("GPU", UNET) is None
    assert again.get("CPU", CostQuestion(architecture="unet", encoder="resnet18")) is None


def test_costs_of_two_devices_stand_side_by_side(tmp_path: Path) -> None:
    file = CostFile(tmp_path / "costs.json")
    file.put("CPU", UNET, COST)
    file.put("GPU", UNET, ModelCost(14_000_000, 1, 0.01, 512, "GPU"))
    assert file.get("CPU", UNET) == COST
    assert file.all_of("GPU")[UNET.key].seconds == 0.01


def test_other_versions_of_the_libraries_are_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = CostFile(tmp_path / "costs.json")
    file.put("CPU", UNET, COST)
    monkeypatch.setattr(costs, "versions", lambda: "torch 99")
    assert file.get("CPU", UNET) is None
    file.put("CPU", UNET, COST)
    assert "torch 99" in (tmp_path / "costs.json").read_text()
    monkeypatch.undo()
    assert file.get("CPU", UNET) is None, "what the older libraries took is let go"


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"no place": {}}', '{"1": 2}'])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(content)
    assert CostFile(path).get("CPU", UNET) is None
    CostFile(path).put("CPU", UNET, COST)
    assert CostFile(path).get("CPU", UNET) == COST


def test_a_model_that_was_trained_again_is_another_question() -> None:
    first = CostQuestion(folder="models/a", stamp="1" * 64)
    assert first.key != CostQuestion(folder="models/a", stamp="2" * 64).key
