"""Tools as generators: events go in, previews come out, an edit is returned. No screen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.theme.icons import exists
from app.tools import BY_ID, TOOLS
from app.tools.tool import Choice, Flag, Number, Tool
from app.workspace.gesture import (
    Context,
    Event,
    Key,
    OutlinePreview,
    Pointer,
    SeedsPreview,
    Solved,
    StrokePreview,
)
from segcore.base import Rect, Shape
from segcore.edits import Fill, Polygon, Region, Stroke
from segcore.labels import Guard, Labels


def context(**fields: Any) -> Context:
    given: dict[str, Any] = {
        "z": 0,
        "labels": Labels.empty(Shape(1, 100, 120)),
        "class_id": 2,
        "class_name": "Car",
        "guard": Guard(),
        "origin": 7,
        "options": {},
    }
    return Context(**{**given, **fields})


def run(tool: str, events: list[Event], **fields: Any) -> tuple[list[Any], Any]:
    """All previews, and what the gesture returned; "running" if it waits for more."""
    gesture = BY_ID[tool]().gesture(context(**fields))
    previews = [next(gesture)]
    for event in events:
        try:
            previews.append(gesture.send(event))
        except StopIteration as end:
            return previews, end.value
    gesture.close()
    return previews, "running"


def press(y: float, x: float, button: str = "left", **held: bool) -> Pointer:
    return Pointer("press", y, x, button, **held)


def move(y: float, x: float) -> Pointer:
    return Pointer("move", y, x, "left")


def release(y: float, x: float, button: str = "left") -> Pointer:
    return Pointer("release", y, x, button)


# -- the table --------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.id)
def test_every_tool_describes_itself(tool: type[Tool]) -> None:
    assert tool.name
    assert tool.help.endswith(".")
    assert exists(tool.icon), f"there is no drawing {tool.icon}.svg"


def test_no_two_tools_share_an_id_or_a_key() -> None:
    assert len({tool.id for tool in TOOLS}) == len(TOOLS)
    keys = [tool.key for tool in TOOLS if tool.key]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.id)
def test_defaults_are_allowed_values(tool: type[Tool]) -> None:
    for option in tool.options:
        if isinstance(option, Number):
            assert option.low <= option.default <= option.high
        elif isinstance(option, Choice):
            assert option.default in [value for value, _, _ in option.values]
            assert all(exists(icon) for _, _, icon in option.values)
        elif isinstance(option, Flag):
            assert isinstance(option.default, bool)
            assert not option.icon or exists(option.icon)
    assert set(tool.defaults()) == {option.name for option in tool.options}


def test_the_brush_goes_from_1_to_4000_pixels() -> None:
    size = next(option for option in BY_ID["brush"].options if option.name == "size")
    assert isinstance(size, Number)
    assert (size.low, size.high) == (1, 4000)


# -- brush and eraser -------------------------------------------------------------------------


def test_a_brush_returns_the_path_it_was_led_along() -> None:
    _, edit = run(
        "brush",
        [press(1, 2), move(3, 4), move(3, 4), release(5, 6)],
        options={"size": 9.0, "shape": "square"},
        guard=Guard(locked=frozenset({3})),
    )
    assert edit == Stroke(
        0,
        ((1, 2), (3, 4), (5, 6)),
        4.5,
        2,
        True,
        guard=Guard(locked=frozenset({3})),
        origin=7,
        name="Brush Car",
        tool="brush",
    )


def test_a_brush_previews_each_point_once() -> None:
    previews, _ = run("brush", [press(1, 2), move(3, 4), move(3, 4)])
    assert [p.added for p in previews if isinstance(p, StrokePreview)] == [
        (),
        ((1, 2),),
        ((3, 4),),
        (),
    ]


def test_an_eraser_paints_class_0() -> None:
    _, edit = run("eraser", [press(1, 2), release(1, 2)])
    assert edit.class_id == 0
    assert edit.tool == "eraser"


def test_a_closed_gesture_leaves_no_state_for_the_next() -> None:
    tool = BY_ID["brush"]()
    first = tool.gesture(context())
    next(first)
    first.send(press(1, 1))
    first.close()
    second = tool.gesture(context())
    next(second)
    with pytest.raises(StopIteration) as end:
        second.send(release(9, 9))
    assert end.value.value.path == ((9, 9),)


# -- polygon ----------------------------------------------------------------------------------


def click(y: float, x: float) -> list[Event]:
    return [press(y, x), release(y, x)]


TRIANGLE = [*click(10, 10), *click(10, 40), *click(40, 40)]


@pytest.mark.parametrize(
    "end", [Key("enter"), Pointer("double", 40, 40, "left"), press(11, 11), press(5, 90, "right")]
)
def test_enter_double_click_right_click_and_the_first_corner_close_a_polygon(end: Event) -> None:
    _, edit = run("polygon", [*TRIANGLE, end])
    assert isinstance(edit, Polygon)
    assert edit.rings == (((10, 10), (10, 40), (40, 40)),)
    assert edit.name == "Polygon Car"


def test_the_first_corner_closes_within_ten_screen_pixels_at_every_zoom() -> None:
    near = press(10.9, 10)
    assert run("polygon", [*TRIANGLE, near], scale=8.0)[1] != "running"
    assert run("polygon", [*TRIANGLE, near], scale=32.0)[1] == "running"


def test_two_corners_are_no_polygon() -> None:
    assert run("polygon", [*click(1, 1), *click(1, 9), Key("enter")])[1] is None


def test_backspace_takes_the_last_corner_back() -> None:
    previews, _ = run("polygon", [*TRIANGLE, Key("backspace")])
    assert isinstance(previews[-1], OutlinePreview)
    assert previews[-1].points == ((10, 10), (10, 40))
    _, edit = run("polygon", [*click(1, 1), Key("backspace")])
    assert edit is None


def test_a_drag_leaves_corners_like_a_lasso() -> None:
    along = [move(10 + n, 10) for n in range(1, 30)]
    previews, _ = run("polygon", [press(10, 10), *along, release(39, 10)], scale=1.0)
    assert len(previews[-1].points) == 8


# -- fill and pick ----------------------------------------------------------------------------


def test_fill_names_the_pixel_under_the_mouse() -> None:
    _, edit = run("fill", [press(10.9, 20.1), release(10.9, 20.1)])
    assert isinstance(edit, Fill)
    assert edit.at == (10, 20)


def test_fill_beside_the_picture_does_nothing() -> None:
    assert run("fill", [press(-0.1, 20), release(-0.1, 20)])[1] is None


def test_pick_chooses_the_class_under_the_mouse() -> None:
    classes = np.zeros((20, 20), np.uint16)
    classes[5, 6] = 3
    chosen: list[int] = []
    labels = Labels.from_array(classes)
    for point in ((5.5, 6.5), (5.5, 7.5), (-3.0, 2.0)):
        run("pick", [press(*point), release(*point)], labels=labels, choose_class=chosen.append)
    assert chosen == [3]


# -- grabcut ----------------------------------------------------------------------------------


class Solver:
    """Takes questions and numbers them."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def __call__(self, *question: Any) -> int:
        self.asked.append(question)
        return len(self.asked)

    def answer(self, number: int) -> Solved:
        _, rect, seeds, _, _ = self.asked[number - 1]
        return Solved(number, rect, seeds == 1)


SEED = [press(50, 50), move(50, 60), release(50, 60)]


def test_a_left_seed_marks_the_object_and_a_right_one_the_background() -> None:
    solver = Solver()
    beside = [press(70, 50, "right"), release(70, 60, "right")]
    run("grabcut", [*SEED, *beside], solve=solver, options={"size": 4.0, "rounds": 3})
    _, rect, seeds, box, rounds = solver.asked[-1]
    assert seeds.shape == (rect.height, rect.width)
    assert seeds[50 - rect.y, 55 - rect.x] == 1
    assert seeds[70 - rect.y, 55 - rect.x] == 2
    assert box is None
    assert rounds == 3
    assert rect.area < 100 * 120


def test_alt_and_the_option_mark_background_too() -> None:
    for held, options in ((True, {}), (False, {"marks": "background"})):
        solver = Solver()
        stroke = [press(20, 20, alt=held), release(20, 30)]
        gesture_options = {"size": 4.0, **options}
        run("grabcut", [*SEED[:0], *stroke], solve=solver, options=gesture_options)
        assert solver.asked == []


def test_background_alone_asks_nothing() -> None:
    solver = Solver()
    run("grabcut", [press(50, 50, "right"), release(50, 60, "right")], solve=solver)
    assert solver.asked == []


def test_a_box_alone_is_a_question() -> None:
    solver = Solver()
    drag = [press(20.5, 30.5), move(40, 60), release(60.2, 70.9)]
    previews, _ = run("grabcut", drag, solve=solver, options={"box": True})
    assert solver.asked[0][3] == Rect(20, 30, 41, 41)
    assert previews[-1].box == Rect(20, 30, 41, 41)


def test_enter_takes_what_was_found_as_a_region() -> None:
    solver = Solver()
    gesture = BY_ID["grabcut"]().gesture(
        context(solve=solver, refined=9, options={"size": 4.0}, class_name="Nucleus")
    )
    next(gesture)
    for event in SEED:
        preview = gesture.send(event)
    assert isinstance(preview, SeedsPreview)
    assert preview.solving
    preview = gesture.send(solver.answer(1))
    assert preview.found is not None
    with pytest.raises(StopIteration) as end:
        gesture.send(Key("enter"))
    edit = end.value.value
    assert isinstance(edit, Region)
    assert np.array_equal(edit.mask, solver.asked[0][2] == 1)
    assert (edit.origin, edit.name, edit.tool) == (9, "GrabCut Nucleus", "grabcut")


def test_only_the_answer_to_the_newest_question_counts() -> None:
    solver = Solver()
    gesture = BY_ID["grabcut"]().gesture(context(solve=solver, options={"size": 4.0}))
    next(gesture)
    for event in [*SEED, press(60, 50), release(60, 60)]:
        gesture.send(event)
    late = gesture.send(solver.answer(1))
    assert late.found is None
    assert late.solving
    assert gesture.send(solver.answer(2)).found is not None


def test_escape_drops_the_region_and_a_second_one_the_seeds() -> None:
    solver = Solver()
    gesture = BY_ID["grabcut"]().gesture(context(solve=solver, options={"size": 4.0}))
    next(gesture)
    for event in SEED:
        gesture.send(event)
    gesture.send(solver.answer(1))
    dropped = gesture.send(Key("escape"))
    assert dropped.found is None
    assert len(dropped.strokes) == 1
    with pytest.raises(StopIteration) as end:
        gesture.send(Key("escape"))
    assert end.value.value is None


def test_a_preview_leaves_out_what_the_guard_forbids() -> None:
    classes = np.zeros((100, 120), np.uint16)
    classes[:, 55:] = 5
    solver = Solver()
    gesture = BY_ID["grabcut"]().gesture(
        context(
            solve=solver,
            options={"size": 4.0},
            labels=Labels.from_array(classes),
            guard=Guard(locked=frozenset({5})),
        )
    )
    next(gesture)
    for event in SEED:
        gesture.send(event)
    found = gesture.send(solver.answer(1))
    rect = found.region
    assert found.found[:, : 55 - rect.x].any()
    assert not found.found[:, 55 - rect.x :].any()


def test_a_question_that_failed_says_why_and_keeps_the_seeds() -> None:
    solver = Solver()
    gesture = BY_ID["grabcut"]().gesture(context(solve=solver, options={"size": 4.0}))
    next(gesture)
    for event in SEED:
        gesture.send(event)
    failed = gesture.send(Solved(1, Rect(0, 0, 1, 1), None, reason="It took over 10 s."))
    assert failed.message == "It took over 10 s."
    assert len(failed.strokes) == 1
