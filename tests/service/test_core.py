"""The core as a process: what it streams, maps, keeps warm, and how it stops."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import psutil
import pytest

from segcore.base import CLASS_PRESETS, ClassSet, Rect
from segcore.service.client import Client
from segcore.service.core import KEPT_MODELS, Models, predict
from segcore.service.protocol import (
    Describe,
    JobChanged,
    ModelDescribed,
    ObjectsFound,
    Predict,
    PredictionDone,
    ProcessLost,
    TilePredicted,
    Unload,
    Warm,
)
from segcore.service.worker import JobContext
from tests.service.hearing import Heard

STREET = CLASS_PRESETS["camvid"]


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """A part of a street scene, not a multiple of the tile."""
    first = sorted((shared_data / "camvid" / "val" / "images").iterdir())[0]
    pixels = cv2.imread(str(first))
    path = tmp_path_factory.mktemp("images") / "street part.png"
    cv2.imwrite(str(path), pixels[100:230, 200:375])
    return path


@pytest.fixture(scope="module")
def everything(heard_all: Heard) -> Iterator[Client]:
    """One core for the tests that do not kill it: torch takes seconds to load."""
    with Client("core", heard_all) as client:
        yield client


@pytest.fixture(scope="module")
def heard_all() -> Heard:
    return Heard()


def predict_job(picture: Path, model: Path, **fields: Any) -> Predict:
    fields.setdefault("class_rows", tuple(STREET.to_rows()))
    fields.setdefault("key", "picture predict")
    fields.setdefault("image_paths", (str(picture),))
    return Predict(item="1", model_path=str(model), **fields)


def gathered(events: list[Any], shape: tuple[int, int], z: int = 0) -> dict[str, Any]:
    """The planes that the tiles of a slice make, and how often each pixel came."""
    planes: dict[str, Any] = {"times": np.zeros(shape, int)}
    for name, dtype in (("classes", np.uint16), ("confidence", np.uint8), ("margin", np.uint8)):
        planes[name] = np.zeros(shape, dtype)
    for event in events:
        if isinstance(event, TilePredicted) and event.z == z:
            planes["times"][event.rect.slices] += 1
            for name in ("classes", "confidence", "margin"):
                planes[name][event.rect.slices] = getattr(event, name)
    return planes


def directly(picture: Path, model: Path) -> Any:
    from segcore import images
    from segcore.infer import Predictor
    from segcore.models import load_model

    with images.open(picture) as source:
        return Predictor(load_model(model)).predict(source)


def test_streamed_tiles_make_the_prediction_of_the_same_model_in_this_process(
    everything: Client, heard_all: Heard, picture: Path, street_model: Path
) -> None:
    number = everything.submit(predict_job(picture, street_model))
    assert heard_all.wait_end(number).state == "done"
    answers = heard_all.answers(number)
    planes = gathered(answers, (130, 175))
    wanted = directly(picture, street_model)
    assert (planes["times"] == 1).all(), "each pixel comes exactly once"
    assert np.array_equal(planes["classes"], wanted.classes)
    assert np.abs(planes["confidence"].astype(int) - wanted.confidence).max() <= 1
    assert np.abs(planes["margin"].astype(int) - wanted.margin).max() <= 1
    assert isinstance(answers[-1], PredictionDone)
    assert answers[-1].model_name == "street"
    assert len(answers[-1].model_digest) == 64
    assert answers[-1].unmapped == ()


def test_tiles_near_to_the_view_come_first_and_progress_only_grows(
    everything: Client, heard_all: Heard, picture: Path, street_model: Path
) -> None:
    job = predict_job(picture, street_model, near=(0, 120.0, 170.0))
    number = everything.submit(job)
    heard_all.wait_end(number)
    tiles = [e.rect for e in heard_all.answers(number) if isinstance(e, TilePredicted)]
    assert tiles[0].bottom == 130
    assert tiles[0].right == 175
    corner = next(i for i, rect in enumerate(tiles) if rect.contains(0, 0))
    assert corner >= len(tiles) - 4, "the far corner is in the last pass"
    shares = [
        e.progress
        for e in heard_all.events
        if isinstance(e, JobChanged) and e.number == number and e.state == "running"
    ]
    assert shares == sorted(shares)


def test_only_the_rectangle_that_was_asked_for_is_predicted(
    everything: Client, heard_all: Heard, picture: Path, street_model: Path
) -> None:
    rect = Rect(20, 30, 50, 60)
    number = everything.submit(predict_job(picture, street_model, rect=rect))
    heard_all.wait_end(number)
    times = gathered(heard_all.answers(number), (130, 175))["times"]
    assert times[rect.slices].all()
    assert times.sum() == rect.area


def test_classes_are_the_projects_and_what_it_lacks_is_left_unlabelled(
    everything: Client, heard_all: Heard, picture: Path, street_model: Path
) -> None:
    theirs = directly(picture, street_model).classes
    most, second = np.argsort(np.bincount(theirs.ravel()))[::-1][:2]
    kept = STREET[int(most)]
    # Another project: the class the model says most often, under another id; the rest not there.
    ours = ClassSet.from_rows(
        [
            {"id": 40, "name": "something else", "value": 1},
            {"id": 41, "name": kept.name, "value": 2, "uuid": kept.uuid},
        ]
    )
    number = everything.submit(predict_job(picture, street_model, class_rows=tuple(ours.to_rows())))
    heard_all.wait_end(number)
    classes = gathered(heard_all.answers(number), (130, 175))["classes"]
    assert np.array_equal(classes, np.where(theirs == most, 41, 0))
    done = heard_all.answers(number)[-1]
    assert isinstance(done, PredictionDone)
    assert STREET[int(second)].name in done.unmapped
    assert kept.name not in done.unmapped


def test_a_model_that_knows_no_class_of_the_project_predicts_nothing(
    everything: Client, heard_all: Heard, picture: Path, street_model: Path
) -> None:
    ours = ClassSet.from_rows([{"id": 40, "name": "something else", "value": 1}])
    number = everything.submit(predict_job(picture, street_model, class_rows=tuple(ours.to_rows())))
    end = heard_all.wait_end(number)
    assert end.state == "failed"
    assert "knows no class of this project" in end.reason


def test_all_slices_of_a_volume_are_predicted_from_the_one_in_view_outwards(
    everything: Client, heard_all: Heard, picture: Path, street_model: Path, shared_data: Path
) -> None:
    volume = sorted((shared_data / "hippocampus" / "images").iterdir())[0]
    job = predict_job(picture, street_model, image_paths=(str(volume),), near=(9, 0.0, 0.0))
    number = everything.submit(
        Predict(**{n: getattr(job, n) for n in job.__struct_fields__} | {"slices": (7, 8, 9, 12)})
    )
    end = heard_all.wait_end(number)
    assert end.state == "done", end.reason
    order = list(
        dict.fromkeys(e.z for e in heard_all.answers(number) if isinstance(e, TilePredicted))
    )
    assert order == [9, 8, 7, 12]


def test_a_tilted_series_is_predicted_as_the_stack_that_the_project_shows(
    everything: Client, heard_all: Heard, picture: Path, street_model: Path, shared_data: Path
) -> None:
    series = str(shared_data / "ct_dicom_odd" / "series_gap_tilt")
    for as_stack, state in ((True, "done"), (False, "failed")):
        job = predict_job(
            picture,
            street_model,
            image_paths=(series,),
            rect=Rect(200, 200, 64, 64),
            slices=(2,),
            as_stack=as_stack,
        )
        end = heard_all.wait_end(everything.submit(job))
        assert end.state == state, end.reason
    assert "no even volume" in end.reason


def test_a_model_that_is_not_there_and_an_image_that_is_broken_are_named(
    everything: Client, heard_all: Heard, picture: Path, street_model: Path, shared_data: Path
) -> None:
    number = everything.submit(predict_job(picture, street_model.parent / "nothing"))
    end = heard_all.wait_end(number)
    assert end.state == "failed"
    assert "nothing holds no model.json" in end.reason
    broken = str(shared_data / "odd" / "zero_bytes.png")
    number = everything.submit(predict_job(picture, street_model, image_paths=(broken,)))
    end = heard_all.wait_end(number)
    assert end.state == "failed"
    assert "zero_bytes.png" in end.reason


def test_sources_of_different_size_are_refused(
    everything: Client, heard_all: Heard, picture: Path, street_model: Path, shared_data: Path
) -> None:
    other = str(shared_data / "odd" / "plain.png")
    job = predict_job(picture, street_model, image_paths=(str(picture), other))
    end = heard_all.wait_end(everything.submit(job))
    assert end.state == "failed"
    assert "plain.png" in end.reason


def test_a_model_describes_itself_without_being_loaded(
    everything: Client, heard_all: Heard, street_model: Path
) -> None:
    number = everything.submit(Describe(key="describe", model_path=str(street_model)))
    assert heard_all.wait_end(number).state == "done"
    (described,) = heard_all.answers(number)
    assert isinstance(described, ModelDescribed)
    assert described.spec["name"] == "street"
    assert len(described.spec["classes"]) == len(STREET)


def test_a_warmed_model_and_an_unload_are_jobs_like_others(
    everything: Client, heard_all: Heard, street_model: Path
) -> None:
    for job in (Warm(key="warm", model_path=str(street_model)), Unload()):
        assert heard_all.wait_end(everything.submit(job)).state == "done"


LOADS_NOTHING = """
import sys
from pathlib import Path
from segcore.base import CLASS_PRESETS
from segcore.service.core import Models, predict, warm
from segcore.service.protocol import Predict, Warm
from segcore.service.worker import JobContext

model, picture = sys.argv[1:]
models, said = Models(), []
context = JobContext(1, "k", said.append)
warm(Warm(key="warm", model_path=model), context, models)
before = set(sys.modules)
rows = tuple(CLASS_PRESETS["camvid"].to_rows())
job = Predict(key="k", item="1", image_paths=(picture,), model_path=model, class_rows=rows)
predict(job, context, models)
assert said, "it predicted"
fresh = sorted(set(sys.modules) - before)
assert not fresh, fresh
"""


def test_the_first_prediction_after_warming_waits_for_no_import(
    picture: Path, street_model: Path
) -> None:
    command = [sys.executable, "-c", LOADS_NOTHING, str(street_model), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_core_killed_in_the_middle_loses_its_job_and_the_next_works(
    heard: Heard, picture: Path, street_model: Path
) -> None:
    with Client("core", heard) as core:
        number = core.submit(predict_job(picture, street_model))
        heard.wait_of(TilePredicted)
        psutil.Process(core.pids[0]).kill()
        end = heard.wait_end(number)
        assert end.state == "lost"
        assert heard.wait_of(ProcessLost).kind == "core"
        again = core.submit(predict_job(picture, street_model))
        assert heard.wait_end(again).state == "done"


# -- without a process around it ----------------------------------------------------------------


class Kept(JobContext):
    """A context that keeps what is sent, and may be cancelled after so many tiles."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.sent: list[Any] = []
        self._stop_after = stop_after
        super().__init__(1, "k", self._keep)

    def _keep(self, event: Any) -> None:
        self.sent.append(event)
        tiles = sum(isinstance(e, TilePredicted) for e in self.sent)
        if self._stop_after is not None and tiles >= self._stop_after:
            self.cancel()


def test_a_cancel_takes_effect_within_one_tile(picture: Path, street_model: Path) -> None:
    from segcore.base import Cancelled

    context = Kept(stop_after=1)
    with pytest.raises(Cancelled):
        predict(predict_job(picture, street_model), context, Models(device="cpu"))
    # One network pass finishes at most the tile itself and its seams with its neighbours.
    done = sum(e.rect.area for e in context.sent if isinstance(e, TilePredicted))
    assert done <= 64 * 64


@pytest.fixture
def finding_model(tmp_path: Path) -> Path:
    """A small network with random numbers that takes very much for a car."""
    import torch

    from segcore.models import build, save_model

    torch.manual_seed(2)
    options = {"pyramid_channels": 32, "box_features": 64, "proposals": 50, "detections": 12}
    classes = ClassSet.from_names(["ground", "Car"]).changed(2, thing=True)
    model = build("mask_rcnn", classes=classes, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        model.get_parameter("network.heads.box_predictor.classes.bias")[2] = 3.0
        torch.nn.init.normal_(model.head.weight, std=0.5)
    model.spec = model.spec.changed(name="cars", tile=96, overlap=16)
    save_model(model, tmp_path / "cars")
    return tmp_path / "cars"


def test_the_objects_that_a_model_finds_come_after_the_tiles_with_their_scores(
    picture: Path, finding_model: Path
) -> None:
    from app.workspace.planes import IncomingPlanes
    from segcore import images
    from segcore.infer import Predictor
    from segcore.models import load_model

    context = Kept()
    predict(predict_job(picture, finding_model), context, Models(device="cpu"))
    assert [type(e) for e in context.sent[-2:]] == [ObjectsFound, PredictionDone]
    found = context.sent[-2]
    with images.open(picture) as source:
        wanted = Predictor(load_model(finding_model), "cpu").predict(source, instances=True)
    assert wanted.instances is not None
    assert wanted.instances.max() > 2
    instances = np.where(found.numbers <= found.kept, found.numbers, 0)
    assert np.array_equal(instances, wanted.instances)
    assert found.scores[: found.kept].tolist() == pytest.approx(list(wanted.scores.values()))
    car = next(c.id for c in STREET.classes if c.name == "Car")
    assert (found.classes[instances > 0] == car).all()
    assert (found.object_classes == car).all()

    # The window keeps them, slice after slice, in numbers that go on.
    def kept_by(things: list[int]) -> dict[str, Any]:
        planes = IncomingPlanes((2, 130, 175), things)
        for z in (0, 1):
            planes.put_objects(msgspec.structs.replace(found, z=z))
        return planes.objects

    kept = kept_by([int(car)])
    last = len(found.scores)
    for plane, given in (("instances", instances), ("found", found.numbers)):
        assert np.array_equal(kept[plane][0], given)
        assert np.array_equal(kept[plane][1], np.where(given > 0, given + last, 0))
    assert sorted(kept["facts"]) == list(range(1, 2 * last + 1))
    assert kept["facts"][last + 1].score == pytest.approx(wanted.scores[1], abs=1e-4)
    assert kept["facts"][last + 1].score <= wanted.scores[1]
    none = kept_by([])
    assert not none["instances"].any(), "what the project counts as no thing is no object"
    assert not none["found"].any()
    assert np.array_equal(none["ground"][0], found.classes)


def test_the_last_few_models_stay_warm_and_one_trained_anew_is_loaded_anew(
    street_model: Path, tmp_path: Path
) -> None:
    import shutil

    folders = [
        Path(shutil.copytree(street_model, tmp_path / str(n))) for n in range(KEPT_MODELS + 1)
    ]
    models = Models(device="cpu")
    first = models.get(folders[0])
    assert models.get(folders[0]) is first
    for folder in folders[1:]:
        models.get(folder)
    assert len(models) == KEPT_MODELS
    assert models.get(folders[-1]) is models.get(folders[-1])
    assert models.get(folders[0]) is not first, "the oldest had to go"
    again = models.get(folders[0])
    description = folders[0] / "model.json"
    description.write_text(description.read_text() + "\n")
    assert models.get(folders[0]) is not again


def test_without_memory_on_the_card_the_processor_does_the_job(
    picture: Path, street_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Models(device="cpu")
    used: list[str | None] = []
    real = models.get

    def get(folder: Path, device: str | None = None) -> Any:
        used.append(device)
        if device is None:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(folder, device)

    monkeypatch.setattr(models, "get", get)
    monkeypatch.setattr(models, "unload", lambda: True)
    context = Kept()
    predict(predict_job(picture, street_model), context, models)
    assert used == [None, "cpu"]
    assert isinstance(context.sent[-1], PredictionDone)
