"""``maskwright refine`` and ``predict --refine``: on real pictures, small ones."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from calling import Command, take

from segcore.base import CLASS_PRESETS
from segcore.cli.main import run
from segcore.edits import Stroke
from segcore.infer import Predictor, map_classes
from segcore.models import load_model
from segcore.models.built_in import BUILT_IN
from segcore.projects.crf_params import FILE, LABELS, default_params, kept_params
from segcore.refine import AUTHORS, CrfParams, densecrf
from segcore.refine.pixels import seen_pixels, solver_window
from segcore.store import Project

WIDTH, HEIGHT = 160, 120


@pytest.fixture(scope="module")
def predicted(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small pictures of nuclei, predicted once by the model that comes along."""
    folder, work = shared_data / "nuclei", tmp_path_factory.mktemp("nuclei")
    stems = [path.stem for path in sorted((folder / "images").iterdir())]
    grey = [s for s in stems if cv2.imread(str(folder / "labels" / f"{s}.png"), -1).size == 65536]
    for part in ("images", "labels"):
        take(folder / part, work / part, grey[10:90:20])
    path = work / "n.maskwright"
    for command in (
        ["new", path, "--images", work / "images", "--truth", work / "labels",
         "--instances", "nucleus", "--hold-out", "none"],
        ["predict", path, "--model", "nuclei"],
    ):  # fmt: skip
        assert run([str(word) for word in command]) == 0
    return path


@pytest.fixture
def nuclei(predicted: Path, tmp_path: Path) -> Path:
    """A copy of its own; the pictures are found where they were."""
    shutil.copytree(predicted.parent, tmp_path / "nuclei")
    return tmp_path / "nuclei" / predicted.name


def rough_streets(
    folder: Path, shared_data: Path, *, coarse: int, names: dict[str, list[str]]
) -> None:
    """CamVid scenes, three times smaller; predicted is the truth, `coarse` times coarser."""
    for part in ("images", "truth", "predictions"):
        (folder / part).mkdir(parents=True)
    for half, stems in names.items():
        for stem in stems:
            source = shared_data / "camvid" / half
            image = cv2.imread(str(source / "images" / f"{stem}.jpg"))
            mask = cv2.imread(str(source / "labels" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
            assert image is not None
            assert mask is not None
            image = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            mask = cv2.resize(mask, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
            small = cv2.resize(
                mask, (WIDTH // coarse, HEIGHT // coarse), None, 0, 0, cv2.INTER_NEAREST
            )
            rough = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(folder / "images" / f"{stem}.png"), image)
            cv2.imwrite(str(folder / "truth" / f"{stem}.png"), mask)
            cv2.imwrite(str(folder / "predictions" / f"{stem}.png"), rough)


@pytest.fixture
def streets(done: Command, shared_data: Path, tmp_path: Path) -> Path:
    """Street scenes with a blocky prediction, of two drives; the second one is held out."""
    return street_project(done, shared_data, tmp_path, coarse=8)


def street_project(done: Command, shared_data: Path, folder: Path, *, coarse: int) -> Path:
    names = {
        "train": ["0001TP_006690", "0001TP_007890", "0006R0_f00930"],
        "val": ["0016E5_07959", "0016E5_08119"],
    }
    rough_streets(folder / "rough", shared_data, coarse=coarse, names=names)
    path = folder / "s.maskwright"
    done(
        "new", path, "--images", folder / "rough" / "images", "--truth", folder / "rough" / "truth",
        "--predictions", folder / "rough" / "predictions", "--classes", "camvid",
        "--hold-out", "0016E5_*",
    )  # fmt: skip
    return path


# -- refine -------------------------------------------------------------------------------------


def test_a_batch_is_one_undoable_step_an_item_from_the_models_probabilities(
    done: Command, nuclei: Path
) -> None:
    with Project.open(nuclei, write=False) as project:
        before = {item.name: item.labels.read() for item in project.items}
    report = done("refine", nuclei, "--json").json
    assert report["method"] == "crf"
    assert report["refined"] == report["by_model"] == 4
    assert report["failed"] == 0
    assert 0 < report["mean_iou_before"] < 1
    with Project.open(nuclei) as project:
        for item in project.items:
            changed = item.labels.read() != before[item.name]
            assert changed.any()
            origin = item.labels.read(plane="origin")
            told = {project.origins.by_id(int(o)) for o in np.unique(origin[changed])}
            assert [(o.kind, o.model_digest[-4:]) for o in told] == [("model", "+crf")]
            steps = [row.name for row in project.scribe.history(item.id)]
            assert steps[-1] == "Refine with dense CRF"
            assert item.state == "predicted", "nobody has looked at it"
            project.scribe.undo(item.id).applied.result()
            assert np.array_equal(item.labels.read(), before[item.name])


def test_the_answer_is_that_of_the_library_called_by_hand(done: Command, nuclei: Path) -> None:
    model = load_model(BUILT_IN / "nuclei")
    predictor = Predictor(model, "cpu")
    done("refine", nuclei, "--params", "smooth_weight=2,iterations=3", "--device", "cpu")
    with Project.open(nuclei, write=False) as project:
        item = next(iter(project.items))
        table = map_classes(model.spec.classes, project.classes).table
        ids = [int(table[c.id]) for c in model.spec.classes.scored]
        with item.open_image() as image:
            told = predictor.probabilities(image, item.labels.extent)
            pixels = seen_pixels(image.read(), solver_window(image))
        params = CrfParams(smooth_weight=2, iterations=3)
        wanted = np.array(ids)[densecrf(pixels, told, params).argmax(axis=0)]
        assert np.array_equal(item.labels.read(), wanted)


def test_a_persons_pixels_stay_unless_told(done: Command, nuclei: Path) -> None:
    with Project.open(nuclei) as project:
        item = next(iter(project.items))
        # A scribble that no picture supports: a CRF would take it away at once.
        stroke = Stroke(0, ((100.0, 20.0), (100.0, 230.0)), 1.0, 2, origin=project.source("person"))
        project.apply(item, stroke)
        mine = item.labels.read(plane="origin") == project.source("person")
        assert mine.sum() > 300
        painted = item.labels.read()
    done("refine", nuclei)
    with Project.open(nuclei, write=False) as project:
        now = next(iter(project.items)).labels
        assert np.array_equal(now.read()[mine], painted[mine])
        assert (now.read(plane="origin")[mine] == 0).sum() == 0
        assert (now.read()[~mine] != painted[~mine]).any()
    done("refine", nuclei, "--over-mine")
    with Project.open(nuclei, write=False) as project:
        now = next(iter(project.items)).labels.read()
        assert (now[mine] != painted[mine]).sum() > 100


def test_only_the_chosen_items_are_refined(
    maskwright: Command, done: Command, nuclei: Path
) -> None:
    with Project.open(nuclei, write=False) as project:
        name = next(iter(project.items)).name
    report = done("refine", nuclei, "--items", name, "--json").json
    assert [row["name"] for row in report["items"]] == [name]
    assert "No parameters were tuned" in done("refine", nuclei, "--items", "nothing").err
    assert done("refine", nuclei, "--states", "corrected", "--json").json["refined"] <= 1
    empty = done("refine", nuclei, "--states", "new")
    assert "No item is new" in empty.err
    for wrong in (["--method", "magic"], ["--from", "stars"], ["--method", "grabcut", "--tune"]):
        assert maskwright("refine", nuclei, *wrong).code == 2
    bad = maskwright("refine", nuclei, "--params", "colour=3")
    assert bad.code == 1
    assert len(bad.err.splitlines()) == 2


def test_grabcut_brings_rough_objects_nearer_to_the_truth(
    done: Command, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "nuclei"
    stems = [path.stem for path in sorted((folder / "images").iterdir())][120:170:24]
    take(folder / "images", tmp_path / "images", stems)
    take(folder / "labels", tmp_path / "truth", stems)
    (tmp_path / "rough").mkdir()
    for stem in stems:
        mask = cv2.imread(str(folder / "labels" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(tmp_path / "rough" / f"{stem}.png"), np.roll(mask, 2, axis=1))
    path = tmp_path / "g.maskwright"
    done(
        "new", path, "--images", tmp_path / "images", "--truth", tmp_path / "truth",
        "--predictions", tmp_path / "rough", "--instances", "nucleus", "--hold-out", "none",
    )  # fmt: skip
    with Project.open(path, write=False) as project:
        objects = {i.name: set(np.unique(i.labels.read(plane="instance"))) for i in project.items}
    report = done("refine", path, "--method", "grabcut", "--json").json
    assert report["refined"] == len(stems)
    assert report["mean_iou_after"] > report["mean_iou_before"] + 0.02
    with Project.open(path, write=False) as project:
        for item in project.items:
            now = set(np.unique(item.labels.read(plane="instance")))
            assert now <= objects[item.name]  # no object is torn or made up
            assert len(now) > 0.9 * len(objects[item.name])


def test_sixteen_bits_are_seen_through_their_window_and_unlabelled_stays(
    done: Command, tmp_path: Path
) -> None:
    truth = np.zeros((60, 80), np.uint8)
    truth[20:40, 30:60] = 1
    noise = np.random.default_rng(0).integers(0, 40, truth.shape)
    image = np.where(truth, 2400, 1200).astype(np.uint16) + noise.astype(np.uint16)
    rough = np.roll(truth, 2, axis=0)
    rough[50:] = 255
    for name, values in (("images", image), ("truth", truth), ("rough", rough)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), values)
    path = tmp_path / "d.maskwright"
    done(
        "new", path, "--images", tmp_path / "images", "--truth", tmp_path / "truth",
        "--predictions", tmp_path / "rough", "--hold-out", "none",
    )  # fmt: skip
    report = done("refine", path, "--from", "labels", "--json").json
    assert report["by_model"] == 0
    with Project.open(path, write=False) as project:
        item = next(iter(project.items))
        found, wanted = item.labels.read(), item.truth.read()
        assert np.array_equal(found[:50], wanted[:50])
        ignored = {int(c.id) for c in project.classes if c.ignore} | {0}
        assert set(np.unique(found[50:]).tolist()) <= ignored


def test_without_the_package_nothing_is_changed_and_two_lines_say_why(
    maskwright: Command, nuclei: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    for command in (["refine", nuclei], ["predict", nuclei, "--refine", "crf", "--overwrite"]):
        result = maskwright(*command)
        assert result.code == 1
        assert result.out == ""
        assert len(result.err.splitlines()) == 2
        assert "pip install pydensecrf2" in result.err
    with Project.open(nuclei, write=False) as project:
        assert {item.state for item in project.items} == {"predicted"}


def test_the_model_speaks_for_a_foreign_label_only_when_told(
    done: Command, nuclei: Path, tmp_path: Path, predicted: Path
) -> None:
    path = tmp_path / "foreign.maskwright"
    done(
        "new", path, "--images", predicted.parent / "images", "--predictions",
        predicted.parent / "labels", "--instances", "nucleus", "--hold-out", "none",
    )  # fmt: skip
    first = done("refine", path, "--json").json
    assert first["by_model"] == 0
    second = done(
        "refine", path, "--from", "model", "--model", "nuclei", "--states", "all", "--json"
    ).json
    assert second["by_model"] == second["refined"] == 4


# -- predict --refine ---------------------------------------------------------------------------


def test_a_prediction_behind_a_crf_is_a_layer_of_its_own(
    maskwright: Command, done: Command, nuclei: Path
) -> None:
    assert maskwright("predict", nuclei, "--refine", "magic").code == 2
    told = done(
        "predict", nuclei, "--model", "nuclei", "--refine", "crf", "--overwrite", "--json"
    ).json
    assert told["model"] == "nuclei+crf"
    assert told["adopted"] == 4
    with Project.open(nuclei, write=False) as project:
        for item in project.items:
            plain, sharp = item.predictions["nuclei"], item.predictions["nuclei+crf"]
            assert plain.model_digest == sharp.model_digest
            assert (plain.labels.read() != sharp.labels.read()).any()
            assert np.array_equal(item.labels.read(), sharp.labels.read())
            confidence = sharp.labels.read(plane="confidence").astype(int)
            margin = sharp.labels.read(plane="margin").astype(int)
            assert confidence.min() >= 127
            assert np.abs(margin - (2 * confidence - 255)).max() <= 1  # of two classes


# -- tuning -------------------------------------------------------------------------------------


def test_tuned_parameters_that_help_held_out_items_are_kept_and_used(
    done: Command, streets: Path
) -> None:
    told = done("refine", streets, "--tune", "--trials", "6", "--json").json
    assert told["trials"] == 6
    assert told["train"]["items"] == 3
    assert told["held_out"]["items"] == 2
    held = told["held_out"]
    assert told["kept"] is (held["mean_iou_found"] > held["mean_iou_without"]) is True
    gains = [row["gain"] for row in held["classes"] if row["gain"] is not None]
    assert len(gains) >= 8
    assert min(gains) < 0 < max(gains)  # thin classes lose, and that is said, too
    found = CrfParams.from_json(told["params"])
    assert kept_params(streets / "models", LABELS) == found
    facts = json.loads((streets / "models" / FILE).read_text())[LABELS]
    assert facts["held_out"]["mean_iou_found"] == held["mean_iou_found"]
    # From now on they are the default: the same result as when they are named.
    result = done("refine", streets, "--states", "predicted", "--json")
    assert "tuned" not in result.err
    report = result.json
    with Project.open(streets) as project:
        first = [item.labels.read() for item in project.items]
        for item in project.items:
            project.scribe.undo(item.id).applied.result()
    text = ",".join(f"{name}={value}" for name, value in found.to_json().items())
    assert done("refine", streets, "--params", text, "--json").json["pixels"] == report["pixels"]
    with Project.open(streets, write=False) as project:
        for one, item in zip(first, project.items, strict=True):
            assert np.array_equal(one, item.labels.read())


def test_what_lowers_the_score_on_held_out_items_is_never_kept(
    done: Command, shared_data: Path, tmp_path: Path
) -> None:
    # Labels that are the truth itself: whatever a CRF does to them is wrong.
    path = street_project(done, shared_data, tmp_path, coarse=1)
    told = done("refine", path, "--tune", "--trials", "4", "--json").json
    held = told["held_out"]
    assert held["mean_iou_found"] < held["mean_iou_without"] == 1.0
    assert told["kept"] is False
    assert "held-out" in told["reason"]
    assert default_params(path / "models", LABELS) == AUTHORS
    shown = done("refine", path, "--tune", "--trials", "1").out
    assert "Not kept." in shown
    assert "Bicyclist" in shown or "bicyclist" in shown


def test_worse_parameters_do_not_replace_those_kept_before(done: Command, streets: Path) -> None:
    best = done("refine", streets, "--tune", "--trials", "6", "--json").json
    again = done("refine", streets, "--tune", "--trials", "1", "--json").json
    assert again["held_out"]["mean_iou_found"] < best["held_out"]["mean_iou_found"]
    assert again["held_out"]["mean_iou_present"] == best["held_out"]["mean_iou_found"]
    assert again["kept"] is False
    assert kept_params(streets / "models", LABELS) == CrfParams.from_json(best["params"])


def test_without_truth_or_without_held_out_items_the_command_says_so(
    maskwright: Command, done: Command, nuclei: Path, street: Path, tmp_path: Path
) -> None:
    told = done("refine", nuclei, "--tune", "--trials", "2", "--json").json
    assert told["held_out"] is None
    assert told["kept"] is False
    assert not (nuclei / "models" / FILE).exists()
    bare = tmp_path / "bare.maskwright"
    done("new", bare, "--images", street / "images", "--classes", "camvid")
    result = maskwright("refine", bare, "--tune", "--from", "labels")
    assert result.code == 1
    assert "truth" in result.err
    assert len(CLASS_PRESETS["camvid"].scored) == 11


def test_a_damaged_file_of_parameters_is_named(maskwright: Command, streets: Path) -> None:
    (streets / "models").mkdir(exist_ok=True)
    (streets / "models" / FILE).write_text("[3]")
    result = maskwright("refine", streets)
    assert result.code == 1
    assert FILE in result.err
    assert len(result.err.splitlines()) == 2
