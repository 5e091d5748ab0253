"""Classes are changed by steps of the project; ids are never used again."""

from __future__ import annotations

import pytest
from store_kit import Block

from segcore.base import ClassSet, MaskwrightError, Rect
from segcore.store import Applied, Project


def names(project: Project) -> list[str]:
    return [c.name for c in project.classes.active]


def test_renaming_and_adding_are_undone_in_the_projects_history(project: Project) -> None:
    project.set_classes(project.classes.changed(2, name="Kerb"))
    project.set_classes(project.classes.added("bicycle", thing=True))
    assert names(project) == ["sky", "Kerb", "car", "tree", "bicycle"]
    project.undo()
    assert names(project) == ["sky", "Kerb", "car", "tree"]
    project.undo()
    assert names(project) == ["sky", "road", "car", "tree"]
    assert project.undo() is None  # the classes it was made with stay
    project.redo()
    project.close()
    with Project.open(project.path) as again:
        assert names(again) == ["sky", "Kerb", "car", "tree"]
        again.redo()
        assert names(again) == ["sky", "Kerb", "car", "tree", "bicycle"]
        assert again.classes[5].thing


def test_the_id_of_a_class_that_was_undone_is_not_used_again(project: Project) -> None:
    project.set_classes(project.classes.added("bicycle"))
    project.undo()
    project.set_classes(project.classes.added("tram"))
    tram = project.classes.by_name("tram")
    assert tram is not None
    assert tram.id == 6


def test_a_class_that_is_left_out_is_retired(project: Project) -> None:
    rest = tuple(c for c in project.classes if c.name != "car")
    project.set_classes(ClassSet(rest))
    assert names(project) == ["sky", "road", "tree"]
    assert project.classes[3].retired
    project.undo()
    assert names(project) == ["sky", "road", "car", "tree"]


def test_two_classes_may_exchange_their_names(project: Project) -> None:
    swapped = {1: "road", 2: "sky"}
    fresh = ClassSet(
        tuple(
            ClassSet((c,)).changed(c.id, name=swapped.get(c.id, c.name)).classes[0]
            for c in project.classes
        )
    )
    project.set_classes(fresh)
    assert names(project) == ["road", "sky", "car", "tree"]


def test_the_same_classes_again_are_no_step(project: Project) -> None:
    before = len(project.history())
    assert project.set_classes(project.classes).is_empty
    assert len(project.history()) == before


def test_a_change_of_classes_is_told(project: Project) -> None:
    heard: list[object] = []
    project.scribe.listen(heard.append)
    project.set_classes(project.classes.changed(1, colour="#102030"))
    project.scribe.flush()
    applied = [e for e in heard if isinstance(e, Applied)]
    assert [(e.item_id, e.kind) for e in applied] == [(None, "class")]
    assert {f.table for f in applied[0].patch.fields} == {"class"}


def test_a_change_of_classes_says_what_it_is(project: Project) -> None:
    project.set_classes(project.classes.changed(2, name="Kerb"))
    project.set_classes(project.classes.changed(1, colour="#102030"))
    project.set_classes(project.classes.changed(1, value=77))
    project.set_classes(project.classes.added("tram").added("bicycle"))
    project.set_classes(project.classes.changed(3, name="Van", colour="#203040"))
    project.set_classes(ClassSet(tuple(c for c in project.classes if c.name != "tram")))
    project.set_classes(ClassSet(tuple(reversed(project.classes.classes))))
    assert [row.name for row in project.history()] == [
        "Add 4 classes",
        "Rename road to Kerb",
        "Recolour sky",
        "Renumber sky",
        "Add 2 classes",
        "Change car",
        "Remove tram",
        "Reorder classes",
    ]


def test_a_class_that_was_painted_is_not_taken_back(project: Project) -> None:
    item = project.items[0]
    project.set_classes(project.classes.added("bicycle"))
    project.apply(item, Block(0, Rect(0, 0, 9, 9), 5))
    with pytest.raises(MaskwrightError, match='The class "bicycle" is painted in 1 item'):
        project.undo()
    project.scribe.undo(item.id).applied.result()
    project.scribe.redo(item.id).applied.result()
    with pytest.raises(MaskwrightError, match="is painted"):
        project.undo()
    project.apply(item, Block(0, Rect(0, 0, 20, 20), 1))  # painted over: nothing is left of it
    assert project.undo() is not None
    assert names(project) == ["sky", "road", "car", "tree"]
