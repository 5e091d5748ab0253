"""The core's answer to what a model costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segcore.base import Cancelled, MaskwrightError
from segcore.models import build
from segcore.models.costs import CostQuestion, ModelCost
from segcore.service.core import Models, measure
from segcore.service.protocol import Measure, ModelMeasured
from segcore.service.worker import JobContext

ENET = CostQuestion(architecture="enet", classes=2)


def ask(question: CostQuestion, file: Path | None = None) -> ModelMeasured:
    said: list[Any] = []
    job = Measure(key="m", question=question.to_json(), file=str(file or ""))
    measure(job, JobContext(1, "m", said.append), Models())
    (answer,) = said
    assert isinstance(answer, ModelMeasured)
    return answer


def test_a_new_model_is_built_measured_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ask(ENET, tmp_path / "costs.json")
    cost = ModelCost.from_json(first.cost)
    assert cost.parameters == sum(p.numel() for p in build("enet", classes=2).parameters())
    assert cost.seconds > 0

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("it was measured again")

    monkeypatch.setattr("segcore.infer.cost.measure_cost", never)
    again = ask(ENET, tmp_path / "costs.json")
    assert again.cost == first.cost
    assert again.known == {ENET.key: first.cost}


def test_a_refused_pair_is_said_and_not_measured() -> None:
    with pytest.raises(MaskwrightError, match="dilates"):
        ask(CostQuestion(architecture="pspnet", encoder="densenet121"))


def test_a_question_that_nobody_waits_for_any_more_is_given_up() -> None:
    job = Measure(key="m", question=ENET.to_json())
    context = JobContext(1, "m", lambda _: None)
    context.cancel()
    with pytest.raises(Cancelled):
        measure(job, context, Models())
