"""``maskwright new`` on real data: what it makes, what it lists, what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
from calling import Command, take
from PIL import Image

from segcore.store import Project


def read_png(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_street_scenes_become_a_project_with_their_truth_pixel_by_pixel(
    done: Command, street: Path, tmp_path: Path
) -> None:
    project = tmp_path / "street.maskwright"
    done(
        "new", project, "--images", street / "images", "--truth", street / "labels",
        "--classes", "camvid", "--hold-out", "none",
    )  # fmt: skip
    with Project.open(project, write=False) as opened:
        assert len(opened.items) == 6
        assert {item.state for item in opened.items} == {"new"}
        assert {item.split for item in opened.items} == {"train"}
        for item in opened.items:
            truth = item.truth
            assert truth is not None
            # In CamVid value v is class id v + 1, void (11) included.
            assert (truth.read() == read_png(street / "labels" / f"{item.name}.png") + 1).all()


def take_nuclei(shared_data: Path, folder: Path) -> Path:
    """One picture of nuclei, and the mask that numbers them, whose path it gives."""
    name = "00ae65c1c6631ae6"
    for part in ("images", "labels"):
        take(shared_data / "nuclei" / part, folder / part, [name])
    return folder / "labels" / f"{name}.png"


def test_numbers_of_nuclei_become_objects_of_one_class(
    done: Command, shared_data: Path, tmp_path: Path
) -> None:
    mask = take_nuclei(shared_data, tmp_path)
    project = tmp_path / "n.maskwright"
    done(
        "new", project, "--images", tmp_path / "images", "--labels", tmp_path / "labels",
        "--instances", "nucleus",
    )  # fmt: skip
    numbers = read_png(mask)
    with Project.open(project, write=False) as opened:
        nucleus = opened.classes.by_name("nucleus")
        ground = opened.classes.by_value(0)
        assert nucleus is not None
        assert ground is not None
        assert nucleus.thing
        item = opened.items[0]
        assert item.state == "corrected"
        labels = item.labels
        expected = np.where(numbers > 0, nucleus.id, ground.id)
        assert (labels.read() == expected).all()
        assert (labels.read(plane="instance") == numbers).all()
        assert len(item.instances) == numbers.max()
        # A person's word: no model may write over it, and it trains with full weight.
        assert set(np.unique(labels.read(plane="origin")).tolist()) <= opened.person_origins()


def test_masks_of_another_model_are_adopted_and_come_from_a_model(
    done: Command, street: Path, tmp_path: Path
) -> None:
    project = tmp_path / "p.maskwright"
    done(
        "new", project, "--images", street / "images", "--predictions", street / "labels",
        "--truth", street / "labels", "--classes", "camvid",
    )  # fmt: skip
    with Project.open(project, write=False) as opened:
        for item in opened.items:
            assert item.state == "predicted"
            assert item.proposal is None
            assert not np.isin(
                np.unique(item.labels.read(plane="origin")), list(opened.person_origins())
            ).any()
    scores = done("evaluate", project, "--json").json
    assert scores["pixel_accuracy"] == 1.0


def test_a_persons_masks_stay_the_label_where_there_are_predictions_too(
    done: Command, street: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in (street / "labels").iterdir():
        Image.fromarray(np.zeros_like(read_png(file))).save(other / file.name)
    project = tmp_path / "p.maskwright"
    done(
        "new", project, "--images", street / "images", "--labels", street / "labels",
        "--predictions", other, "--classes", "camvid",
    )  # fmt: skip
    with Project.open(project, write=False) as opened:
        item = opened.items[0]
        assert item.state == "corrected"
        assert (item.labels.read() == read_png(street / "labels" / f"{item.name}.png") + 1).all()
        assert item.proposal is not None


def test_without_classes_the_values_found_are_the_classes_and_it_says_so(
    done: Command, shared_data: Path, tmp_path: Path
) -> None:
    for part in ("images", "labels"):
        take(shared_data / "hippocampus" / part, tmp_path / part, ["hippocampus_003"])
    project = tmp_path / "h.maskwright"
    result = done("new", project, "--images", tmp_path / "images", "--truth", tmp_path / "labels")
    assert "The values found are the classes" in result.err
    with Project.open(project, write=False) as opened:
        assert [c.value for c in opened.classes] == [0, 1, 2]
        truth = opened.items[0].truth
        assert truth is not None
        # nibabel's axes are x, y, z; ours z, y, x. This label is stored as float32.
        values = np.asarray(nibabel.load(tmp_path / "labels" / "hippocampus_003.nii.gz").dataobj)
        assert (truth.read_volume() == values.T.astype(int) + 1).all()


def test_a_dicom_series_is_one_item_named_after_its_folder(
    done: Command, shared_data: Path, tmp_path: Path
) -> None:
    project = tmp_path / "ct.maskwright"
    done("new", project, "--images", shared_data / "ct_dicom", "--classes", "binary")
    with Project.open(project, write=False) as opened:
        assert [item.name for item in opened.items] == ["ct_dicom"]
        assert opened.items[0].shape == (16, 512, 512)
        spacing = opened.items[0].spacing
        assert spacing is not None
        assert np.allclose(spacing, (8, 0.646484375, 0.646484375))


def test_what_has_no_partner_is_listed(done: Command, street: Path, tmp_path: Path) -> None:
    (street / "labels" / "0006R0_f00930.png").rename(street / "labels" / "stranger.png")
    result = done(
        "new", tmp_path / "p", "--images", street / "images", "--truth", street / "labels",
        "--classes", "camvid",
    )  # fmt: skip
    assert "1 file without truth: 0006R0_f00930" in result.err
    assert "stranger.png" in result.err
    assert (tmp_path / "p.maskwright" / "project.db").is_file()


def test_folders_without_a_common_name_are_refused(
    maskwright: Command, street: Path, shared_data: Path, tmp_path: Path
) -> None:
    result = maskwright(
        "new", tmp_path / "p", "--images", street / "images",
        "--truth", shared_data / "chase_retina" / "labels",
    )  # fmt: skip
    assert result.code == 1
    assert "has the name of an image" in result.err


def odd_pair(shared_data: Path, folder: Path, mask: str) -> list[object]:
    """Arguments for ``new`` with one odd mask for the plain picture."""
    (folder / "i").mkdir()
    (folder / "m").mkdir()
    (folder / "i" / "plain.png").write_bytes((shared_data / "odd" / "plain.png").read_bytes())
    source = shared_data / "odd" / mask
    (folder / "m" / f"plain{source.suffix}").write_bytes(source.read_bytes())
    return ["new", folder / "p", "--images", folder / "i", "--truth", folder / "m"]


def test_a_value_without_a_class_is_refused_with_file_value_and_count(
    maskwright: Command, shared_data: Path, tmp_path: Path
) -> None:
    arguments = odd_pair(shared_data, tmp_path, "mask_unknown_values.png")
    values = read_png(shared_data / "odd" / "mask_unknown_values.png")
    result = maskwright(*arguments, "--classes", "binary")
    assert result.code == 1
    assert "plain.png" in result.err
    for value in (7, 200):
        assert f"{value} ({int((values == value).sum()):,} pixels)" in result.err
    assert len(result.err.splitlines()) == 2
    assert not (tmp_path / "p.maskwright").exists()


def test_a_mask_of_another_size_is_refused_with_both_sizes(
    maskwright: Command, shared_data: Path, tmp_path: Path
) -> None:
    for folder, mask, size in (
        ("a", "mask_other_size.png", "120 x 90"),
        ("b", "mask_transposed.png", "120 x 160"),
    ):
        (tmp_path / folder).mkdir()
        arguments = odd_pair(shared_data, tmp_path / folder, mask)
        result = maskwright(*arguments)
        assert result.code == 1
        assert size in result.err
        assert "160 x 120" in result.err
        assert not (tmp_path / folder / "p.maskwright").exists()


def test_odd_but_sound_masks_are_read(done: Command, shared_data: Path, tmp_path: Path) -> None:
    plain = read_png(shared_data / "odd" / "plain_mask.png")
    for mask in ("plain_mask.png", "mask_palette.png", "mask_16bit_ids.png", "mask_empty.png"):
        folder = tmp_path / mask
        folder.mkdir()
        done(*odd_pair(shared_data, folder, mask))
        with Project.open(folder / "p.maskwright", write=False) as opened:
            truth = opened.items[0].truth
            assert truth is not None
            # Whatever the values are: the same pixels are one class.
            order = {0: 1, 1: 2, 2: 3}
            expected = np.vectorize(order.get)(plain)
            if mask == "mask_empty.png":
                expected = np.ones_like(plain)
            assert (truth.read() == expected).all(), mask


def test_damaged_images_are_left_out_with_the_reason(
    done: Command, shared_data: Path, tmp_path: Path
) -> None:
    result = done("new", tmp_path / "odd", "--images", shared_data / "odd", "--hold-out", "none")
    refused = {line.split(": ")[1] for line in result.err.splitlines() if line[:8] == "left out"}
    assert refused == {
        "bomb_100000x100000", "text_named", "truncated.jpg", "truncated.png", "zero_bytes",
    }  # fmt: skip
    with Project.open(tmp_path / "odd.maskwright", write=False) as opened:
        names = {item.name for item in opened.items}
    assert {"grey16.png", "grey16.tif", "name with spaces (1)", "one_pixel"} <= names


def test_a_project_is_never_made_over_another(
    maskwright: Command, done: Command, street: Path, tmp_path: Path
) -> None:
    done("new", tmp_path / "p", "--images", street / "images")
    before = (tmp_path / "p.maskwright" / "project.db").read_bytes()
    result = maskwright("new", tmp_path / "p", "--images", street / "images")
    assert result.code == 1
    assert "exists already" in result.err
    assert (tmp_path / "p.maskwright" / "project.db").read_bytes() == before


def test_a_tilted_series_is_left_out_until_it_is_asked_for_as_a_stack(
    done: Command, maskwright: Command, shared_data: Path, tmp_path: Path
) -> None:
    for name, folder in (("head", "ct_dicom_odd/series_gap_tilt"), ("chest", "ct_dicom")):
        shutil.copytree(shared_data / folder, tmp_path / "scans" / name)
    project = tmp_path / "both.maskwright"
    made = done("new", project, "--images", tmp_path / "scans", "--hold-out", "none")
    assert "head is no even volume" in made.err
    assert "With --as-stack such a series is opened slice by slice" in " ".join(made.err.split())
    with Project.open(project, write=False) as opened:
        assert [item.name for item in opened.items] == ["chest"]

    alone = tmp_path / "alone.maskwright"
    refused = maskwright("new", alone, "--images", tmp_path / "scans" / "head")
    assert refused.code == 1
    assert "--as-stack" in refused.err
    assert not alone.exists()

    project = tmp_path / "stack.maskwright"
    made = done(
        "new", project, "--images", tmp_path / "scans", "--hold-out", "none", "--as-stack"
    )  # fmt: skip
    assert "distances are not known" in made.err
    with Project.open(project, write=False) as opened:
        chest, head = (opened.items.by_name(name) for name in ("chest", "head"))
        assert (chest.as_stack, head.as_stack) == (False, True)
        assert chest.spacing is not None
        assert head.spacing is None
        assert head.open_image().read(4).any()
    assert done("check", project).code == 0


def test_an_export_makes_a_project_with_the_same_classes_and_pixels(
    done: Command, street: Path, tmp_path: Path
) -> None:
    first, export, second = (tmp_path / n for n in ("a.maskwright", "out", "b.maskwright"))
    pictures = ("--images", street / "images", "--hold-out", "none")
    done("new", first, *pictures, "--labels", street / "labels", "--classes", "camvid")
    done("export", first, export, "--format", "png")
    made = done("new", second, *pictures, "--labels", export / "masks")
    assert "The classes are those of the export" in " ".join(made.err.split())
    with Project.open(first, write=False) as before, Project.open(second, write=False) as after:
        assert after.classes.to_rows() == before.classes.to_rows()
        for old, new in zip(before.items, after.items, strict=True):
            assert (old.labels.read() == new.labels.read()).all()


def test_masks_whose_export_was_changed_by_hand_are_read_as_anybodys(
    done: Command, street: Path, tmp_path: Path
) -> None:
    first, export, second = (tmp_path / n for n in ("a.maskwright", "out", "b.maskwright"))
    pictures = ("--images", street / "images", "--hold-out", "none")
    done("new", first, *pictures, "--labels", street / "labels", "--classes", "camvid")
    done("export", first, export, "--format", "png")
    manifest = export / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["classes"][0]["shade"] = "blue"
    manifest.write_text(json.dumps(content), encoding="utf-8")
    made = done("new", second, *pictures, "--labels", export / "masks")
    assert "Classes: " in made.err


def test_numbers_that_became_many_classes_are_said_with_the_option_for_objects(
    done: Command, shared_data: Path, tmp_path: Path
) -> None:
    mask = take_nuclei(shared_data, tmp_path)
    given = ("--images", tmp_path / "images", "--truth", tmp_path / "labels", "--hold-out", "none")
    made = done("new", tmp_path / "n", *given)
    count = len(np.unique(read_png(mask)))
    assert count > 32
    assert f"{count} classes were found in the masks" in made.err
    assert "--instances CLASS" in made.err
    assert f"and {count - 12} more." in made.err  # not hundreds of names
    as_objects = done("new", tmp_path / "o", *given, "--instances", "nucleus")
    assert "classes were found" not in as_objects.err


def test_few_or_known_classes_are_not_taken_for_objects(
    done: Command, street: Path, tmp_path: Path
) -> None:
    pictures = ("--images", street / "images", "--truth", street / "labels")
    assert "classes were found" not in done("new", tmp_path / "few", *pictures).err
    # Colours are no numbers, and an export says what its numbers are.
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    colours = np.zeros((8, 8, 3), np.uint8)
    colours[..., 0] = np.arange(64).reshape(8, 8) * 4
    colours[..., 1] = 9
    Image.fromarray(colours).save(tmp_path / "images" / "a.png")
    Image.fromarray(colours).save(tmp_path / "masks" / "a.png")
    coloured = ("--images", tmp_path / "images", "--hold-out", "none")
    first, export = tmp_path / "c.maskwright", tmp_path / "out"
    made = done("new", first, *coloured, "--labels", tmp_path / "masks")
    assert "and 53 more." in made.err
    assert "classes were found" not in made.err
    done("export", first, export, "--format", "png")
    again = done("new", tmp_path / "d", *coloured, "--labels", export / "masks")
    assert "The classes are those of the export" in again.err
    assert "classes were found" not in again.err


def test_too_few_held_out_items_are_said_beside_their_number(
    done: Command, street: Path, tmp_path: Path
) -> None:
    pictures = ("--images", street / "images")
    said = "; new models are scored from 5 on (--hold-out)."
    assert done("new", tmp_path / "a", *pictures).out.endswith(f"6 items, 1 item held out{said}\n")
    half = done("new", tmp_path / "b", *pictures, "--hold-out", "0.84")
    assert half.out.endswith("6 items, 5 items held out.\n")
    # Who asks for none knows.
    none = done("new", tmp_path / "c", *pictures, "--hold-out", "none")
    assert none.out.endswith("6 items, 0 items held out.\n")


def test_a_rule_that_fits_no_name_is_refused_with_its_option(
    maskwright: Command, street: Path, tmp_path: Path
) -> None:
    for option, rule in (
        ("--hold-out", "zebra*"), ("--hold-out", "*"), ("--hold-out", "2"),
        ("--group-by", "zebra"), ("--group-by", "("),
    ):  # fmt: skip
        refused = maskwright("new", tmp_path / "p", "--images", street / "images", option, rule)
        assert refused.code == 1
        assert f"({option})." in refused.err
        assert not (tmp_path / "p.maskwright").exists()


def test_a_folder_without_images_names_every_kind_that_opens(
    maskwright: Command, tmp_path: Path
) -> None:
    from segcore.images import FAMILIES

    (tmp_path / "notes").mkdir()
    refused = maskwright("new", tmp_path / "p", "--images", tmp_path / "notes")
    said = refused.err.split("Name a folder with ")[1]
    assert said.startswith("PNG, JPEG, WebP, BMP")
    assert all(family.title in said for family in FAMILIES)
    assert said.rstrip().endswith(" or NIfTI files.")
