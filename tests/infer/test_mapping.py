"""What a model calls something and what the project calls it."""

from __future__ import annotations

from segcore.base import CLASS_PRESETS, ClassId, ClassSet, SegClass
from segcore.infer import map_classes


def test_reordered_missing_and_new_classes_are_mapped_by_name_and_reported() -> None:
    model = ClassSet.from_names(["background", "Nucleus", "debris"])
    project = ClassSet(
        (SegClass(ClassId(4), "nucleus", 1, None), SegClass(ClassId(9), "vessel", 2, None))
    )
    found = map_classes(model, project)
    assert found.table[[1, 2, 3]].tolist() == [0, 4, 0]
    assert found.table.sum() == 4
    assert found.mapped == (("Nucleus", "nucleus"),)
    assert found.unmapped == ("background", "debris")
    assert found.never == ("vessel",)
    assert "background, debris" in found.sentence
    assert "vessel" in found.sentence


def test_what_lies_behind_everything_is_not_enough_to_find_something() -> None:
    project = CLASS_PRESETS["binary"]
    shared = [c.name for c in project.active if c.colour is None]
    assert shared
    found = map_classes(ClassSet.from_names([*shared, "vessel"]), project)
    assert found.mapped
    assert not found.finds_something
    coloured = next(c.name for c in project.active if c.colour is not None)
    assert map_classes(ClassSet.from_names([coloured]), project).finds_something
    # A project may give its background a colour; a model's still lies behind everything.
    background, foreground = project.active
    painted = project.changed(background.id, colour=foreground.colour)
    found = map_classes(ClassSet((background,)), painted)
    assert found.mapped
    assert not found.finds_something


def test_a_renamed_class_is_found_by_its_uuid() -> None:
    model = CLASS_PRESETS["camvid"]
    project = model.changed(4, name="Carriageway").changed(1, name="Road")
    found = map_classes(model, project)
    assert found.table[4] == 4
    assert found.table[1] == 1, "the other class's new name does not steal it"
    assert not found.unmapped
    assert not found.sentence
