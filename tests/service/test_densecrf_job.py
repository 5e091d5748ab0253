"""Dense CRF as a job: what comes back, what it costs to be impatient, and a model's own words."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from segcore.base import CLASS_PRESETS, Rect
from segcore.infer import Predictor
from segcore.models import load_model, model_digest
from segcore.refine import AUTHORS, CrfParams, NoDenseCrf, densecrf
from segcore.refine.evidence import from_labels
from segcore.service.client import Client
from segcore.service.core import Models, probabilities
from segcore.service.protocol import (
    Densecrf,
    Event,
    Probabilities,
    ProbabilitiesFound,
    RegionRefined,
)
from segcore.service.refiner import solve_densecrf
from segcore.service.worker import JobContext
from tests.service.hearing import Heard

PARAMS = CrfParams(appearance_weight=4, iterations=3)


@pytest.fixture(scope="module")
def scene(shared_data: Path) -> tuple[np.ndarray, tuple[int, ...], np.ndarray]:
    """A part of a street, its classes, and probabilities that miss its edges by three pixels."""
    folder = shared_data / "camvid" / "val"
    image = cv2.imread(str(folder / "images" / "0016E5_07959.jpg"))
    mask = cv2.imread(str(folder / "labels" / "0016E5_07959.png"), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert mask is not None
    image, mask = image[120:280, 100:340, ::-1], mask[120:280, 100:340].astype(np.uint16) + 1
    ids = tuple(int(v) for v in np.unique(mask))
    return image, ids, from_labels(np.roll(mask, 3, axis=1), ids).astype(np.float16)


def job(scene: tuple[np.ndarray, tuple[int, ...], np.ndarray], key: str = "crf") -> Densecrf:
    image, ids, shares = scene
    seen = Rect(120, 100, *image.shape[:2])
    return Densecrf(
        key=key, rect=Rect(140, 130, 100, 150), seen=seen, image=image, ids=ids, shares=shares,
        params=PARAMS.to_json(),
    )  # fmt: skip


def test_the_classes_of_the_inner_region_come_back_from_another_process(
    refiner: Client, heard: Heard, scene: tuple[np.ndarray, tuple[int, ...], np.ndarray]
) -> None:
    number = refiner.submit(job(scene))
    assert heard.wait_end(number).state == "done"
    [found] = heard.answers(number)
    assert isinstance(found, RegionRefined)
    image, ids, shares = scene
    told = densecrf(image, shares, PARAMS).argmax(axis=0)
    assert found.rect == Rect(140, 130, 100, 150)
    assert np.array_equal(found.classes, np.array(ids)[told][20:120, 30:180])
    assert (found.classes != np.array(ids)[shares.argmax(axis=0)][20:120, 30:180]).any()
    assert "running" in heard.states(number)


def test_of_two_questions_about_a_region_the_newer_is_answered(
    refiner: Client, heard: Heard, scene: tuple[np.ndarray, tuple[int, ...], np.ndarray]
) -> None:
    older, newer = refiner.submit(job(scene)), refiner.submit(job(scene))
    assert heard.wait_end(newer).state == "done"
    assert heard.wait_end(older).state == "cancelled"
    assert [e.number for e in heard.events if isinstance(e, RegionRefined)] == [newer]


def test_one_that_outlives_its_budget_is_ended_and_the_next_is_answered(
    refiner: Client, heard: Heard, scene: tuple[np.ndarray, tuple[int, ...], np.ndarray]
) -> None:
    rng = np.random.default_rng(0)
    endless = Densecrf(
        key="endless",
        rect=Rect(0, 0, 700, 700),
        seen=Rect(0, 0, 700, 700),
        image=rng.integers(0, 256, (700, 700, 3), np.uint8),
        ids=(1, 2, 3, 4, 5, 6),
        shares=rng.dirichlet(np.ones(6), (700, 700)).transpose(2, 0, 1).astype(np.float16),
        params=AUTHORS.to_json() | {"iterations": 100},
    )
    began = time.monotonic()
    number = refiner.submit(endless, budget_s=0.5)
    ended = heard.wait_end(number)
    assert ended.state == "failed"
    assert "took longer than 0.5 s" in ended.reason
    following = refiner.submit(job(scene))
    assert heard.wait_end(following).state == "done"
    assert time.monotonic() - began < 45  # a hundred rounds of noise would take far longer


def test_a_missing_package_is_the_reason_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, scene: tuple[np.ndarray, tuple[int, ...], np.ndarray]
) -> None:
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    with pytest.raises(NoDenseCrf, match="pip install pydensecrf2"):
        solve_densecrf(job(scene), JobContext(1, "crf", lambda _: None))


def test_the_core_tells_all_probabilities_of_a_region(
    tmp_path: Path, street_model: Path, shared_data: Path
) -> None:
    source = shared_data / "camvid" / "val" / "images" / "0016E5_07959.jpg"
    wanted = CLASS_PRESETS["camvid"]
    rows = [row for row in wanted.to_rows() if row["name"] not in ("Car", "Sky", "car", "sky")]
    assert len(rows) == len(wanted) - 2
    sent: list[Event] = []
    question = Probabilities(
        key="p", image_paths=(str(source),), model_path=str(street_model),
        class_rows=tuple(rows), rect=Rect(40, 60, 90, 110),
    )  # fmt: skip
    probabilities(question, JobContext(7, "p", sent.append), Models(device="cpu"))
    [found] = sent
    assert isinstance(found, ProbabilitiesFound)
    assert (found.number, found.rect, found.z) == (7, question.rect, 0)
    assert found.model_digest == model_digest(street_model)
    assert found.shares.dtype == np.float16
    assert np.allclose(found.shares.astype(float).sum(axis=0), 1, atol=5e-3)
    # The two classes that the project lacks are one channel, with 0.
    assert sorted(found.ids) == sorted({0, *(int(r["id"]) for r in rows if not r["ignore"])})
    model = load_model(street_model)
    image = cv2.imread(str(source))
    assert image is not None
    told = Predictor(model, "cpu").probabilities(image[..., ::-1], question.rect)
    missing = {int(c.id) for c in wanted.scored} - set(found.ids)
    for number, c in enumerate(model.spec.classes.scored):
        if int(c.id) not in missing:
            plane = found.shares[found.ids.index(int(c.id))].astype(float)
            assert np.abs(plane - told[number]).max() < 1e-3
