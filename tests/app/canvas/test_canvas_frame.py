"""Tiles: composed once for what they show, off the GUI thread where there is much, and shared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from canvas_stage import Stage
from PySide6.QtGui import QImage

import app.canvas.composed as composed
import app.canvas.frame as frame
from app.canvas.grid import tiles_over
from app.canvas.look import make_look
from app.canvas.picture import Picture, area_halved
from app.canvas.sampling import LabelSampler
from app.canvas.scene import Scene, compose
from app.workspace import PredictedTile
from segcore import images
from segcore.base import ClassId, ClassSet, Rect, SegClass
from segcore.labels import Labels

MakeStage = Callable[..., Stage]
COLOURED = ClassSet((SegClass(ClassId(2), "car", 1, "#E69F00"),))


class Counted:
    """Counts what is composed and on which thread."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here: list[Rect] = []
        self.beside: list[Rect] = []

        def count(scene: Scene, rect: Rect, *args: Any, **options: Any) -> Any:
            main = threading.current_thread() is threading.main_thread()
            (self.here if main else self.beside).append(rect)
            return compose(scene, rect, *args, **options)

        monkeypatch.setattr(composed, "compose", count)
        monkeypatch.setattr(frame, "compose", count)

    @property
    def total(self) -> int:
        return len(self.here) + len(self.beside)


def test_painting_a_frame_again_composes_nothing(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage(labels=np.full((48, 64), 2, np.uint16))
    counted = Counted(monkeypatch)
    s.grab()
    s.move(10, 10)
    s.move(20, 20)
    assert counted.total == 0


def test_undo_and_redo_show_tiles_that_were_kept(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage()
    s.view_at(4.0)
    s.drag((20, 10))  # the first stroke of a person makes their outlines solid: another look
    s.settle()
    s.drag((20, 30), (22, 34))
    s.settle()
    s.qtbot.waitUntil(lambda: len(s.workspace.history) == 2)
    counted = Counted(monkeypatch)
    with s.qtbot.waitSignal(s.workspace.labels_changed):
        s.workspace.undo()
    s.qtbot.waitUntil(lambda: s.workspace.can_redo)
    with s.qtbot.waitSignal(s.workspace.labels_changed):
        s.workspace.redo()
    s.settle()
    assert counted.total == 0


def test_panning_composes_only_what_comes_into_sight(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage(shape=(900, 900), size=(400, 300))
    s.view_at(1.0, (450, 450))
    seen = set(tiles_over(s.canvas.view.visible))
    counted = Counted(monkeypatch)
    s.canvas.set_view(s.canvas.view.panned(0, -200))
    s.settle()
    now = set(tiles_over(s.canvas.view.visible))
    assert counted.total == len(now - seen) > 0


def test_a_stroke_composes_only_around_itself(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage(shape=(900, 900), size=(800, 600))
    s.view_at(1.0, (450, 450))
    s.workspace.set_tool_option("size", 20.0)
    counted = Counted(monkeypatch)
    s.press(450, 450)
    s.move(452, 460)
    assert counted.here
    assert not counted.beside
    assert all(rect.area < 70 * 70 for rect in counted.here)
    s.release(452, 460)
    s.settle()


def test_what_takes_longer_than_a_frame_leaves_the_gui_thread(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage(shape=(1200, 1200), size=(800, 600))
    monkeypatch.setattr(frame, "_BUDGET_S", -1.0)
    counted = Counted(monkeypatch)
    s.view_at(1.0, (600, 600))
    s.settle()
    assert not counted.here
    assert len(counted.beside) >= len(list(tiles_over(s.canvas.view.visible)))


def test_the_frame_before_stays_under_tiles_that_are_still_made(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage(shape=(600, 800), size=(500, 400))
    s.settle()
    monkeypatch.setattr(frame, "_BUDGET_S", -1.0)
    requested: list[Any] = []
    monkeypatch.setattr(s.canvas.frame.tiles, "request", requested.extend)
    surround = s.pixels()[1, 1]
    s.canvas.zoom_to(s.canvas.view.scale * 1.5, (200, 250))
    assert requested
    assert not s.canvas.is_settled
    middle = s.pixels()[150:250, 200:300]
    assert (middle != surround).any(axis=2).all()
    monkeypatch.undo()
    s.canvas.refresh()
    s.settle()


def test_tiles_that_are_nearest_are_asked_for_first(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = stage(shape=(1200, 1200), size=(800, 600))
    monkeypatch.setattr(frame, "_BUDGET_S", -1.0)
    asked: list[Any] = []
    monkeypatch.setattr(s.canvas.frame.tiles, "request", asked.extend)
    s.canvas.cursor_painter.leave()
    s.canvas.zoom_to(1.01)
    distances = [distance for distance, *_ in asked]
    assert distances == sorted(distances)
    monkeypatch.undo()
    s.canvas.refresh()
    s.settle()


def test_a_whole_canvas_is_what_one_composition_would_be(stage: MakeStage) -> None:
    rng = np.random.default_rng(5)
    blobs = cv2.resize(
        rng.integers(0, 4, (12, 16)).astype(np.uint16), (640, 480), interpolation=cv2.INTER_NEAREST
    )
    s = stage(shape=(480, 640), labels=blobs, size=(700, 560))
    for scale in (0.4, 1.0, 1.7, 5.0):
        s.view_at(scale)
        s.canvas.cursor_painter.leave()
        view, scene = s.canvas.view, s.canvas.frame.scene
        visible = view.visible
        expected = compose(scene, visible, LabelSampler())
        place = view.screen_rect(visible)
        shown = s.pixels()[place.slices].astype(int)
        # The smooth picture may be rounded otherwise; labels and lines are the same.
        assert np.abs(shown - expected[..., 2::-1]).max() <= (2 if 1 < scale < 2 else 0)


def test_a_picture_is_smooth_below_200_percent_and_squares_from_there(tmp_path: Any) -> None:
    path = tmp_path / "checks.png"
    cv2.imwrite(str(path), np.indices((16, 16)).sum(axis=0).astype(np.uint8) % 2 * 200)
    picture = Picture(images.open(path), 1)
    smooth = picture.tile(0, Rect(0, 0, 30, 30), (1.9, 1.9), (0.0, 255.0))
    squares = picture.tile(0, Rect(0, 0, 32, 32), (2.0, 2.0), (0.0, 255.0))
    assert len(np.unique(smooth)) > 10
    assert np.array_equal(squares[..., 0], np.kron(squares[::2, ::2, 0], np.ones((2, 2))))
    assert set(np.unique(squares).tolist()) == {0, 200}


def test_half_a_pixel_is_kept_by_the_smooth_picture(tmp_path: Any) -> None:
    path = tmp_path / "edge.png"
    pixels = np.zeros((16, 16), np.uint8)
    pixels[:, 8:] = 200
    cv2.imwrite(str(path), pixels)
    picture = Picture(images.open(path), 1)
    shown = picture.tile(0, Rect(0, 0, 24, 24), (1.5, 1.5), (0.0, 255.0))[..., 0]
    # The edge at column 8 lies at 12 on the screen, as far from either side.
    assert np.allclose(shown[5] + shown[5][::-1], 200, atol=2)
    half = Picture(images.open(path), 2).tile(0, Rect(0, 0, 8, 8), (0.5, 0.5), (0.0, 255.0))
    assert half[3, :, 0].tolist() == [0, 0, 0, 0, 200, 200, 200, 200]


def test_halves_are_means_and_keep_their_depth() -> None:
    pixels = np.arange(4 * 6, dtype=np.uint16).reshape(4, 6, 1) * 1000
    small = area_halved(pixels)
    assert small.dtype == np.uint16
    assert small.shape == (2, 3, 1)
    assert small[0, 0, 0] == pixels[:2, :2].mean()
    assert area_halved(np.zeros((5, 5, 6), np.int32)).shape == (3, 3, 3)


def test_the_key_of_a_piece_changes_with_what_it_shows_and_with_nothing_else() -> None:
    classes = np.zeros((600, 600), np.uint16)
    classes[10, 10] = 2
    labels = Labels.from_array(classes)
    look = make_look(1, COLOURED, active=2)
    scene = Scene(None, labels, 0, (0, 255), (1.0, 1.0), (600, 600), look)
    from segcore.edits import Stroke

    far = labels.after(Stroke(0, ((500, 500),), 3, 2).apply(labels, None))
    near = labels.after(Stroke(0, ((20, 20),), 3, 2).apply(labels, None))
    piece = Rect(0, 0, 200, 200)

    def key(of: Labels) -> Any:
        return Scene(None, of, 0, (0, 255), (1.0, 1.0), (600, 600), look).key(piece)

    assert key(far) == scene.key(piece)
    assert key(near) != scene.key(piece)
    assert scene.key(piece) != Scene(
        None, labels, 0, (0, 255), (1.0, 1.0), (600, 600), make_look(2, COLOURED, active=2)
    ).key(piece)


def test_pieces_of_a_prediction_are_shown_as_they_come(stage: MakeStage) -> None:
    s = stage()
    s.view_at(4.0)
    s.workspace.set_outline(0.0)
    s.canvas.cursor_painter.leave()
    before = s.pixels()
    tile = PredictedTile(0, Rect(10, 10, 20, 20), np.full((20, 20), 3, np.uint16))
    s.workspace.prediction_tile_arrived.emit(tile)
    s.settle()
    differs = (s.pixels() != before).any(axis=2)
    place = s.canvas.view.screen_rect(Rect(40, 40, 80, 80))
    expected = np.zeros(differs.shape, bool)
    expected[place.slices] = True
    assert np.array_equal(differs, expected)
    assert not s.workspace.labels.planes
    s.workspace.proposal_changed.emit(None)
    s.settle()
    assert np.array_equal(s.pixels(), before)


def test_a_prediction_does_not_cover_a_persons_work(stage: MakeStage) -> None:
    s = stage(labels=np.full((48, 64), 2, np.uint16))
    before = s.pixels()
    tile = PredictedTile(0, Rect(10, 10, 20, 20), np.full((20, 20), 3, np.uint16))
    s.workspace.prediction_tile_arrived.emit(tile)
    s.settle()
    assert np.array_equal(s.pixels(), before)


def test_tiles_are_forgotten_when_memory_is_short() -> None:
    tiles = composed.ComposedTiles(limit_bytes=3 * 4 * 100)
    for number in range(10):
        pixels = np.zeros((10, 10, 4), np.uint8)
        tiles._keep(composed.Tile(number, pixels, QImage()))
    assert tiles.get(9) is not None
    assert tiles.get(0) is None


def test_a_picture_that_turns_out_to_be_damaged_is_named(stage: MakeStage) -> None:
    s = stage()
    from segcore.base import BadFile

    with s.qtbot.waitSignal(s.canvas.frame.tiles.failed):
        s.canvas.frame.tiles._made.emit(
            ((0, 0), "key", BadFile("picture0.png is cut off.", "Copy it again."))
        )
    assert "picture0.png is cut off." in s.canvas.accessibleDescription()
