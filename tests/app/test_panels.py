"""Panels with real mouse and keys: what is clicked is what changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFontMetrics, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractSpinBox, QLineEdit, QStyle, QStyleOptionSpinBox

from app.panels.classes import ClassesPanel, short
from app.panels.history import HistoryPanel, pixels_text, slices_text
from app.panels.jobs import seconds
from app.panels.queue import QueuePanel
from app.panels.scores import ScoresPanel
from app.panels.thumbnails import COVER_HEIGHT, COVER_WIDTH, keep_picture
from app.panels.view import ViewPanel
from app.panels.window_level import WindowPanel
from app.theme.icons import pixmap
from app.theme.sheet import style_sheet
from app.theme.theme import theme
from app.workspace import Workspace
from segcore.edits import Stroke

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def show(qtbot: Any) -> Iterator[Callable[[Any], Any]]:
    def shown(panel: Any) -> Any:
        qtbot.addWidget(panel)
        panel.resize(280, 600)
        panel.show()
        return panel

    return shown


def click_class(panel: ClassesPanel, class_id: int, x: int) -> None:
    row = panel.rows.row_rect(class_id)
    QTest.mouseClick(panel.rows, LEFT, NONE, QPoint(x, row.center().y()))


def test_a_click_on_a_class_makes_it_active(open_workspace: Workspace, show: Any) -> None:
    panel = show(ClassesPanel(open_workspace))
    panel.rows._take_classes(open_workspace.classes)
    click_class(panel, 6, 80)
    assert open_workspace.active_class == 6


def test_eye_and_lock_do_what_they_show(open_workspace: Workspace, show: Any) -> None:
    w = open_workspace
    panel = show(ClassesPanel(w))
    panel.rows._take_classes(w.classes)
    columns = panel.rows._columns()
    click_class(panel, 4, columns["eye"] + 8)
    click_class(panel, 4, columns["lock"] + 8)
    assert w.hidden_classes == {4}
    assert w.locked_classes == {4}
    assert w.active_class != 4
    click_class(panel, 4, columns["eye"] + 8)
    click_class(panel, 4, columns["lock"] + 8)
    assert w.hidden_classes == w.locked_classes == frozenset()


def test_a_class_is_renamed_in_its_row(open_workspace: Workspace, show: Any) -> None:
    w = open_workspace
    panel = show(ClassesPanel(w))
    panel.rows._take_classes(w.classes)
    row = panel.rows.row_rect(9)
    QTest.mouseDClick(panel.rows, LEFT, NONE, QPoint(80, row.center().y()))
    editor = panel.rows.findChild(QLineEdit)
    assert editor is not None
    editor.selectAll()
    QTest.keyClicks(editor, "Lorry")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert w.project.classes[9].name == "Lorry"


def test_a_name_that_another_class_has_is_not_taken(open_workspace: Workspace, show: Any) -> None:
    w = open_workspace
    panel = show(ClassesPanel(w))
    panel.rows._take_classes(w.classes)
    panel.rows.rename(9)
    editor = panel.rows.findChild(QLineEdit)
    assert editor is not None
    editor.setText("road")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert w.project.classes[9].name == "Car"


def test_a_new_class_is_active_and_has_an_id_of_its_own(
    open_workspace: Workspace, show: Any
) -> None:
    w = open_workspace
    panel = show(ClassesPanel(w))
    panel.rows._take_classes(w.classes)
    QTest.mouseClick(panel.add, LEFT)
    assert len(w.project.classes) == 12  # not before its name is taken
    QTest.keyClicks(field_of(panel), "Kerb")
    QTest.keyClick(field_of(panel), Qt.Key.Key_Return)
    assert w.project.classes.classes[-1].name == "Kerb"
    assert w.active_class == int(w.project.classes.classes[-1].id) == 13


def field_of(panel: ClassesPanel) -> QLineEdit:
    """The open field of a name; there is no more than one."""
    (field,) = (f for f in panel.rows.findChildren(QLineEdit) if f.isVisibleTo(panel))
    assert isinstance(field, QLineEdit)
    return field


def test_escape_leaves_a_name_as_it_was_and_closes_the_field(
    open_workspace: Workspace, show: Any
) -> None:
    w = open_workspace
    panel = show(ClassesPanel(w))
    panel.rows._take_classes(w.classes)
    panel.rows.rename(9)
    field = field_of(panel)
    QTest.keyClicks(field, "Lorry")
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert not field.isVisibleTo(panel)
    assert w.project.classes[9].name == "Car"


def test_escape_adds_no_class(open_workspace: Workspace, show: Any, qtbot: Any) -> None:
    w = open_workspace
    panel = show(ClassesPanel(w))
    panel.rows._take_classes(w.classes)
    high = panel.rows.sizeHint().height()
    QTest.mouseClick(panel.add, LEFT)
    assert panel.rows.sizeHint().height() > high
    assert field_of(panel).text() == "Class 1"
    QTest.keyClick(field_of(panel), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: panel.rows.sizeHint().height() == high)
    assert len(w.project.classes) == 12
    assert w.project_steps.undoable is None


def test_a_click_on_another_class_or_item_closes_the_field_and_takes_the_name(
    open_workspace: Workspace, show: Any
) -> None:
    w = open_workspace
    panel = show(ClassesPanel(w))
    panel.rows._take_classes(w.classes)
    panel.rows.rename(9)
    field = field_of(panel)
    QTest.keyClicks(field, "Lorry")
    click_class(panel, 6, 80)
    assert not field.isVisibleTo(panel)
    assert w.project.classes[9].name == "Lorry"
    panel.rows.rename(9)
    field = field_of(panel)
    w.step(1)
    assert not field.isVisibleTo(panel)


def test_a_name_is_whole_where_the_panel_has_room_for_it(
    open_workspace: Workspace, show: Any
) -> None:
    w = open_workspace
    panel = show(ClassesPanel(w))
    panel.resize(280, 400)
    w.set_classes(w.classes.changed(9, name="foreground"))
    rows = panel.rows
    c = next(c for c in rows._classes if c.name == "foreground")
    wide = QFontMetrics(theme().font("group")).horizontalAdvance("foreground")
    assert rows._name_end(c, rows._columns()) - 8 - 52 >= wide


def test_arrows_walk_the_classes_and_pass_over_void(open_workspace: Workspace, show: Any) -> None:
    w = open_workspace
    panel = show(ClassesPanel(w))
    panel.rows._take_classes(w.classes)
    w.set_active_class(11)
    QTest.keyClick(panel.rows, Qt.Key.Key_Down)
    assert w.active_class == 1
    QTest.keyClick(panel.rows, Qt.Key.Key_Up)
    assert w.active_class == 11


def test_the_score_column_switches_between_iou_and_dice(
    open_workspace: Workspace, show: Any
) -> None:
    panel = show(ClassesPanel(open_workspace))
    assert panel.score.text() == "IoU"
    QTest.mouseClick(panel.score, LEFT)
    assert panel.score.text() == "Dice"
    assert open_workspace.settings.get("correct.score") == "dice"


def test_a_click_on_a_queue_row_opens_the_item(
    open_workspace: Workspace, show: Any, qtbot: Any
) -> None:
    w = open_workspace
    panel = show(QueuePanel(w))
    panel.thumbnails.load(w.project)
    assert panel.model.rowCount() == 3
    assert panel.counted.text() == "0 of 3 accepted"
    place = panel.view.visualRect(panel.model.index(2)).center()
    QTest.mouseClick(panel.view.viewport(), LEFT, NONE, place)
    qtbot.waitUntil(lambda: w.item.id == w.queue.order[2], timeout=20_000)
    assert panel.view.currentIndex().row() == 2
    panel.thumbnails.close()


def test_thumbnails_are_made_once_and_kept_in_the_cache(
    open_workspace: Workspace, show: Any, qtbot: Any
) -> None:
    w = open_workspace
    panel = show(QueuePanel(w))
    panel.thumbnails.load(w.project)
    ids = set(w.queue.order)
    qtbot.waitUntil(
        lambda: {p.stem for p in (w.project.cache_dir / "thumbnails").glob("*.png")} == ids,
        timeout=20_000,
    )
    qtbot.waitUntil(lambda: panel.thumbnails.get(w.item) is not None, timeout=20_000)
    panel.thumbnails.close()


def test_who_reads_a_small_picture_while_it_is_kept_finds_a_whole_one(tmp_path: Path) -> None:
    image = QImage(COVER_WIDTH, COVER_HEIGHT, QImage.Format.Format_RGB888)
    noise = np.random.default_rng(0).integers(0, 256, image.sizeInBytes(), np.uint8)
    np.frombuffer(image.bits(), np.uint8)[:] = noise  # so that writing takes its time
    file = tmp_path / "covers" / "first.png"
    keep_picture(image, file)
    writer = threading.Thread(target=lambda: [keep_picture(image, file) for _ in range(20)])
    writer.start()
    while writer.is_alive():
        assert QImage(str(file)).convertToFormat(image.format()) == image
    writer.join()
    assert [path.name for path in file.parent.iterdir()] == ["first.png"]


def test_a_cache_that_cannot_be_written_keeps_nothing_and_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "covers").write_text("a file where the folder should be")
    image = QImage(8, 8, QImage.Format.Format_RGB888)
    keep_picture(image, tmp_path / "covers" / "first.png")
    assert (tmp_path / "covers").is_file()


def test_ten_thousand_rows_ask_for_what_is_seen_only(
    workspace: Workspace, show: Any, tmp_path: Path, qtbot: Any
) -> None:
    from segcore.base import CLASS_PRESETS, Shape
    from segcore.store import NewItem, Project

    path = tmp_path / "many.maskwright"
    with Project.create(path, CLASS_PRESETS["binary"]) as project:
        shape = Shape(1, 64, 64)
        project.add_items([NewItem(f"p{i:05d}", [], shape) for i in range(10_000)])
    panel = show(QueuePanel(workspace))
    with qtbot.waitSignal(workspace.queue.changed, timeout=20_000):
        workspace.open_project(path)
    panel.view.repaint()
    assert panel.model.rowCount() == 10_000
    assert len(panel.thumbnails._wanted) + len(panel.thumbnails._pixmaps) < 100
    panel.thumbnails.close()


def test_history_lists_steps_newest_first_and_a_click_jumps(
    open_workspace: Workspace, show: Any, qtbot: Any
) -> None:
    w = open_workspace
    panel = show(HistoryPanel(w))
    for x in (100.5, 300.5):
        w.submit(Stroke(0, ((200.5, x),), 5, 11, origin=w.person_origin(), name="Brush Bicyclist"))
    qtbot.waitUntil(lambda: len(w.history) == 3 and w.waiting_strokes == 0, timeout=20_000)
    assert [r.name for r in panel.model.rows][:2] == ["Brush Bicyclist"] * 2
    assert panel.model.present == 0
    place = panel.view.visualRect(panel.model.index(2)).center()
    QTest.mouseClick(panel.view.viewport(), LEFT, NONE, place)
    qtbot.waitUntil(lambda: panel.model.present == 2, timeout=20_000)
    assert [r.state for r in panel.model.rows] == ["undone", "undone", "done"]
    place = panel.view.visualRect(panel.model.index(0)).center()
    QTest.mouseClick(panel.view.viewport(), LEFT, NONE, place)
    qtbot.waitUntil(lambda: panel.model.present == 0, timeout=20_000)


def test_sliders_move_fill_and_outline(open_workspace: Workspace, show: Any) -> None:
    w = open_workspace
    panel = show(ViewPanel(w))
    panel.fill.setValue(60)
    panel.outline.setValue(20)
    assert (w.fill_opacity, w.outline_opacity) == (0.6, 0.2)
    w.set_fill(0.1)
    assert panel.fill.value() == 10


def test_the_eye_of_the_view_is_shut_while_the_mask_is_hidden(
    open_workspace: Workspace, show: Any
) -> None:
    w = open_workspace
    panel = show(ViewPanel(w))

    def drawn() -> QImage:
        return panel.eye.icon().pixmap(16, 16).toImage()

    def wanted(name: str, role: str) -> QImage:
        return pixmap(name, role, 16).toImage()

    assert drawn() == wanted("eye", "muted")
    assert panel.eye.toolTip() == panel.eye.accessibleName() == "Hide the mask (S)"
    QTest.mouseClick(panel.eye, LEFT)
    assert w.mask_hidden
    assert drawn() == wanted("eye-off", "text")
    assert panel.eye.toolTip() == panel.eye.accessibleName() == "Show the mask (S)"
    assert not panel.eye.isChecked()  # no lit ground: the shut eye says it
    w.set_mask_hidden(False)
    assert drawn() == wanted("eye", "muted")
    w.set_mask_hidden(True)
    QTest.mouseClick(panel.eye, LEFT)
    assert not w.mask_hidden


def test_a_view_that_is_not_there_cannot_be_chosen_and_says_why(
    open_workspace: Workspace, show: Any, qtbot: Any
) -> None:
    w = open_workspace
    panel = show(ViewPanel(w))
    w.open_item(w.queue.order[2])
    qtbot.waitUntil(lambda: w.item.id == w.queue.order[2], timeout=20_000)
    cell = panel.mode._cell(1).center().toPoint()
    QTest.mouseClick(panel.mode, LEFT, NONE, cell)
    assert w.view_mode == "label"
    QTest.mouseMove(panel.mode, cell)
    assert panel.mode.toolTip() == "No model has predicted this item."
    QTest.mouseClick(panel.mode, LEFT, NONE, panel.mode._cell(2).center().toPoint())
    assert w.view_mode == "truth"


def test_scores_say_their_n_and_the_change(open_workspace: Workspace, show: Any) -> None:
    panel = show(ScoresPanel(open_workspace))
    assert panel._iou.text() == f"{open_workspace.scores.mean_iou:.3f}"
    assert panel._covered.text().endswith("of 11 classes")
    assert panel._since.text() == "+0.000 since opened"


def test_the_window_panel_is_there_for_deep_pictures_only(
    workspace: Workspace, show: Any, shared_data: Path, tmp_path: Path, qtbot: Any
) -> None:
    from segcore.projects.new import NewProject, create_project

    path = tmp_path / "ct.maskwright"
    create_project(NewProject(path=path, images=shared_data / "ct_dicom"))
    panel = show(WindowPanel(workspace))
    with qtbot.waitSignal(workspace.image_loaded, timeout=30_000):
        workspace.open_project(path)
    assert panel.isVisible()
    QTest.mouseClick(panel.presets, LEFT, NONE, panel.presets._cell(1).center().toPoint())
    assert workspace.window == (-1350.0, 150.0)
    assert (panel.width_field.value(), panel.level_field.value()) == (1500, -600)
    assert (panel.width_field.text(), panel.level_field.text()) == ("1500", "−600")
    assert panel.header.note == "HU"
    for typed, level in (("-500", -500.0), ("−450", -450.0)):
        line = panel.level_field.lineEdit()
        line.selectAll()
        line.insert(typed)  # as pasting does; QTest types ASCII only
        QTest.keyClick(line, Qt.Key.Key_Return)
        assert workspace.window == (level - 750, level + 750)
        assert panel.level_field.text() == typed.replace("-", "−")
    panel.setStyleSheet(style_sheet(theme().hex, 16))
    for field in (panel.width_field, panel.level_field):
        assert buttons_width(field) <= 0  # it is typed into and scrubbed


def buttons_width(field: QAbstractSpinBox) -> int:
    """How wide the arrows of a spin box are drawn."""
    option = QStyleOptionSpinBox()
    field.initStyleOption(option)
    control, part = QStyle.ComplexControl.CC_SpinBox, QStyle.SubControl.SC_SpinBoxUp
    return field.style().subControlRect(control, option, part, field).width()


def test_the_window_panel_hides_for_eight_bits(open_workspace: Workspace, show: Any) -> None:
    panel = WindowPanel(open_workspace)
    panel._take_image(open_workspace.image)
    assert panel.isHidden()


def test_numbers_are_short_and_exact() -> None:
    assert short(9_999) == "9,999 px"
    assert short(172_800) == "173 k px"
    assert seconds(18.2) == "18 s"
    assert seconds(600) == "10 min"
    assert seconds(7200) == "2.0 h"


def test_a_step_that_only_erases_says_what_was_lost() -> None:
    class Step:
        pixels = {0: (71, 0), 11: (0, 71)}  # noqa: RUF012

    assert pixels_text(Step()) == "−71 px"


def test_predict_is_offered_while_there_is_no_mask(
    open_workspace: Workspace, show: Any, qtbot: Any
) -> None:
    w = open_workspace
    panel = show(ViewPanel(w))
    assert not panel.predict.isVisible()
    w.open_item(w.queue.order[2])
    qtbot.waitUntil(lambda: w.item.id == w.queue.order[2], timeout=20_000)
    assert panel.predict.isVisible()
    w.submit(Stroke(0, ((50.5, 50.5),), 5, 11, origin=w.person_origin()))
    qtbot.waitUntil(lambda: not panel.predict.isVisible(), timeout=20_000)


@pytest.mark.parametrize(
    ("first", "last", "text"), [(8, 8, ", slice 9"), (2, 4, ", slices 3 to 5"), (0, 19, "")]
)
def test_a_step_in_a_volume_names_its_slices(first: int, last: int, text: str) -> None:
    assert slices_text((first, last, None), 20) == text
    assert slices_text(None, 20) == ""
    assert slices_text((0, 0, None), 1) == ""


def test_history_of_a_volume_says_where_a_stroke_was(
    workspace: Workspace, show: Any, shared_data: Path, tmp_path: Path, qtbot: Any
) -> None:
    from segcore.projects.new import NewProject, create_project

    path = tmp_path / "ct.maskwright"
    create_project(NewProject(path=path, images=shared_data / "ct_dicom"))
    panel = show(HistoryPanel(workspace))
    with qtbot.waitSignal(workspace.image_loaded, timeout=30_000):
        workspace.open_project(path)
    path_of_brush = ((100.5, 100.5), (100.5, 120.5))
    workspace.submit(Stroke(3, path_of_brush, 6, 1, origin=1, name="Brush lung"))
    qtbot.waitUntil(lambda: len(panel.model.rows) == 1, timeout=20_000)
    assert panel.model.index(0).data() == "Brush lung, slice 4"
