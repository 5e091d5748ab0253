"""Engines: which one computes a model, that its answer is torch's, and what it keeps on disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segcore.base import Rect
from segcore.infer import Predictor
from segcore.infer import openvino_engine as ov
from segcore.infer.device import Device
from segcore.infer.engines import best_engine, candidates
from segcore.models import SegModel, build, load_model, save_model
from segcore.models.agreement import TORCH, Agreement

AGREES = Agreement(0.0, 0.0, 0.0, "truth", 4, 1000, "held-out items").to_json()
ALL_AGREE = dict.fromkeys(("openvino-f32", "openvino-bf16", "torch-bf16"), AGREES)
CPU = Device("cpu", False, "CPU")


def small(name: str = "fpn", **engines: Any) -> SegModel:
    torch.manual_seed(0)
    model = build(name, classes=3, encoder="tu-test_resnet" if name == "fpn" else None)
    model.spec = model.spec.changed(tile=96, overlap=16, engines=engines)
    return model.eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder, with a description that lets OpenVINO compute it."""
    save_model(small(**{"openvino-f32": AGREES}), tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, elsewhere."""
    monkeypatch.setenv("MASKWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 1000 + width).integers(
        0, 256, (height, width, 3), np.uint8
    )


@pytest.mark.parametrize("size", [(40, 61), (96, 96), (150, 233)])
@pytest.mark.parametrize("mirror", [False, True])
def test_openvino_gives_torchs_probabilities_at_every_size(
    folder: Path, size: tuple[int, int], mirror: bool
) -> None:
    image, where = picture(*size), Rect(0, 0, *size)
    fast = Predictor(load_model(folder), "cpu", folder=folder)
    assert fast.engine.name == "openvino-f32"
    plain = Predictor(load_model(folder), "cpu", engine=TORCH)
    np.testing.assert_allclose(
        fast.probabilities(image, where, mirror=mirror),
        plain.probabilities(image, where, mirror=mirror),
        atol=1e-4,
    )
    assert (fast.predict(image).classes == plain.predict(image).classes).mean() > 0.999


def test_a_batch_of_tiles_gives_what_single_tiles_give(folder: Path) -> None:
    predictor = Predictor(load_model(folder), "cpu", folder=folder)
    one = predictor.probabilities(picture(200, 190), Rect(0, 0, 200, 190))
    predictor.batch = 3
    np.testing.assert_allclose(
        predictor.probabilities(picture(200, 190), Rect(0, 0, 200, 190)), one, atol=1e-4
    )


# -- which one computes -------------------------------------------------------------------------


def test_an_engine_computes_only_what_it_was_seen_to_agree_on(folder: Path) -> None:
    device = Device("cpu", True, "CPU")
    far = Agreement(0.02, 0.0, 0.0, "truth", 4, 1000, "held-out items").to_json()
    assert best_engine(small(), device, None).name == TORCH
    assert best_engine(small(**{"torch-bf16": AGREES}), device, None).name == "torch-bf16"
    assert best_engine(small(**{"torch-bf16": far}), device, None).name == TORCH
    assert best_engine(small(**ALL_AGREE), device, None).name.startswith("openvino")
    assert best_engine(small(**ALL_AGREE), Device("mps", False, "GPU"), None).name == TORCH


@pytest.mark.parametrize(
    ("seen", "holds"),
    [
        (Agreement(0.01, 0.003, 0.0019, items=1), True),
        (Agreement(0.0101, 0.0, 0.0, items=1), False),
        (Agreement(0.005, 0.0031, 0.0, items=1), False),
        (Agreement(0.0, 0.0, 0.002, items=1), False),
        (Agreement(0.0, 0.0, float("nan"), items=1), False),
        (Agreement(0.0, 0.0, 0.0, items=0), False),
        (Agreement(0.0, 0.0, 0.0, items=1, problem="It cannot."), False),
        (Agreement(), False),
    ],
)
def test_agreement_is_within_all_three_limits(seen: Agreement, holds: bool) -> None:
    assert seen.holds is holds
    assert Agreement.from_json(seen.to_json()).holds is holds


def test_without_openvino_torch_computes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    predictor = Predictor(load_model(folder), "cpu", folder=folder)
    assert predictor.engine.name == TORCH
    assert predictor.predict(picture(50, 60)).classes.shape == (50, 60)
    assert not (folder / ov.KEPT).exists()


@pytest.mark.parametrize("name", ["enet", "mask_rcnn"])
def test_what_openvino_cannot_compute_runs_in_torch(name: str) -> None:
    classes = 2 if name == "enet" else ["sky", "cell"]
    model = build(name, classes=classes, encoder=None if name == "enet" else "tu-test_resnet")
    model.spec = model.spec.changed(tile=64, overlap=16, engines={"openvino-f32": AGREES})
    predictor = Predictor(model, "cpu")
    assert predictor.engine.name == TORCH
    assert predictor.predict(picture(40, 40)).classes.shape == (40, 40)
    if ov.refusal(model):
        assert list(candidates(model, CPU)) == [TORCH]
    else:
        with pytest.raises(ov.NotConverted, match="OpenVINO cannot compute the network"):
            ov.OpenVinoEngine(model, "f32")


def test_its_threads_are_as_many_as_torchs(folder: Path) -> None:
    """So whatever limits torch (a training's share of the cores) limits both."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        engine = ov.OpenVinoEngine(load_model(folder), "f32")
    finally:
        torch.set_num_threads(before)
    compiled = engine._request.get_compiled_model()
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    assert not compiled.get_property("ENABLE_CPU_PINNING")


# -- what is kept -------------------------------------------------------------------------------


def conversions(place: Path) -> list[Path]:
    return sorted(place.iterdir()) if place.is_dir() else []


def test_the_conversion_is_kept_beside_the_weights_and_used_again(
    folder: Path, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ov.OpenVinoEngine(load_model(folder), "f32", folder)
    assert len(conversions(folder / ov.KEPT)) == 1
    assert not users.exists()

    def not_again(model: SegModel) -> Any:
        raise AssertionError("it was converted a second time")

    monkeypatch.setattr(ov, "convert", not_again)
    ov.OpenVinoEngine(load_model(folder), "f32", folder)


def test_what_is_kept_may_be_deleted_at_any_time(folder: Path) -> None:
    predictor = Predictor(load_model(folder), "cpu", folder=folder)
    shutil.rmtree(folder / ov.KEPT)
    assert predictor.predict(picture(50, 50)).classes.shape == (50, 50)
    ov.OpenVinoEngine(load_model(folder), "f32", folder)
    assert len(conversions(folder / ov.KEPT)) == 1


@pytest.mark.parametrize("damage", ["numbers", "network"])
def test_a_damaged_conversion_is_made_anew(folder: Path, damage: str) -> None:
    ov.OpenVinoEngine(load_model(folder), "f32", folder)
    (kept,) = conversions(folder / ov.KEPT)
    if damage == "numbers":
        path = kept / "model.bin"
        path.write_bytes(bytes(path.stat().st_size))
    else:
        (kept / "model.xml").write_text("<net", encoding="utf-8")
    predictor = Predictor(load_model(folder), "cpu", folder=folder)
    assert predictor.engine.name == "openvino-f32"
    plain = Predictor(load_model(folder), "cpu", engine=TORCH)
    image = picture(60, 60)
    assert (predictor.predict(image).classes == plain.predict(image).classes).mean() > 0.999
    assert len(conversions(folder / ov.KEPT)) == 1


def test_other_numbers_make_another_conversion_and_the_older_goes(folder: Path) -> None:
    ov.OpenVinoEngine(load_model(folder), "f32", folder)
    before = conversions(folder / ov.KEPT)
    model = load_model(folder)
    with torch.no_grad():
        model.head.bias += 1
    save_model(model, folder)
    ov.OpenVinoEngine(model, "f32", folder)
    after = conversions(folder / ov.KEPT)
    assert len(after) == 1
    assert after != before


def test_where_the_folder_cannot_be_written_the_users_cache_is(folder: Path, users: Path) -> None:
    (folder / ov.KEPT).write_text("a file is in the way")  # as root may write everywhere else
    ov.OpenVinoEngine(load_model(folder), "f32", folder)
    assert len(conversions(users)) == 1


def test_what_comes_with_the_program_stays_as_it_was_installed(
    folder: Path, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segcore.models.built_in.BUILT_IN", folder.parent)
    ov.OpenVinoEngine(load_model(folder), "f32", folder)
    assert not (folder / ov.KEPT).exists()
    assert len(conversions(users)) == 1


LISTENS = """
import socket, sys, threading
called = []
socket.socket.connect = lambda *a: called.append(a)
from segcore.infer import openvino_engine
openvino_engine.has_bfloat16()
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join(2)
assert "openvino" in sys.modules
assert sys.modules["openvino_telemetry"] is None
assert not called, called
"""


def test_loading_openvino_calls_nobody() -> None:
    """Its import reports itself through a package of its own, unless that is not found."""
    said = subprocess.run(
        [sys.executable, "-c", LISTENS], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
