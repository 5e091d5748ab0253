"""``maskwright evaluate`` where there are objects: against pycocotools, hotcoco and plain numpy."""

from __future__ import annotations

import contextlib
import csv
import json
from pathlib import Path
from typing import Any

import hotcoco
import numpy as np
import pytest
from calling import Command
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from segcore.base import ClassId, ClassSet, SegClass, Shape
from segcore.projects import scoring
from segcore.store import NewItem, ObjectFacts, Project

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def nuclei(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders truth and predicted: nuclei, and the same with some shifted, missing and merged."""
    folder = tmp_path_factory.mktemp("nuclei")
    for name in ("truth", "predicted", "images"):
        (folder / name).mkdir()
    with (shared_data / "nuclei/index.csv").open() as file:
        small = [r["file"] for r in csv.DictReader(file) if r["width"] == "256"][:4]
    rng = np.random.default_rng(1)
    for stem in small:
        numbers = np.asarray(Image.open(shared_data / f"nuclei/labels/{stem}.png")).astype(int)
        Image.fromarray(numbers.astype(np.uint16)).save(folder / "truth" / f"{stem}.png")
        guess = np.roll(numbers, (1, 1), (0, 1))
        for number in np.unique(guess)[1:]:
            fate = rng.random()
            if fate < 0.15:
                guess[guess == number] = 0
            elif fate < 0.3:
                guess[guess == number] = number + 1
        Image.fromarray(guess.astype(np.uint16)).save(folder / "predicted" / f"{stem}.png")
        (folder / "images" / f"{stem}.png").write_bytes(
            (shared_data / f"nuclei/images/{stem}.png").read_bytes()
        )
    return folder


def coco_of(folder: Path, *, score: bool, ground: bool = False) -> list[dict[str, object]]:
    """The objects of a folder's masks as annotations of category 1, their ground as 2."""
    made: list[dict[str, object]] = []
    for image, path in enumerate(sorted(folder.iterdir()), 1):
        numbers = np.asarray(Image.open(path)).astype(int)
        for number in np.unique(numbers).tolist():
            if not number and not ground:
                continue
            mask = numbers == number
            rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
            made.append(
                {
                    "id": len(made) + 1,
                    "image_id": image,
                    "category_id": 1 if number else 2,
                    "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
                    "area": int(mask.sum()),
                    "bbox": [0, 0, 1, 1],
                    "iscrowd": 0,
                }
                | ({"score": 1.0} if score else {})
            )
    return made


def data_set(folder: Path, annotations: list[dict[str, object]]) -> dict[str, object]:
    sizes = [Image.open(path).size for path in sorted(folder.iterdir())]
    return {
        "images": [{"id": n, "width": w, "height": h} for n, (w, h) in enumerate(sizes, 1)],
        "annotations": annotations,
        "categories": [
            {"id": 1, "name": "nucleus", "isthing": 1},
            {"id": 2, "name": "ground", "isthing": 0},
        ],
    }


def precision_of_the_peer(folder: Path, max_detections: int) -> list[float]:
    """AP, AP50, AP75, small, medium, large."""
    with contextlib.redirect_stdout(None):
        truth = COCO()
        truth.dataset = data_set(folder / "truth", coco_of(folder / "truth", score=False))
        truth.createIndex()
        evaluation = COCOeval(
            truth, truth.loadRes(coco_of(folder / "predicted", score=True)), "segm"
        )
        evaluation.params.catIds = [1]
        evaluation.params.maxDets = [1, 10, max_detections]
        evaluation.evaluate()
        evaluation.accumulate()
    table = evaluation.eval["precision"][..., 0, :, -1]
    table = np.where(table < 0, np.nan, table).mean(axis=1)
    return [table[:, 0].mean(), table[0, 0], table[5, 0], *table[:, 1:].mean(axis=0)]


def check(scores: dict, folder: Path, max_detections: int = 1000) -> None:
    (row,) = scores["instances"]["classes"]
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    expected = precision_of_the_peer(folder, max_detections)
    for name, value in zip(names, expected, strict=True):
        if np.isnan(value):
            assert row[name] is None
        else:
            assert row[name] == pytest.approx(value, abs=1e-6)
            assert scores["instances"][name] == pytest.approx(value, abs=1e-6)
    assert 0.2 < row["ap50"] < 1


def test_two_folders_of_object_masks_score_as_the_peers_say(
    done: Command, nuclei: Path, tmp_path: Path
) -> None:
    call = (
        "evaluate", "--prediction", nuclei / "predicted", "--truth", nuclei / "truth",
        "--instances", "nucleus", "--json",
    )  # fmt: skip
    scores = done(*call).json
    assert {"classes", "mean_iou", "mean_dice", "pixel_accuracy", "items"} < set(scores)
    check(scores, nuclei)
    check(done(*call, "--max-detections", 20).json, nuclei, 20)

    with contextlib.redirect_stdout(None):
        content = data_set(nuclei / "truth", coco_of(nuclei / "truth", score=False, ground=True))
        truth, guess = (
            peers_data(content, tmp_path / "t.json"),
            coco_of(nuclei / "predicted", score=True, ground=True),
        )
        peer = hotcoco.panoptic.PanopticEval(truth, truth.load_res(guess))
        peer.run()
        theirs = peer.results()
    rows = {row["name"]: row for row in scores["panoptic"]["classes"]}
    for name, category in (("nucleus", 1), ("background", 2)):
        for key in ("pq", "sq", "rq"):
            assert rows[name][key] == pytest.approx(theirs["per_class"][category][key], abs=1e-9)
    for ours, group in (("all", "All"), ("things", "Things"), ("stuff", "Stuff")):
        assert scores["panoptic"][ours]["pq"] == pytest.approx(theirs[group]["pq"], abs=1e-9)


def peers_data(content: dict[str, object], path: Path) -> Any:
    """The peer's own data set out of a dictionary."""
    path.write_text(json.dumps(content))
    return hotcoco.COCO(str(path))


def test_a_project_scores_as_its_two_folders_do(
    done: Command, nuclei: Path, tmp_path: Path
) -> None:
    project = tmp_path / "p.maskwright"
    done(
        "new", project, "--images", nuclei / "images", "--truth", nuclei / "truth",
        "--labels", nuclei / "predicted", "--instances", "nucleus",
    )  # fmt: skip
    folders = done(
        "evaluate", "--prediction", nuclei / "predicted", "--truth", nuclei / "truth",
        "--instances", "nucleus", "--json",
    ).json  # fmt: skip
    assert done("evaluate", project, "--json").json == folders


def test_the_table_shows_what_was_asked_for(done: Command, nuclei: Path) -> None:
    call = (
        "evaluate", "--prediction", nuclei / "predicted", "--truth", nuclei / "truth",
        "--instances", "nucleus",
    )  # fmt: skip
    scores = done(*call, "--json").json
    shown = done(*call).out
    for text in ("mean IoU", "AP50", "AJI", f"PQ {scores['panoptic']['things']['pq']:.3f}"):
        assert text in shown
    only = done(*call, "--tasks", "boundary,instances").out
    assert "PQ" not in only
    assert "mean IoU" not in only
    assert "mean boundary IoU 0." in only
    keys = set(done(*call, "--tasks", "panoptic", "--json").json)
    assert keys == {"items", "items_without_labels", "panoptic"}


def test_masks_of_our_own_exports_bring_their_objects(
    done: Command, nuclei: Path, tmp_path: Path
) -> None:
    for part in ("truth", "predicted"):
        done(
            "new", tmp_path / part, "--images", nuclei / "images", "--labels", nuclei / part,
            "--instances", "nucleus",
        )  # fmt: skip
        done("export", f"{tmp_path / part}.maskwright", tmp_path / f"{part} png", "--format", "png")
    scores = done(
        "evaluate", "--prediction", tmp_path / "predicted png/masks",
        "--truth", tmp_path / "truth png/masks", "--json",
    ).json  # fmt: skip
    check({"instances": scores["instances"]}, nuclei)


def test_a_task_that_does_not_exist_is_named(maskwright: Command, nuclei: Path) -> None:
    result = maskwright(
        "evaluate", "--prediction", nuclei / "truth", "--truth", nuclei / "truth",
        "--instances", "nucleus", "--tasks", "instances,depth",
    )  # fmt: skip
    assert result.code == 1
    assert '"depth"' in result.err
    assert "panoptic" in result.err


CLASSES = ClassSet(
    (
        SegClass(ClassId(1), "ground", 0, None),
        SegClass(ClassId(2), "person", 1, "#E69F00", thing=True),
    )
)


def block(rows: slice, columns: slice, number: int) -> tuple[np.ndarray, np.ndarray]:
    ids, numbers = np.ones((40, 60), np.uint16), np.zeros((40, 60), np.uint32)
    ids[rows, columns], numbers[rows, columns] = 2, number
    return ids, numbers


def test_scores_crowds_void_and_objects_of_further_layers_count(
    done: Command, tmp_path: Path
) -> None:
    """One object found with a high score, one in a further layer found too, one invented with a
    low score, one in a crowd and one in void, which say nothing."""
    path = tmp_path / "p.maskwright"
    with Project.create(path, CLASSES) as project:
        (item,) = project.add_items([NewItem("a", [], Shape(1, 40, 60))])
        ids, numbers = block(slice(0, 10), slice(0, 10), 1)
        ids[20:30, 40:50] = 2  # a thing of which nobody said how many it is
        ids[20:30, :10] = 0  # nobody looked here
        covering = block(slice(5, 15), slice(0, 10), 2)
        above = (np.where(covering[1] > 0, covering[0], 0), covering[1])
        project.import_layer(item, "truth", ids, numbers, further=[above])
        found, guess = block(slice(0, 10), slice(0, 10), 1)
        for number, (rows, columns) in enumerate(
            [(slice(30, 40), slice(20, 30)), (slice(20, 30), slice(40, 45)),
             (slice(20, 30), slice(0, 10))], 3,
        ):  # fmt: skip
            found[rows, columns], guess[rows, columns] = 2, number
        project.import_layer(
            item, "label", found, guess, further=[above],
            facts={1: ObjectFacts(0.9), 2: ObjectFacts(0.8), 3: ObjectFacts(0.1),
                   4: ObjectFacts(1.0), 5: ObjectFacts(1.0)},
        )  # fmt: skip
    (row,) = done("evaluate", path, "--json").json["instances"]["classes"]
    # The invented one comes after all that are right, so it costs nothing; and both are found.
    assert row["objects"] == 2
    assert row["ap"] == pytest.approx(1)
    panoptic_row = done("evaluate", path, "--json").json["panoptic"]["classes"][1]
    # Of the first layer only: one found, one invented; crowd and void excuse the other two.
    assert (panoptic_row["matched"], panoptic_row["missed"], panoptic_row["invented"]) == (1, 0, 1)


def test_an_item_is_compared_band_by_band_and_the_figures_are_those_of_the_whole(
    nuclei: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = [
        np.asarray(Image.open(sorted((nuclei / n).iterdir())[0])) for n in ("truth", "predicted")
    ]
    asked: list[int] = []

    def side(numbers: np.ndarray) -> scoring.Side:
        ids = np.where(numbers > 0, 2, 1).astype(np.uint16)

        def rows(z: int, top: int, bottom: int) -> list[scoring.Layer]:
            asked.append((bottom - top) * numbers.shape[1])
            return [(ids[top:bottom], numbers[top:bottom].astype(np.uint32))]

        return scoring.Side(rows)

    def scores() -> tuple[object, ...]:
        total = scoring.Scoring(CLASSES, scoring.OBJECT_TASKS)
        total.add(Shape(1, *read[0].shape), side(read[0]), side(read[1]))
        found = total.objects()
        return (
            total.confusion.matrix.tolist(),
            found.panoptic_json(total.classes),
            found.instances_json(total.classes),
        )

    whole = scores()
    assert max(asked) == read[0].size
    asked.clear()
    monkeypatch.setattr(scoring, "_BAND", 1000)
    np.testing.assert_equal(scores(), whole)
    assert max(asked) <= 1000
    assert sum(asked) == 2 * read[0].size
