"""Comparing engines: what is counted, what it is counted against, and what the model then says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from segcore import metrics
from segcore.base import ClassSet
from segcore.infer import Predictor
from segcore.infer.comparing import MOST_IMAGES, Sample, check_model, compare_engines, middle
from segcore.infer.engines import TorchEngine
from segcore.models import ModelSpec, SegModel, build, load_model, save_model
from segcore.models.agreement import TORCH, Agreement
from segcore.models.output import SegOutput

ENGINES = ("openvino-f32", "torch-bf16")


@pytest.fixture
def model() -> SegModel:
    torch.manual_seed(0)
    model = build("fpn", classes=3, encoder="tu-test_resnet")
    model.spec = model.spec.changed(tile=96, overlap=16)
    return model


def samples(model: SegModel, count: int, *, truth: bool) -> list[Sample]:
    random = np.random.default_rng(0)
    made = []
    for _ in range(count):
        values = random.integers(0, 256, (70, 100, 3), np.uint8)
        told = random.integers(0, 4, (70, 100)).astype(np.uint16)  # 0 is nothing told
        made.append(Sample(values, told if truth else None))
    return made


def test_figures_are_those_of_a_plain_count(
    model: SegModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine whose scores are moved on purpose, against counting by hand."""
    whole = TorchEngine.__call__

    def moved(self: TorchEngine, images: torch.Tensor) -> SegOutput:
        if self.name == TORCH:
            return whole(self, images)
        logits = whole(self, images).logits.float().clone()
        logits[:, 0, ::2] += 0.5
        return SegOutput(logits)

    monkeypatch.setattr(TorchEngine, "__call__", moved)
    given = samples(model, 3, truth=True)
    seen = compare_engines(model, given, model.spec.classes, "x", engines=["torch-bf16"])
    one = seen["torch-bf16"]
    ids = [int(c.id) for c in model.spec.classes.scored]
    plain, other = (Predictor(model, "cpu", engine=name) for name in (TORCH, "torch-bf16"))
    different = sure = different_sure = pixels = 0
    sums = [metrics.ConfusionAccumulator(ids), metrics.ConfusionAccumulator(ids)]
    for sample in given:
        first, second = plain.predict(sample.values), other.predict(sample.values)
        off, clear = first.classes != second.classes, first.margin > 0.05 * 255
        different, pixels = different + off.sum(), pixels + off.size
        sure, different_sure = sure + clear.sum(), different_sure + (off & clear).sum()
        for each, found in zip(sums, (first, second), strict=True):
            each.add(sample.truth, found.classes)
    means = [float(metrics.mean(metrics.iou(each.matrix))[0]) for each in sums]
    assert 0 < one.different == pytest.approx(different / pixels)
    assert one.different_sure == pytest.approx(different_sure / sure)
    assert one.moved == pytest.approx(abs(means[0] - means[1]))
    assert (one.items, one.pixels, one.against) == (3, pixels, "truth")


def test_without_truth_the_most_that_the_score_can_have_moved_counts(model: SegModel) -> None:
    """Whatever the truth: by the triangle inequality of the Jaccard distance."""
    random = np.random.default_rng(1)
    told, first = random.integers(1, 3, (2, 40, 40))
    second = np.where(random.random((40, 40)) < 0.1, 3 - first, first)

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        sums = metrics.ConfusionAccumulator([1, 2])
        sums.add(a.astype(np.uint16), b.astype(np.uint16))
        return float(metrics.mean(metrics.iou(sums.matrix))[0])

    assert abs(mean(told, first) - mean(told, second)) <= 1 - mean(first, second)
    seen = compare_engines(
        model, samples(model, 2, truth=False), model.spec.classes, "x", engines=["openvino-f32"]
    )["openvino-f32"]
    assert seen.against == "torch"
    assert 0 <= seen.moved < 0.002
    assert seen.holds


def test_the_description_says_what_was_seen_and_the_predictor_goes_by_it(
    model: SegModel, tmp_path: Path
) -> None:
    elsewhere = Agreement(0.5, 0.5, 0.5, items=1).to_json()
    model.spec = model.spec.changed(engines={"openvino-bf16": elsewhere})
    save_model(model, tmp_path)
    assert Predictor(load_model(tmp_path), "cpu", folder=tmp_path).engine.name == TORCH
    check_model(
        tmp_path, samples(model, 2, truth=True), model.spec.classes, "images", engines=ENGINES
    )
    told = ModelSpec.read(tmp_path).engines
    assert set(told) == {"openvino-f32", "torch-bf16", "openvino-bf16"}
    assert told["openvino-bf16"] == elsewhere, "another machine's stays"
    assert told["openvino-f32"]["version"].startswith("openvino 20")
    assert told["openvino-f32"]["where"] == "images"
    assert json.dumps(told)
    predictor = Predictor(load_model(tmp_path), "cpu", folder=tmp_path)
    assert predictor.engine.name == "openvino-f32"


def test_an_engine_that_cannot_says_why_and_nothing_to_compare_on_says_nothing(
    model: SegModel, tmp_path: Path
) -> None:
    save_model(build("enet", classes=2), tmp_path)
    classes = ClassSet.from_rows(load_model(tmp_path).spec.classes.to_rows(), "enet")
    seen = check_model(
        tmp_path, samples(model, 1, truth=True), classes, "images", engines=["openvino-f32"]
    )
    assert "OpenVINO cannot compute the network" in seen["openvino-f32"].problem
    assert not seen["openvino-f32"].holds
    assert ModelSpec.read(tmp_path).engines["openvino-f32"]["problem"]
    assert compare_engines(model, [], model.spec.classes, "x", engines=ENGINES) == {}


def test_no_more_images_are_read_than_are_needed_and_no_more_of_them(model: SegModel) -> None:
    read = []

    def many() -> object:
        for sample in samples(model, 20, truth=True):
            read.append(1)
            yield sample

    seen = compare_engines(model, many(), model.spec.classes, "x", engines=["openvino-f32"])
    assert seen["openvino-f32"].items == MOST_IMAGES
    assert len(read) <= MOST_IMAGES + 1
    part = middle(4000, 1000)
    assert (part.height, part.width) == (1536, 1000)
    assert part.y == 1232
