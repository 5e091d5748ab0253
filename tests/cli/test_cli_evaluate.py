"""``maskwright evaluate`` against a plain numpy computation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from calling import Command
from PIL import Image

RNG = np.random.default_rng(7)


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


@pytest.fixture
def worse(street: Path) -> Path:
    """Predictions: the truth shifted by a few pixels, with some pixels of another class."""
    folder = street / "predicted"
    folder.mkdir()
    for file in sorted((street / "labels").iterdir()):
        values = np.roll(read(file), (3, 5), (0, 1))
        noise = RNG.random(values.shape) < 0.05
        values[noise] = RNG.integers(0, 11, int(noise.sum()))
        Image.fromarray(values.astype(np.uint8)).save(folder / file.name)
    return folder


def oracle(truth: Path, predicted: Path) -> dict[str, object]:
    """Scores the slow and obvious way: boolean masks, one class at a time, void left out."""
    pairs = [(read(f), read(predicted / f.name)) for f in sorted(truth.iterdir())]
    true = np.concatenate([t.ravel() for t, _ in pairs])
    made = np.concatenate([p.ravel() for _, p in pairs])
    made, true = made[true != 11], true[true != 11]
    rows = []
    for value in range(11):
        both = int(((true == value) & (made == value)).sum())
        either = int(((true == value) | (made == value)).sum())
        total = int((true == value).sum() + (made == value).sum())
        rows.append((both / either if either else None, 2 * both / total if total else None))
    ious = [iou for iou, _ in rows if iou is not None]
    return {"rows": rows, "mean": sum(ious) / len(ious), "accuracy": float((true == made).mean())}


def check(scores: dict[str, object], expected: dict[str, object]) -> None:
    for row, (iou, dice) in zip(scores["classes"], expected["rows"], strict=True):
        assert row["iou"] == pytest.approx(iou, abs=1e-12)
        assert row["dice"] == pytest.approx(dice, abs=1e-12)
    assert scores["mean_iou"] == pytest.approx(expected["mean"], abs=1e-12)
    assert scores["pixel_accuracy"] == pytest.approx(expected["accuracy"], abs=1e-12)


def test_two_folders_score_as_plain_numpy_says(done: Command, street: Path, worse: Path) -> None:
    scores = done(
        "evaluate", "--prediction", worse, "--truth", street / "labels", "--classes", "camvid",
        "--json",
    ).json  # fmt: skip
    assert set(scores) == {
        "classes",
        "mean_iou",
        "mean_dice",
        "pixel_accuracy",
        "items",
        "items_without_labels",
    }
    assert set(scores["classes"][0]) == {
        "id", "name", "iou", "dice", "truth_pixels", "predicted_pixels",
    }  # fmt: skip
    assert scores["items"] == 6
    check(scores, oracle(street / "labels", worse))


def test_a_project_scores_as_its_two_folders_do(
    done: Command, street: Path, worse: Path, tmp_path: Path
) -> None:
    project = tmp_path / "p.maskwright"
    done(
        "new", project, "--images", street / "images", "--truth", street / "labels",
        "--predictions", worse, "--classes", "camvid",
    )  # fmt: skip
    scores = done("evaluate", project, "--json").json
    folders = done(
        "evaluate", "--prediction", worse, "--truth", street / "labels", "--classes", "camvid",
        "--json",
    ).json  # fmt: skip
    assert scores == folders


def test_what_nobody_labelled_is_a_miss(done: Command, street: Path, tmp_path: Path) -> None:
    project = tmp_path / "p.maskwright"
    done(
        "new", project, "--images", street / "images", "--truth", street / "labels",
        "--classes", "camvid",
    )  # fmt: skip
    scores = done("evaluate", project, "--json").json
    assert scores["pixel_accuracy"] == 0
    assert all(row["iou"] in (0, None) for row in scores["classes"])


def test_items_without_labels_count_and_are_said_and_can_be_left_out(
    maskwright: Command, done: Command, street: Path, worse: Path, tmp_path: Path
) -> None:
    first, *others = sorted(worse.iterdir())
    for file in others:
        file.unlink()
    project = tmp_path / "p.maskwright"
    done(
        "new", project, "--images", street / "images", "--truth", street / "labels",
        "--predictions", worse, "--classes", "camvid",
    )  # fmt: skip
    result = done("evaluate", project, "--json")
    total = len(others) + 1
    assert result.json["items"] == total
    assert result.json["items_without_labels"] == len(others)
    assert f"{len(others)} of {total} items have no labels" in result.err
    truth = street / "labels" / first.name
    for options in (["--states", "predicted"], ["--items", first.stem]):
        alone = done("evaluate", project, *options, "--json")
        assert (alone.json["items"], alone.json["items_without_labels"]) == (1, 0)
        assert alone.json["mean_iou"] > result.json["mean_iou"]
        assert "no labels" not in alone.err
    assert alone.json["classes"][0]["truth_pixels"] == int((read(truth) == 0).sum())
    none = maskwright("evaluate", project, "--states", "rejected")
    assert none.code == 1
    assert "No item is rejected" in none.err


def test_a_class_in_neither_is_null_and_out_of_the_mean(done: Command, tmp_path: Path) -> None:
    for folder in ("t", "p"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.full((4, 4), 3, np.uint8)).save(tmp_path / folder / "a.png")
    scores = done(
        "evaluate", "--prediction", tmp_path / "p", "--truth", tmp_path / "t",
        "--classes", "camvid", "--json",
    ).json  # fmt: skip
    assert [row["iou"] for row in scores["classes"]] == [None] * 3 + [1.0] + [None] * 7
    assert scores["mean_iou"] == 1.0


def test_nothing_to_compare_has_no_scores_and_says_na(done: Command, tmp_path: Path) -> None:
    for folder in ("t", "p"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.full((4, 4), 11, np.uint8)).save(tmp_path / folder / "a.png")
    shown = done(
        "evaluate", "--prediction", tmp_path / "p", "--truth", tmp_path / "t",
        "--classes", "camvid",
    )  # fmt: skip
    assert "mean IoU n/a" in shown.out


def test_the_table_shows_the_same_figures(done: Command, street: Path, worse: Path) -> None:
    expected = oracle(street / "labels", worse)
    shown = done(
        "evaluate", "--prediction", worse, "--truth", street / "labels", "--classes", "camvid"
    ).out
    assert f"mean IoU {expected['mean']:.3f}" in shown
    assert f"pixel accuracy {expected['accuracy']:.3f}" in shown


def test_masks_of_other_sizes_are_refused(
    maskwright: Command, shared_data: Path, tmp_path: Path
) -> None:
    odd = shared_data / "odd"
    for folder, file in (("t", "plain_mask.png"), ("p", "mask_other_size.png")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes((odd / file).read_bytes())
    result = maskwright("evaluate", "--prediction", tmp_path / "p", "--truth", tmp_path / "t")
    assert result.code == 1
    assert "120 x 90" in result.err
    assert result.out == ""


def test_a_mask_without_partner_is_named(done: Command, street: Path, worse: Path) -> None:
    (worse / "0016E5_07959.png").unlink()
    result = done(
        "evaluate", "--prediction", worse, "--truth", street / "labels", "--classes", "camvid",
        "--json",
    )  # fmt: skip
    assert "left out: 0016E5_07959" in result.err
    assert result.json["items"] == 5


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate"],
        ["evaluate", "--prediction", "x"],
        ["evaluate", "p.maskwright", "--prediction", "x", "--truth", "y"],
        ["evaluate", "p.maskwright", "--classes", "camvid"],
        ["evaluate", "--prediction", "x", "--truth", "y", "--items", "a*"],
    ],
)
def test_wrong_use_ends_with_2(maskwright: Command, arguments: list[str]) -> None:
    result = maskwright(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert result.err


def test_a_project_without_truth_says_how_to_get_some(
    maskwright: Command, done: Command, street: Path, tmp_path: Path
) -> None:
    done("new", tmp_path / "p", "--images", street / "images")
    result = maskwright("evaluate", tmp_path / "p.maskwright")
    assert result.code == 1
    assert "--truth" in result.err
