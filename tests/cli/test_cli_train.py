"""``maskwright train`` and ``predict``: what teaches, what is kept back, what comes home."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from calling import Command
from PIL import Image

from segcore.base import CLASS_PRESETS, ClassSet, Rect
from segcore.edits import Region, SetState
from segcore.projects.earlier import earlier_items
from segcore.projects.promotion import demote, promote, promoted
from segcore.projects.training import (
    NewRun,
    NothingToLearn,
    prepare_run,
    prepare_sample,
    split_items,
)
from segcore.store import Project
from segcore.train import Recipe, describe, read_frozen, runs
from segcore.train.frozen import FrozenItem
from segcore.train.preflight import SAMPLE_OF

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def small(street: Path, tmp_path: Path) -> Path:
    """The street scenes cut to 128 x 96, so that a step of training costs a moment."""
    for part in ("images", "labels"):
        target = tmp_path / "small" / part
        target.mkdir(parents=True)
        for file in sorted((street / part).iterdir()):
            Image.open(file).crop((160, 140, 288, 236)).save(target / f"{file.stem}.png")
    return tmp_path / "small"


@pytest.fixture
def project(done: Command, small: Path, tmp_path: Path) -> Path:
    done(
        "new", tmp_path / "p", "--images", small / "images", "--truth", small / "labels",
        "--classes", "camvid", "--group-by", "^[^_]+", "--hold-out", "0006R0_*",
    )  # fmt: skip
    return tmp_path / "p.maskwright"


def untrained(folder: Path, classes: ClassSet) -> Path:
    """A model with random numbers: it predicts something, and costs no training."""
    from segcore.models import build, save_model

    save_model(build("fpn", classes=classes), folder)
    return folder


def paint(project: Project, name: str, class_id: int, rect: Rect) -> None:
    item = project.items.by_name(name)
    mask = np.ones((rect.height, rect.width), bool)
    edit = Region.of(0, rect, mask, class_id, origin=project.source("person"))
    project.apply(item, edit)


def test_truth_teaches_all_but_the_held_out_items(project: Path) -> None:
    with Project.open(project) as opened:
        run = prepare_run(opened, NewRun({"targets": "truth"}, name="a"))
        truth = {item.name: item.truth.read() for item in opened.items}
    data = read_frozen(run)
    assert {i.name for i in data.of("held_out")} == {"0006R0_f00930"}
    assert len(data.of("train")) == 5
    for item in data.items:
        target = item.read_target()
        void = truth[item.name] == 12
        # Ignored pixels are never learned from; all others are the truth.
        assert (target[void] == 0).all()
        assert (target[~void] == truth[item.name][~void]).all()


def test_only_what_a_person_set_teaches_where_nothing_was_accepted(project: Path) -> None:
    rect = Rect(10, 20, 30, 40)
    with Project.open(project) as opened:
        item = opened.items.by_name("0016E5_07959")
        guess = np.full(item.shape, 4, np.uint16)
        opened.adopt(item, opened.store_prediction(item, "m", "d" * 64, guess))
        paint(opened, item.name, 6, rect)
        assert item.state == "corrected"
        run = prepare_run(opened, NewRun(name="a"))
        target = next(iter(read_frozen(run).of("train"))).read_target()
        expected = np.zeros_like(target)
        expected[rect.slices] = 6
        assert (target == expected).all()
        # Once the item is accepted, what the model said is a person's word as well.
        opened.apply(item, SetState("accepted"))
        run = prepare_run(opened, NewRun(name="b"))
        accepted = next(iter(read_frozen(run).of("train"))).read_target()
        assert (accepted == np.where(expected > 0, 6, 4)).all()


def test_what_a_person_painted_counts_more_than_what_a_model_did(project: Path) -> None:
    rect = Rect(10, 20, 30, 40)
    with Project.open(project) as opened:
        training = [item for item in opened.items if item.split != "held_out"]
        painted, untouched, imported = training[:3]
        for item in (painted, untouched):
            guess = np.full(item.shape, 4, np.uint16)
            opened.adopt(item, opened.store_prediction(item, "m", "d" * 64, guess))
        paint(opened, painted.name, 6, rect)
        opened.import_layer(imported, "label", np.full(imported.shape, 5, np.uint16))
        for item in (painted, untouched, imported):
            opened.apply(item, SetState("accepted"))
        runs = {
            share: prepare_run(opened, NewRun({"model_weight": share}, name=f"w{share}"))
            for share in (0.0, 0.35, 1.0)
        }
        usual = prepare_run(opened, NewRun(name="usual"))
        earlier = earlier_items(opened.models_dir / "w0.35", opened.classes)
        mixed_in = {item.name: item for item in earlier}
    mine = np.zeros(painted.shape[1:], bool)
    mine[rect.slices] = True

    def frozen(run: Path) -> dict[str, FrozenItem]:
        return {item.name: item for item in read_frozen(run).of("train")}

    rows = frozen(runs[0.35])
    percent = rows[painted.name].read_percent()
    assert percent is not None
    assert (percent == np.where(mine, 100, 35)).all()
    assert rows[painted.name].weight == 1.0
    assert (rows[untouched.name].read_percent(), rows[untouched.name].weight) == (None, 0.35)
    assert (rows[imported.name].read_percent(), rows[imported.name].weight) == (None, 1.0)
    again = mixed_in[painted.name].percent
    assert again is not None
    assert (again == percent).all(), "what is mixed in later weighs what it weighed"
    assert mixed_in[untouched.name].weight == 0.35
    rows = frozen(runs[1.0])
    assert all(r.read_percent() is None and r.weight == 1.0 for r in rows.values())
    rows = frozen(runs[0.0])
    assert untouched.name not in rows
    assert ((rows[painted.name].read_target() > 0) == mine).all()
    percent = frozen(usual)[painted.name].read_percent()
    assert percent is not None
    assert percent[~mine].max() < percent[mine].min() == 100


def test_a_project_that_nobody_reviewed_has_nothing_to_teach(project: Path) -> None:
    with Project.open(project) as opened:
        item = opened.items[0]
        opened.adopt(
            item, opened.store_prediction(item, "m", "", np.full(item.shape, 4, np.uint16))
        )
        with pytest.raises(NothingToLearn):
            prepare_run(opened, NewRun(name="a"))


def test_rejected_items_are_in_no_training(project: Path) -> None:
    with Project.open(project) as opened:
        opened.apply(opened.items.by_name("0016E5_07959"), SetState("rejected"))
        opened.apply(opened.items.by_name("0006R0_f00930"), SetState("rejected"))
        run = prepare_run(opened, NewRun({"targets": "truth"}, name="a"))
    names = {item.name for item in read_frozen(run).items}
    assert names.isdisjoint({"0016E5_07959", "0006R0_f00930"})
    assert len(names) == 4


def test_a_correction_made_meanwhile_does_not_reach_the_run(project: Path) -> None:
    with Project.open(project) as opened:
        paint(opened, "0016E5_07959", 6, Rect(0, 0, 20, 20))
        run = prepare_run(opened, NewRun(name="a"))
        before = next(iter(read_frozen(run).of("train"))).read_target()
        paint(opened, "0016E5_07959", 3, Rect(0, 0, 96, 128))
        after = next(iter(read_frozen(run).of("train"))).read_target()
    assert (before == after).all()


def test_neighbours_of_a_held_out_stretch_are_not_trained_on(
    done: Command, small: Path, tmp_path: Path
) -> None:
    images = tmp_path / "sequence"
    images.mkdir()
    picture = next((small / "images").iterdir())
    for number in range(40):
        (images / f"f{number:03d}.png").write_bytes(picture.read_bytes())
    done("new", tmp_path / "s", "--images", images, "--group-by", "^f", "--classes", "binary")
    with Project.open(tmp_path / "s.maskwright", write=False) as opened:
        training, held, same = split_items(list(opened.items))
    assert same
    assert [item.name for item in held] == [f"f{n:03d}" for n in range(34, 40)]
    assert [item.name for item in training] == [f"f{n:03d}" for n in range(29)]


def test_training_further_mixes_in_what_was_learned_before(
    done: Command, small: Path, project: Path, tmp_path: Path
) -> None:
    with Project.open(project) as opened:
        prepare_run(opened, NewRun({"targets": "truth"}, items="0001TP_*", name="first"))
        base = untrained(opened.models_dir / "first", opened.classes)
    for part in ("images", "labels"):
        (tmp_path / "later" / part).mkdir(parents=True)
        for name in ("0016E5_07959.png", "0001TP_006720.png"):
            data = (small / part / name).read_bytes()
            (tmp_path / "later" / part / name).write_bytes(data)
    done(
        "new", tmp_path / "q", "--images", tmp_path / "later" / "images",
        "--labels", tmp_path / "later" / "labels", "--classes", "camvid",
        "--hold-out", "0001TP_006720",
    )  # fmt: skip
    with Project.open(tmp_path / "q.maskwright") as opened:
        run = prepare_run(opened, NewRun(start=str(base), name="second"))
        without = prepare_run(opened, NewRun({"replay": 0.0}, start=str(base), name="third"))
    data = read_frozen(run)
    assert {item.name for item in data.of("train")} == {"0016E5_07959"}
    # What is held out here does not come back as something learned before.
    assert {item.name for item in data.of("replay")} == {"0001TP_006690"}
    assert read_frozen(without).of("replay") == ()
    assert runs.read_run(run).base is not None


def test_a_model_is_trained_comes_home_predicts_and_is_scored(done: Command, project: Path) -> None:
    report = done(
        "train", project, "--targets", "truth", "--arch", "unet", "--steps", "2", "--batch", "1",
        "--seed", "3", "--name", "tiny", "--json",
    ).json  # fmt: skip
    assert Path(report["model"]) == project / "models" / "tiny"
    assert report["step"] == 2
    assert report["expected"] is None, "two steps are done sooner than they are measured"
    assert done("info", project, "--json").json["models"][0]["name"] == "tiny"
    told = done("predict", project, "--json").json
    assert told["model"] == "tiny"
    assert told["adopted"] == 6
    scores = done("evaluate", project, "--json").json
    assert scores["items"] == 6
    assert 0 < scores["pixel_accuracy"] <= 1
    # The same again changes nothing; --overwrite predicts anew.
    assert done("predict", project, "--states", "all", "--json").json["skipped"] == 6
    assert done("predict", project, "--overwrite", "--json").json["adopted"] == 6
    assert done("evaluate", project, "--json").json == scores
    assert done("check", project, "--json").json["ok"]


def test_a_sample_has_the_steps_of_the_whole_and_leaves_the_project_alone(
    project: Path, tmp_path: Path
) -> None:
    wanted = NewRun({"targets": "truth", "batch": 1, "epochs": 40.0}, name="a")
    before = sorted(project.rglob("*"))
    with Project.open(project, write=False) as opened:
        prepare_sample(opened, wanted, tmp_path / "sample")
    assert sorted(path for path in project.rglob("*") if path.suffix[:3] != ".db") == [
        path for path in before if path.suffix[:3] != ".db"
    ]
    with Project.open(project) as opened:
        whole = prepare_run(opened, wanted)
    sample = read_frozen(tmp_path / "sample")
    part, run = runs.read_run(tmp_path / "sample").recipe, runs.read_run(whole).recipe
    # Four steps of one picture see four of the five; the steps and the crop are of all of them.
    assert len(sample.of("train")) < len(read_frozen(whole).of("train")) == 5
    assert part.steps == run.total_steps(5) == 200
    sizes = [item.size for item in read_frozen(whole).of("train")]
    assert (part.crop_height, part.crop_width) == run.crop(sizes)
    assert sample.notes[SAMPLE_OF] == {"train": 5, "replay": 0, "held_out": 1}


def test_a_preview_shows_what_the_network_would_see_and_trains_nothing(
    done: Command, project: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "crops.png"
    said = done("train", project, "--targets", "truth", "--batch", "2", "--preview", sheet)
    assert "16 crops" in said.out
    drawn = np.asarray(Image.open(sheet))
    # Crops of 96 x 128, four in a row, 4 pixels apart.
    assert drawn.shape == (4 + 4 * 100, 4 + 4 * 132, 3)
    assert drawn.std() > 20
    assert not any((project / "runs").glob("*"))
    with Project.open(project) as opened:
        run = prepare_run(opened, NewRun({"targets": "truth", "batch": 2}))
    done("train", run, "--preview", tmp_path / "again.png")
    assert (np.asarray(Image.open(tmp_path / "again.png")).shape) == drawn.shape


def test_minutes_and_memory_are_said_before_the_start(
    done: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps are measured; the training itself is left out here, it would take a minute."""
    from segcore.projects import learning

    began = {"name": "long", "step": 0, "steps": 400, "minutes": 0.0, "device": "CPU", "loss": 0.0}
    ended = {"new": None, "old": None, "note": "", "model": "", "cancelled": False}
    monkeypatch.setattr(learning, "run_here", lambda *_: began | ended)
    options = ["--targets", "truth", "--steps", "400", "--batch", "1", "--json"]
    result = done("train", project, *options, "--name", "long")
    expected = result.json["expected"]
    assert expected["minutes"] == pytest.approx(400 * expected["seconds_per_step"] / 60, rel=0.5)
    assert 1e8 < expected["memory_bytes"] < expected["free_bytes"]
    assert "Takes " in result.err
    assert " of memory (" in result.err
    # A run that goes on is told what is left of it.
    with (project / "runs" / "long" / runs.EVENTS).open("a") as events:
        events.write('{"kind": "checkpoint", "step": 399}\n')
    assert done("train", project, "--resume", "long", "--json").json["expected"] is None


def test_overwrite_never_touches_a_persons_pixel(
    done: Command, project: Path, tmp_path: Path
) -> None:
    with Project.open(project) as opened:
        untrained(opened.models_dir / "m", opened.classes)
    done("predict", project)
    rect = Rect(5, 5, 20, 20)
    with Project.open(project) as opened:
        paint(opened, "0016E5_07959", 10, rect)
        before = opened.items.by_name("0016E5_07959").labels.read()
    told = done("predict", project, "--overwrite", "--json").json
    assert told["proposed"] == 1
    assert told["adopted"] == 5
    with Project.open(project, write=False) as opened:
        after = opened.items.by_name("0016E5_07959").labels.read()
        assert (after == before).all()
        assert (after[rect.slices] == 10).all()


@pytest.mark.slow(reason="trains in a process of its own until a checkpoint, then kills it")
def test_a_killed_run_goes_on_where_its_checkpoint_was(done: Command, project: Path) -> None:
    with Project.open(project) as opened:
        settings = {
            "targets": "truth", "steps": 400, "batch": 1, "checkpoint_seconds": 0.5,
        }  # fmt: skip
        run = prepare_run(opened, NewRun(settings, name="long"))
    trainer = subprocess.Popen([sys.executable, "-m", "segcore.train", str(run)], cwd=ROOT)
    try:
        while not any(e["kind"] == "checkpoint" for e in runs.read_events(run)[0]):
            assert trainer.poll() is None
    finally:
        trainer.kill()
        trainer.wait()
    assert runs.state(run) == "lost"
    reached = [e["step"] for e in runs.read_events(run)[0] if e["kind"] == "checkpoint"][-1]
    assert 0 < reached < 400
    # A shorter way to the end than 400 steps: the recipe is what run.json says.
    row = json.loads((run / "run.json").read_text(encoding="utf-8"))
    row["recipe"]["steps"] = reached + 1
    (run / "run.json").write_text(json.dumps(row), encoding="utf-8")
    report = done("train", project, "--resume", "long", "--json").json
    assert report["step"] == reached + 1
    started = [e for e in runs.read_events(run)[0] if e["kind"] == "started"][-1]
    assert started["resumed"]
    assert started["step"] == reached
    assert (project / "models" / "long" / "model.safetensors").is_file()


def test_a_person_promotes_and_can_go_back(done: Command, project: Path) -> None:
    with Project.open(project) as opened:
        for name in ("one", "two"):
            run = prepare_run(opened, NewRun({"targets": "truth"}, name=name))
            untrained(run / "result", opened.classes)
        assert promoted(opened) is None
        assert promote(opened, opened.runs_dir / "one") == "one"
        assert promoted(opened) == "one"
    assert done("predict", project, "--json").json["model"] == "one"
    with Project.open(project) as opened:
        promote(opened, opened.runs_dir / "two")
        assert promoted(opened) == "two"
        assert demote(opened) == "one"
        assert promoted(opened) == "one"


def test_a_model_without_a_common_class_is_refused(
    done: Command, maskwright: Command, project: Path, small: Path, tmp_path: Path
) -> None:
    untrained(project / "models" / "m", CLASS_PRESETS["camvid"])
    done("new", tmp_path / "b", "--images", small / "images", "--classes", "binary")
    result = maskwright("predict", tmp_path / "b.maskwright", "--model", project / "models" / "m")
    assert result.code == 1
    assert "none of the classes" in result.err
    assert len(result.err.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--steps", "0"], "steps"),
        (["--loss", "hinge"], "hinge"),
        (["--targets", "most"], "most"),
        (["--name", "../up"], "../up"),
        (["--from", "nobody"], "nobody"),
        (["--resume", "nothing"], "nothing"),
    ],
)
def test_settings_that_make_no_sense_are_refused_before_anything_is_made(
    maskwright: Command, project: Path, arguments: list[str], word: str
) -> None:
    targets = [] if "--targets" in arguments or "--resume" in arguments else ["--targets", "truth"]
    result = maskwright("train", project, *targets, *arguments)
    assert result.code == 1
    assert word in result.err
    assert list((project / "runs").iterdir()) == []


def test_every_setting_of_the_recipe_is_an_option(maskwright: Command) -> None:
    shown = maskwright("train", "--help").out
    for row in describe():
        assert f"--{row.name.replace('_', '-')}" in shown, row.name


def test_settings_of_the_command_line_reach_the_run(
    done: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segcore.projects.learning.run_here", lambda *_: {"cancelled": False})
    monkeypatch.setattr("segcore.projects.learning.sentences", lambda _: [])
    done(
        "train", project, "--targets", "truth", "--name", "set", "--steps", 3, "--weights", "none",
        "--optimiser", "sgd", "--schedule", "cosine", "--flip-vertical", 0.5, "--no-half",
        "--loss", "lovasz+0.5*focal", "--crop-height", 64,
    )  # fmt: skip
    recipe = runs.read_run(project / "runs" / "set").recipe
    assert recipe == Recipe(
        targets="truth", steps=3, weights=None, optimiser="sgd", schedule="cosine",
        flip_vertical=0.5, half=False, loss="lovasz+0.5*focal", crop_height=64,
    )  # fmt: skip


def test_a_setting_that_is_not_in_the_table_is_named(maskwright: Command, project: Path) -> None:
    result = maskwright("train", project, "--targets", "truth", "--optimiser", "adagrad")
    assert result.code == 1
    assert 'optimiser is "adagrad"' in result.err
    assert "adamw, sgd, ranger" in result.err
    assert list((project / "runs").iterdir()) == []
