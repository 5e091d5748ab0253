"""Classes: ids inside, values in files, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcore.base import CLASS_PRESETS, BadFile, ClassMismatch, ClassSet


def test_camvid_keeps_sky_as_value_0_and_void_out_of_the_scores() -> None:
    camvid = CLASS_PRESETS["camvid"]
    sky = camvid.by_value(0)
    assert sky is not None
    assert (sky.name, sky.id) == ("Sky", 1)
    assert len(camvid.scored) == 11
    assert [c.name for c in camvid if c.ignore] == ["void"]


def test_a_preset_has_the_same_uuids_wherever_it_is_used() -> None:
    again = ClassSet.from_rows(json.loads(json.dumps(CLASS_PRESETS["camvid"].to_rows())))
    assert again == CLASS_PRESETS["camvid"]


@given(st.sets(st.integers(0, 65535), min_size=1, max_size=40))
def test_values_survive_the_way_to_ids_and_back(values: set[int]) -> None:
    classes = ClassSet.from_values(values)
    array = np.array(sorted(values), np.uint16)
    ids = classes.value_to_id()[array]
    assert (ids > 0).all()
    assert (classes.id_to_value()[ids] == array).all()


def test_values_found_in_files_name_background_and_void() -> None:
    classes = ClassSet.from_values([255, 0, 7])
    assert [(c.name, c.value, c.ignore) for c in classes] == [
        ("background", 0, False),
        ("class 7", 7, False),
        ("void", 255, True),
    ]


def test_toml_and_json_files_give_the_same_classes(tmp_path: Path) -> None:
    toml = tmp_path / "classes.toml"
    toml.write_text(
        '[[classes]]\nid = 1\nname = "a"\nvalue = 0\ncolour = "#102030"\nuuid = "u1"\n'
        '[[classes]]\nid = 2\nname = "b"\nvalue = 9\ncolour = "#405060"\n'
        'uuid = "u2"\nthing = true\n'
    )
    rows = [
        {"id": 1, "name": "a", "value": 0, "colour": "#102030", "uuid": "u1"},
        {"id": 2, "name": "b", "value": 9, "colour": "#405060", "uuid": "u2", "thing": True},
    ]
    as_json = tmp_path / "classes.json"
    as_json.write_text(json.dumps(rows))
    assert ClassSet.load(toml) == ClassSet.load(as_json)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "no list of classes"),
        ('[{"name": "a", "shade": 3}]', "shade"),
        ('[{"name": "a", "id": 0}]', "id 0"),
        ('[{"name": "a", "colour": "red"}]', "red"),
        ('[{"name": "a", "value": 70000}]', "70000"),
    ],
)
def test_a_wrong_class_file_is_refused_with_its_name(
    tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(content)
    with pytest.raises(BadFile) as caught:
        ClassSet.load(path)
    assert "wrong.json" in str(caught.value)
    assert words in str(caught.value)
    assert caught.value.hint


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(BadFile, match="binary, camvid"):
        ClassSet.load("camvidd")


def test_doubled_names_and_values_are_refused_but_retired_ones_do_not_count() -> None:
    classes = ClassSet.from_names(["car", "tree"])
    with pytest.raises(ClassMismatch, match="name"):
        classes.added("Car")
    retired = classes.changed(1, retired=True)
    assert [c.name for c in retired.added("car").active] == ["tree", "car"]


def test_a_new_class_never_takes_a_used_id_or_value() -> None:
    classes = ClassSet.from_values([0, 200]).changed(2, retired=True).added("new")
    fresh = classes.by_name("new")
    assert fresh is not None
    assert fresh.id == 3
    assert fresh.value == 201


def test_a_free_name_is_written_as_the_others_are() -> None:
    assert ClassSet.from_names(["background", "class 1", "class 2"]).free_name() == "class 3"
    assert ClassSet.from_names(["Car", "class 1"]).free_name() == "Class 2"
