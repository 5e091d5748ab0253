"""``maskwright new --coco`` on real files, and back with ``export``."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import hotcoco
import numpy as np
import pytest
from calling import Command
from pycocotools.coco import COCO

from segcore.projects.earlier import earlier_items
from segcore.projects.training import NewRun, prepare_run
from segcore.store import Project, check
from segcore.train import read_frozen

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def coco(shared_data: Path) -> Path:
    return shared_data / "coco_panoptic"


@pytest.fixture
def persons(done: Command, coco: Path, tmp_path: Path) -> Path:
    """A project of the four pictures with fourteen persons."""
    path = tmp_path / "persons.maskwright"
    file = coco / "instances/instances_4img.json"
    result = done("new", path, "--images", coco / "instances/images", "--coco", file)
    assert "4 items" in result.out
    assert "keypoints are left out" in result.err
    assert "overlap: those that cover others are in further layers" in result.err
    return path


def layers_of(item) -> list[np.ndarray]:
    labels = (item.labels, *item.further_labels)
    return [plane for x in labels for plane in (x.read_volume(), x.read_volume("instance"))]


def test_persons_of_coco_become_labels_with_their_overlaps_in_further_layers(
    persons: Path, coco: Path
) -> None:
    with contextlib.redirect_stdout(None):
        api = COCO(str(coco / "instances/instances_4img.json"))
    with Project.open(persons, write=False) as project:
        person = project.classes.by_value(1)
        assert (person.name, person.thing, person.code) == ("person", True, "COCO:person/person")
        assert {item.state for item in project.items} == {"corrected"}
        assert any(item.further_labels for item in project.items)
        for image in api.imgs.values():
            item = project.items.by_name(Path(image["file_name"]).stem)
            planes = layers_of(item)
            masks = [(planes[k + 1][0] == n) & (planes[k][0] == person.id)
                     for n in sorted(item.instances) for k in range(0, len(planes), 2)
                     if (planes[k + 1] == n).any()]  # fmt: skip
            annotations = api.loadAnns(api.getAnnIds(imgIds=[image["id"]]))
            for mask, annotation in zip(masks, annotations, strict=True):
                np.testing.assert_array_equal(mask, api.annToMask(annotation).astype(bool))
    assert check(persons).ok


def test_a_model_that_finds_objects_learns_every_person_whole(persons: Path, coco: Path) -> None:
    with contextlib.redirect_stdout(None):
        api = COCO(str(coco / "instances/instances_4img.json"))
    with Project.open(persons) as project:
        person = int(project.classes.by_value(1).id)
        for item in project.items:
            project.set_field(item, "split", "train")
        finding = prepare_run(project, NewRun({"arch": "mask_rcnn"}, name="a"))
        naming = prepare_run(project, NewRun({"arch": "fpn"}, name="b"))
        earlier = list(earlier_items(project.models_dir / "a", project.classes))
    rows = read_frozen(finding).items
    assert any(row.further for row in rows)
    assert all(not row.further for row in read_frozen(naming).items)
    mixed_in = {item.name: len(item.further) for item in earlier}
    assert mixed_in == {row.name: len(row.further) for row in rows}
    images = {Path(image["file_name"]).stem: image for image in api.imgs.values()}
    for row in rows:
        first = row.read_instances()
        assert first is not None
        planes = [(row.read_target(), first), *row.read_further()]
        masks = {
            number: (numbers == number) & (ids == person)
            for ids, numbers in planes
            for number in np.unique(numbers[numbers > 0]).tolist()
        }
        annotations = api.loadAnns(api.getAnnIds(imgIds=[images[row.name]["id"]]))
        wanted = sorted(api.annToMask(one).astype(bool).tobytes() for one in annotations)
        assert sorted(mask.tobytes() for mask in masks.values()) == wanted


@pytest.mark.parametrize("copied", [[], ["--copy-images"]])
def test_what_is_exported_comes_back_pixel_for_pixel(
    done: Command, persons: Path, coco: Path, tmp_path: Path, copied: list[str]
) -> None:
    done("export", persons, tmp_path / "out", "--format", "coco", *copied)
    again = tmp_path / "again.maskwright"
    images = tmp_path / "out/images" if copied else coco / "instances/images"
    done("new", again, "--images", images, "--coco", tmp_path / "out/annotations.json")
    with Project.open(persons, write=False) as a, Project.open(again, write=False) as b:
        assert a.classes == b.classes
        for item in a.items:
            other = b.items.by_name(item.name)
            for one, two in zip(layers_of(item), layers_of(other), strict=True):
                np.testing.assert_array_equal(one, two)
            assert {n: (r.class_id, r.attributes, r.bounds) for n, r in item.instances.items()} == {
                n: (r.class_id, r.attributes, r.bounds) for n, r in other.instances.items()
            }


def test_a_panoptic_file_becomes_truth_and_its_export_is_perfect_to_the_peer(
    done: Command, coco: Path, tmp_path: Path
) -> None:
    file = coco / "panoptic_examples.json"
    for role, name in (("truth", "t"), ("labels", "l")):
        path = tmp_path / f"{name}.maskwright"
        done("new", path, "--images", coco / "input_images", "--coco", file, "--coco-as", role)
    with Project.open(tmp_path / "t.maskwright", write=False) as project:
        crowds = [
            r for item in project.items for r in item.truth_instances.values()
            if r.attributes.get("iscrowd")
        ]  # fmt: skip
        assert len(crowds) == 3
        assert {item.state for item in project.items} == {"new"}
    done("export", tmp_path / "l.maskwright", tmp_path / "out", "--format", "coco_panoptic")
    made = json.loads((tmp_path / "out/panoptic.json").read_text())
    given = json.loads(file.read_text())
    # Our picture numbers are our own: give the peer the ones that it knows.
    number = {Path(i["file_name"]).stem: i["id"] for i in given["images"]}
    for entry, annotation in zip(made["images"], made["annotations"], strict=True):
        entry["id"] = annotation["image_id"] = number[Path(entry["file_name"]).stem]
    (tmp_path / "out/panoptic.json").write_text(json.dumps(made))
    with contextlib.redirect_stdout(None):
        peer = hotcoco.panoptic.pq_compute(str(file), str(tmp_path / "out/panoptic.json"))
    assert {k: v["pq"] for k, v in peer.items() if k in ("All", "Things", "Stuff")} == {
        "All": 1.0, "Things": 1.0, "Stuff": 1.0,
    }  # fmt: skip


def test_truth_and_labels_of_one_file_score_one(done: Command, coco: Path, tmp_path: Path) -> None:
    """Truth from COCO; the label is its export as PNG, read again: crowds and void count right."""
    file = coco / "panoptic_coco_detection_format.json"
    path = tmp_path / "p.maskwright"
    done("new", path, "--images", coco / "input_images", "--coco", file, "--coco-as", "truth")
    with Project.open(path) as project:
        for item in project.items:
            project.import_layer(
                item, "label", item.truth.read_volume(), item.truth.read_volume("instance")
            )
    scores = done("evaluate", path, "--json").json
    assert scores["panoptic"]["all"]["pq"] == pytest.approx(1)
    assert scores["instances"]["ap"] == pytest.approx(1)
    crowded = next(r for r in scores["instances"]["classes"] if r["name"] == "person")
    assert crowded["objects"] == 26


def test_pictures_and_annotations_without_partner_are_named(
    done: Command, coco: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    shutil.copytree(coco / "instances/images", images)
    (images / "000000000785.jpg").unlink()
    shutil.copy(coco / "input_images/000000142238.jpg", images / "zebra.jpg")
    content = json.loads((coco / "instances/instances_4img.json").read_text())
    content["annotations"].append({**content["annotations"][0], "id": 1, "image_id": 77})
    (tmp_path / "a.json").write_text(json.dumps(content))
    result = done("new", tmp_path / "p", "--images", images, "--coco", tmp_path / "a.json")
    assert "1 file without annotations: zebra" in result.err
    assert "1 file in annotations without an image: 000000000785.jpg" in result.err
    assert "000000000785.jpg (1)" in result.err
    assert "1 annotation of images that a.json does not list: id 77 (1)." in result.err
    with Project.open(tmp_path / "p.maskwright", write=False) as project:
        assert len(project.items) == 4
        assert project.items.by_name("zebra").state == "new"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--classes", "camvid"], "has its own classes"),
        (["--labels", "instances/images"], "given twice"),
        (["--coco-as", "predictions"], "labels or truth"),
    ],
)
def test_what_contradicts_itself_is_refused(
    maskwright: Command, coco: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    options = [str(coco / o) if o.startswith("instances/") else o for o in options]
    result = maskwright(
        "new", tmp_path / "p", "--images", coco / "instances/images",
        "--coco", coco / "instances/instances_4img.json", *options,
    )  # fmt: skip
    assert result.code in (1, 2)
    assert said in result.err
    assert not (tmp_path / "p.maskwright").exists()


def test_a_file_of_other_images_is_refused(maskwright: Command, coco: Path, tmp_path: Path) -> None:
    result = maskwright(
        "new", tmp_path / "p", "--images", coco / "input_images",
        "--coco", coco / "instances/instances_4img.json",
    )  # fmt: skip
    assert result.code == 1
    assert "names no image of" in result.err


def test_images_of_another_size_are_refused_and_nothing_is_left_behind(
    maskwright: Command, coco: Path, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    shutil.copy(coco / "input_images/000000439180.jpg", images / "000000142238.jpg")
    result = maskwright(
        "new", tmp_path / "p", "--images", images, "--coco", coco / "panoptic_examples.json"
    )
    assert result.code == 1
    assert "640 x 360" in result.err
    assert "640 x 427" in result.err
    assert not (tmp_path / "p.maskwright").exists()


def test_a_volume_comes_back_slice_by_slice(
    done: Command, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "hippocampus"
    images, labels = tmp_path / "images", tmp_path / "labels"
    for made, name in ((images, "images"), (labels, "labels")):
        made.mkdir()
        shutil.copy(folder / name / "hippocampus_001.nii.gz", made)
    first, again = tmp_path / "a.maskwright", tmp_path / "b.maskwright"
    done("new", first, "--images", images, "--labels", labels)
    done("export", first, tmp_path / "out", "--format", "coco")
    done("new", again, "--images", images, "--coco", tmp_path / "out/annotations.json")
    with Project.open(first, write=False) as a, Project.open(again, write=False) as b:
        volume = a.items[0].labels.read_volume()
        assert len(np.unique(volume)) == 3
        np.testing.assert_array_equal(volume, b.items[0].labels.read_volume())


def test_overlapping_persons_score_one_against_themselves(
    done: Command, coco: Path, tmp_path: Path
) -> None:
    path = tmp_path / "p.maskwright"
    done(
        "new", path, "--images", coco / "instances/images",
        "--coco", coco / "instances/instances_4img.json", "--coco-as", "truth",
    )  # fmt: skip
    with Project.open(path) as project:
        for item in project.items:
            further = [(x.read_volume(), x.read_volume("instance")) for x in item.further_truth]
            first = item.truth.read_volume(), item.truth.read_volume("instance")
            project.import_layer(item, "label", *first, further=further)
    scores = done("evaluate", path, "--json").json
    assert scores["mean_iou"] == 1
    (row,) = scores["instances"]["classes"]
    assert (row["objects"], row["ap"], row["aji"]) == (14, pytest.approx(1), 1)
    assert scores["panoptic"]["things"]["pq"] == 1
    # Without its further layer, a picture misses the two persons that cover others.
    with Project.open(path) as project:
        for item in project.items:
            first = item.truth.read_volume(), item.truth.read_volume("instance")
            project.import_layer(item, "label", *first)
    scores = done("evaluate", path, "--json").json
    assert scores["instances"]["ap"] < 0.9
    assert scores["mean_iou"] == 1
