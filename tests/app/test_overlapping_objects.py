"""Objects that overlap others: their layers are shown, and the window says that they are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.canvas.look import make_look
from app.canvas.sampling import LabelSampler
from app.canvas.scene import Scene, compose
from segcore.base import ClassSet, Rect
from segcore.labels import Labels

CLASSES = ClassSet.from_names(["ground", "person"]).changed(1, colour="#202020")
PERSON = 2


def layer(rows: slice, columns: slice, number: int, shape: tuple[int, int] = (80, 90)) -> Labels:
    ids, numbers = np.zeros(shape, np.uint16), np.zeros(shape, np.uint32)
    ids[rows, columns], numbers[rows, columns] = PERSON, number
    return Labels.from_array(ids, instance=numbers)


def drawn(first: Labels, further: tuple[Labels, ...], outline: float = 1.0) -> np.ndarray:
    look = make_look(1, CLASSES, active=PERSON, fill=0.0, outline=outline)
    scene = Scene(None, first, 0, (0, 255), (4.0, 4.0), (320, 360), look, 1, further)
    pixels = compose(scene, Rect(0, 0, 320, 360), LabelSampler())
    assert pixels is not None
    return pixels[..., :3].astype(int)


def test_an_object_of_a_further_layer_has_a_faint_outline_also_where_another_lies() -> None:
    first = layer(slice(10, 40), slice(10, 50), 1)
    other = layer(slice(20, 70), slice(30, 80), 2)
    alone, both = drawn(first, ()), drawn(first, (other,))
    changed = (alone != both).any(-1)
    # Of its edges the first lies in the other object, the second on the ground; dashes have gaps.
    assert changed[4 * 20 - 2 : 4 * 20 + 2, 4 * 32 : 4 * 48].any()
    assert changed[4 * 70 - 2 : 4 * 70 + 2, 4 * 32 : 4 * 78].any()
    own = both[4 * 10 - 2 : 4 * 10 + 2, 4 * 12 : 4 * 48]
    faint = both[4 * 70 - 2 : 4 * 70 + 2, 4 * 32 : 4 * 78]
    assert 0 < faint.max() < own.max(), "it is fainter than what can be painted"
    assert (own == alone[4 * 10 - 2 : 4 * 10 + 2, 4 * 12 : 4 * 48]).all()
    assert (drawn(first, (other,), outline=0.0) == drawn(first, (), outline=0.0)).all()


def test_a_further_layer_costs_nothing_where_it_has_no_object() -> None:
    shape = (600, 600)
    first = layer(slice(10, 40), slice(10, 50), 1, shape)
    other = layer(slice(20, 70), slice(30, 80), 2, shape)
    look = make_look(1, CLASSES, active=PERSON)
    scene = Scene(None, first, 0, (0, 255), (1.0, 1.0), shape, look, 1, (other,))
    near, far = Rect(0, 0, 100, 100), Rect(300, 300, 256, 256)
    assert list(scene.further_in(near)) == [other]
    assert list(scene.further_in(far)) == []
    without = Scene(None, first, 0, (0, 255), (1.0, 1.0), shape, look, 1)
    assert scene.key(near)[-1] != without.key(near)[-1]


@pytest.fixture
def persons(tmp_path: Path, shared_data: Path) -> Path:
    from segcore.projects.new import NewProject, create_project
    from segcore.projects.splits import HoldOut

    folder = shared_data / "coco_panoptic/instances"
    plan = NewProject(
        path=tmp_path / "persons.maskwright",
        images=folder / "images",
        coco=folder / "instances_4img.json",
        hold_out=HoldOut(0.0),
    )
    return create_project(plan).path


def test_the_window_shows_further_layers_and_says_how_many_there_are(
    make_window: Callable[..., Any], persons: Path, qtbot: Any
) -> None:
    window = make_window()
    w = window.workspace
    w.open_project(persons)
    qtbot.waitUntil(lambda: w.item is not None and w.labels is not None, timeout=20_000)
    layers = {item.id: len(item.further_labels) for item in w.project.items}
    assert {0} < set(layers.values())
    for item_id, count in layers.items():
        w.open_item(item_id)
        qtbot.waitUntil(lambda item_id=item_id: w.item.id == item_id, timeout=20_000)
        qtbot.waitUntil(lambda: window.canvas.is_settled, timeout=20_000)
        panel = window.right.objects
        assert panel.isVisible() == (count > 0)
        assert len(window.canvas.frame.scene.further) == count
        if count:
            word = "layer" if count == 1 else "layers"
            assert panel.further.text().startswith(f"{count} further {word} of overlapping")
            assert not panel.slider.isVisible()
    wanted = next(item_id for item_id, count in layers.items() if count)
    w.open_item(wanted)
    qtbot.waitUntil(lambda: w.item.id == wanted, timeout=20_000)
    w.set_view_mode("truth")  # which has none of its own
    assert not window.right.objects.isVisible()
    assert window.canvas.frame.scene.further == ()
