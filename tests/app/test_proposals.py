"""A proposal over a person's work: looked at, and taken whole or in part, with mouse and keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from app.workspace.offer import count_differences
from segcore.base import Rect
from segcore.edits import Stroke
from segcore.labels import Draft, Labels

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
ROAD, CAR = 4, 9


class Desk:
    """A window in which a person has painted a car, and a model then proposed the truth."""

    def __init__(self, window: Any, qtbot: Any) -> None:
        self.window, self.qtbot = window, qtbot
        self.workspace = window.workspace
        w = self.workspace
        path = ((200.5, 100.5), (200.5, 180.5))
        w.submit(Stroke(0, path, 20, CAR, origin=w.person_origin(), name="Brush Car"))
        self.settle()
        self.before = self.stored()
        self.proposed: NDArray[np.uint16] = w.item.truth.read()
        layer = w.project.store_prediction(w.item, "unet", "digest", self.proposed)
        w.show_prediction(layer, proposal=True)
        qtbot.waitUntil(lambda: w.offer.differences is not None, timeout=20_000)
        self.bar = window.overlays.bar
        assert self.bar.isVisible()

    def settle(self) -> None:
        w = self.workspace
        self.qtbot.waitUntil(lambda: w.waiting_strokes == 0, timeout=20_000)

    def stored(self) -> NDArray[np.uint16]:
        classes: NDArray[np.uint16] = self.workspace.item.labels.read()
        return classes

    def tick(self, class_id: int) -> None:
        rows = self.window.right.classes.rows
        at = QPoint(rows._columns()["tick"] + 8, rows.row_rect(class_id).center().y())
        QTest.mouseClick(rows, LEFT, NONE, at)

    def click(self, widget: Any) -> None:
        assert widget.isVisible()
        assert widget.isEnabled()
        QTest.mouseClick(widget, LEFT, NONE, widget.rect().center())

    def menu(self) -> QMenu:
        """The menu behind the arrow, opened with the mouse."""
        self.click(self.bar.take.arrow)
        opened = QApplication.activePopupWidget()
        assert isinstance(opened, QMenu)
        return opened

    def choose(self, menu: QMenu, title: str) -> None:
        """Click the row that begins with `title`."""
        row = next(a for a in menu.actions() if a.text().startswith(title))
        assert row.isEnabled(), row.toolTip()
        QTest.mouseClick(menu, LEFT, NONE, menu.actionGeometry(row).center())

    def wait_for(self, expected: NDArray[np.uint16]) -> None:
        self.qtbot.waitUntil(lambda: np.array_equal(self.stored(), expected), timeout=20_000)
        self.settle()

    def steps(self) -> list[str]:
        return [row.name for row in self.workspace.project.scribe.history(self.workspace.item.id)]


@pytest.fixture
def desk(make_window: Callable[..., Any], project_path: Path, qtbot: Any) -> Desk:
    return Desk(make_window(project_path), qtbot)


def test_ticked_classes_are_taken_as_one_step_and_the_rest_waits_on(desk: Desk) -> None:
    w = desk.workspace
    active = w.active_class
    desk.tick(ROAD)
    desk.tick(CAR)
    assert w.active_class == active
    assert desk.bar.take.main.text() == "Take 2 classes"
    assert desk.bar.width() >= desk.bar.sizeHint().width()
    desk.click(desk.bar.take.main)
    expected = np.where(np.isin(desk.proposed, (ROAD, CAR)), desk.proposed, desk.before)
    desk.wait_for(expected)
    assert desk.steps()[-1] == "Take Road and Car of proposal"
    assert desk.bar.isVisible()
    assert not w.offer.ticked
    desk.qtbot.waitUntil(lambda: not w.offer.may_tick(ROAD), timeout=20_000)
    QTest.keyClick(desk.window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    desk.wait_for(desk.before)
    desk.qtbot.waitUntil(lambda: w.offer.may_tick(ROAD), timeout=20_000)


def test_the_bar_says_less_where_there_is_less_room_and_cuts_nothing(desk: Desk) -> None:
    bar = desk.bar
    whole = bar.sizeHint().width()
    for room, title in ((whole, "Proposal from unet"), (whole - 280, "Proposal")):
        bar.fit(room)
        assert bar.sizeHint().width() <= room
        bar.resize(bar.sizeHint())
        assert bar.title.text() == title
        assert bar.title.toolTip() == "Proposal from unet"
        for shown in (bar.title, bar.detail):
            assert shown.width() >= shown.sizeHint().width()
    bar.fit(whole)
    assert bar.title.text() == "Proposal from unet"


def test_a_tick_goes_with_a_second_click_and_with_the_space_bar(desk: Desk) -> None:
    w, rows = desk.workspace, desk.window.right.classes.rows
    desk.tick(CAR)
    desk.tick(CAR)
    assert not w.offer.ticked
    assert desk.bar.take.main.text() == "Take"
    w.set_active_class(ROAD)
    QTest.keyClick(rows, Qt.Key.Key_Space)
    assert w.offer.ticked == {ROAD}


def test_numbers_are_the_pixels_that_taking_changes(desk: Desk) -> None:
    found = desk.workspace.offer.differences
    other = desk.before != desk.proposed
    ids, counts = np.unique(desk.proposed[other], return_counts=True)
    assert found.classes == dict(zip(ids.tolist(), counts.tolist(), strict=True))
    mine = desk.workspace.item.labels.read(plane="origin") == desk.workspace.person_origin()
    assert found.unpainted == int((other & ~mine).sum())
    assert f"{found.total:,} px would change" in desk.bar.detail.text()


def test_the_visible_part_is_taken_from_the_menu(desk: Desk) -> None:
    canvas = desk.window.canvas
    canvas.set_view(canvas.view.zoomed_at(300, 300, 8.0))
    part = canvas.view.visible_image
    assert part.area < desk.before.size / 4
    desk.choose(desk.menu(), "Visible part")
    expected = desk.before.copy()
    expected[part.slices] = desk.proposed[part.slices]
    assert (expected != desk.before).any()
    desk.wait_for(expected)
    assert desk.steps()[-1] == "Take visible part of proposal"


def test_one_class_is_taken_from_the_menu(desk: Desk) -> None:
    menu = desk.menu()
    one = next(a.menu() for a in menu.actions() if a.menu() is not None)
    desk.choose(menu, "One class")
    desk.qtbot.waitUntil(one.isVisible)
    count = desk.workspace.offer.differences.classes[CAR]
    assert f"Car: {count:,} px" in [a.text() for a in one.actions()]
    desk.choose(one, "Car")
    desk.wait_for(np.where(desk.proposed == CAR, CAR, desk.before))
    assert desk.steps()[-1] == "Take Car of proposal"


def test_ticked_classes_say_in_the_menu_why_they_cannot_be_taken(desk: Desk) -> None:
    menu = desk.menu()
    row = next(a for a in menu.actions() if a.text().startswith("Ticked classes"))
    assert not row.isEnabled()
    assert "Tick classes of a proposal" in row.toolTip()
    menu.close()


def test_what_is_mine_stays_where_i_painted(desk: Desk) -> None:
    desk.click(desk.bar.rest)
    w = desk.workspace
    mine = np.zeros(desk.before.shape, bool)
    origins = w.item.labels.read(plane="origin")
    mine[origins == w.person_origin()] = True
    desk.wait_for(np.where(mine, desk.before, desk.proposed))
    assert desk.steps()[-1] == "Take proposal where I did not paint"
    assert not desk.bar.isVisible()


def test_a_proposal_that_was_taken_whole_waits_again_after_undo(desk: Desk) -> None:
    desk.click(desk.bar.take.main)
    desk.wait_for(desk.proposed)
    assert not desk.bar.isVisible()
    QTest.keyClick(desk.window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    desk.wait_for(desk.before)
    desk.qtbot.waitUntil(desk.bar.isVisible, timeout=20_000)


def test_the_toast_takes_the_taking_back(desk: Desk) -> None:
    desk.tick(CAR)
    desk.click(desk.bar.take.main)
    toast = desk.window.overlays.toast
    desk.qtbot.waitUntil(toast.isVisible, timeout=20_000)
    assert toast.text.text() == "Took Car of proposal"
    desk.wait_for(np.where(desk.proposed == CAR, CAR, desk.before))
    desk.click(toast.action)
    desk.wait_for(desk.before)


def test_a_proposal_is_looked_at_and_taking_shows_the_label_again(desk: Desk) -> None:
    w = desk.workspace
    desk.click(desk.bar.look)
    assert w.view_mode == "model"
    assert np.array_equal(w.shown_labels.read(), desk.proposed)
    desk.click(desk.bar.look)
    assert w.view_mode == "label"
    desk.click(desk.bar.look)
    desk.click(desk.bar.take.main)
    desk.wait_for(desk.proposed)
    assert w.view_mode == "label"


def test_the_rows_menu_takes_its_class(desk: Desk) -> None:
    rows = desk.window.right.classes.rows
    menu = rows.make_menu(desk.workspace.classes[CAR])
    menu.popup(rows.mapToGlobal(QPoint(20, 20)))
    desk.choose(menu, "Take Car of proposal")
    desk.wait_for(np.where(desk.proposed == CAR, CAR, desk.before))
    menu.close()


def test_rows_show_scores_again_when_the_proposal_is_dropped(desk: Desk) -> None:
    panel = desk.window.right.classes
    assert panel.score.text() == "Change"
    desk.click(desk.bar.drop)
    assert panel.score.text() == "IoU"
    columns = panel.rows._columns()
    assert panel.rows._part_at(QPoint(columns["tick"] + 8, 4)) == (0, "name")


@pytest.mark.parametrize("shape", [(1, 300, 520), (20, 70, 90)], ids=["picture", "volume"])
def test_differences_follow_strokes_and_equal_a_count_of_all_pixels(
    shape: tuple[int, int, int],
) -> None:
    random = np.random.default_rng(5)
    ours_classes = random.integers(0, 4, shape, np.uint16)
    origin = random.integers(0, 3, shape, np.uint16)
    ours = Labels.from_array(ours_classes, origin=origin)
    # Handles of one project come from one cache: that is what makes them comparable.
    theirs = Labels.from_array(random.integers(0, 4, shape, np.uint16), cache=ours.cache)
    counted: dict[Any, Any] = {}
    for number in range(4):
        found = count_differences(ours, theirs, frozenset({2}), counted)
        mine, said = ours.read_volume(), theirs.read_volume()
        other = mine != said
        for class_id in range(4):
            assert found.classes.get(class_id, 0) == int((other & (said == class_id)).sum())
        assert found.unpainted == int((other & (ours.read_volume("origin") != 2)).sum())
        draft = Draft(ours)
        rect = Rect(10 * number, 15, 30, 40)
        draft.write(shape[0] // 2, rect, np.ones((30, 40), bool), class_id=1, origin=2)
        ours = ours.after(draft.close("Block", "block"))


def test_a_dropped_proposal_stays_dropped_until_it_is_asked_for(desk: Desk) -> None:
    w = desk.workspace
    first = w.item.id
    desk.click(desk.bar.drop)
    desk.qtbot.waitUntil(lambda: not desk.bar.isVisible())
    for wanted in (w.queue.order[1], first):
        w.open_item(wanted)
        desk.qtbot.waitUntil(lambda wanted=wanted: w.item.id == wanted, timeout=20_000)
    assert w.item.proposal is not None  # the store still has it
    assert w.proposal is None
    assert not desk.bar.isVisible()
    desk.window.actions_set.run("proposal.again")
    assert desk.bar.isVisible()
    desk.click(desk.bar.take.main)
    desk.wait_for(desk.proposed)


def test_the_proposal_waits_again_once_taking_the_unpainted_part_is_undone(desk: Desk) -> None:
    desk.click(desk.bar.rest)
    desk.qtbot.waitUntil(lambda: desk.steps()[-1].startswith("Take proposal"), timeout=20_000)
    desk.settle()
    QTest.keyClick(desk.window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    desk.wait_for(desk.before)
    desk.qtbot.waitUntil(desk.bar.isVisible, timeout=20_000)
    assert desk.workspace.item.proposal is not None


def test_a_toast_goes_with_the_step_that_it_names(desk: Desk) -> None:
    toast = desk.window.overlays.toast
    desk.click(desk.bar.rest)
    desk.qtbot.waitUntil(toast.isVisible, timeout=20_000)
    desk.qtbot.waitUntil(lambda: desk.steps()[-1].startswith("Take proposal"), timeout=20_000)
    desk.settle()
    assert toast.isVisible()
    assert toast.action.text() == "Undo"
    undo = toast._message.remedy.run
    QTest.keyClick(desk.window.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    desk.wait_for(desk.before)
    desk.qtbot.waitUntil(lambda: not toast.isVisible(), timeout=5_000)
    undo()  # a click that was on its way
    desk.settle()
    assert np.array_equal(desk.stored(), desk.before)
    assert desk.steps()[-2:] == ["Brush Car", "Take proposal where I did not paint"]


def test_a_fitted_picture_ends_above_the_bar(
    make_window: Callable[..., Any], project_path: Path, qtbot: Any
) -> None:
    window = make_window(project_path, size=(1366, 704))
    canvas = window.canvas

    def lower_edge() -> float:
        place = canvas.view.screen_rect(Rect(0, 0, *canvas.view.zoomed))
        return place.bottom / canvas.ratio

    canvas.turn_by(1)  # upright, so that it is the height that is short
    before = lower_edge()
    desk = Desk(window, qtbot)
    assert before > desk.bar.y()
    assert lower_edge() < desk.bar.y()
    desk.click(desk.bar.drop)
    assert lower_edge() == before
    canvas.set_view(canvas.view.zoomed_at(300, 300, 8.0))
    zoomed = canvas.view
    window.actions_set.run("proposal.again")
    assert desk.bar.isVisible()
    assert canvas.view == zoomed  # what a person looks at does not move
