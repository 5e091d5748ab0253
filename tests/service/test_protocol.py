"""Messages and arrays over a real pipe, and what is refused there."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection, Pipe
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from segcore.base import CLASS_PRESETS, Rect
from segcore.service.protocol import (
    Cancel,
    Channel,
    Grabcut,
    Hello,
    JobChanged,
    Measure,
    ModelDescribed,
    ModelMeasured,
    Predict,
    PredictionDone,
    ProtocolError,
    Submit,
    TilePredicted,
)

NUMBERS = st.one_of(
    arrays_of.boolean_dtypes(),
    arrays_of.integer_dtypes(),
    arrays_of.unsigned_integer_dtypes(),
    arrays_of.floating_dtypes(),
    arrays_of.complex_number_dtypes(),
)
SHAPES = arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=7)


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, theirs = Pipe()
    yield Channel(ours), Channel(theirs)
    ours.close()
    theirs.close()


def there(ends: tuple[Channel, Channel], message: Any) -> Any:
    """The message as it arrives; sent on a thread, because a pipe holds only so much."""
    sender = threading.Thread(target=ends[0].send, args=(message,))
    sender.start()
    got = ends[1].receive()
    sender.join()
    return got


def job(image: Any, seeds: Any) -> Grabcut:
    return Grabcut(key="k", rect=Rect(1, 2, 3, 4), image=image, seeds=seeds)


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_arrays_of_every_number_and_shape_arrive_bit_for_bit(
    ends: tuple[Channel, Channel], data: st.DataObject
) -> None:
    dtype = data.draw(NUMBERS)
    array = data.draw(arrays_of.arrays(dtype, SHAPES))
    turned = array.T  # not contiguous in C's order
    got = there(ends, Submit(5, job(array, turned))).job
    for sent, came in ((array, got.image), (turned, got.seeds)):
        assert came.dtype == sent.dtype
        assert came.shape == sent.shape
        assert came.tobytes() == sent.tobytes()


def test_an_array_that_arrived_cannot_be_written(ends: tuple[Channel, Channel]) -> None:
    got = there(ends, Submit(1, job(np.zeros((2, 2)), np.zeros((2, 2), np.uint8)))).job
    with pytest.raises(ValueError, match="read-only"):
        got.image[0, 0] = 1


def test_a_strided_view_of_a_large_picture_arrives_as_what_it_shows(
    ends: tuple[Channel, Channel],
) -> None:
    picture = np.arange(600 * 700 * 3, dtype=np.uint32).reshape(600, 700, 3)
    view = picture[::3, 100:200, ::-1]
    got = there(ends, Submit(1, job(view, view[..., 0]))).job
    assert np.array_equal(got.image, view)
    assert np.array_equal(got.seeds, view[..., 0])


def test_jobs_and_events_arrive_with_their_fields(ends: tuple[Channel, Channel]) -> None:
    predict = Predict(
        key="item 7",
        item="7",
        image_paths=("a b.png", "ü.tif"),
        model_path="m",
        class_rows=tuple(CLASS_PRESETS["camvid"].to_rows()),
        near=(3, 1.5, 2.5),
        rect=Rect(1, 2, 3, 4),
        slices=(0, 4),
        model_options={"mirror": True},
    )
    got = there(ends, Submit(9, predict))
    assert got.number == 9
    assert msgspec.structs.asdict(got.job) == msgspec.structs.asdict(predict)
    assert isinstance(got.job.rect, Rect)
    question = Measure(key="k", question={"folder": "m", "classes": 2}, file="costs.json")
    asked = there(ends, Submit(2, question)).job
    assert msgspec.structs.asdict(asked) == msgspec.structs.asdict(question)
    for event in (
        JobChanged(1, "k", "running", 0.25, "why"),
        PredictionDone(1, "k", "m", "abc", 1.5, ("car",)),
        ModelDescribed(1, "k", {"classes": [{"id": 1}]}),
        ModelMeasured(1, "k", {"memory": 1 << 40}, {"a": {"seconds": 0.5}}),
        Hello(1, "core", 2, 3),
        Cancel(4),
    ):
        assert msgspec.structs.asdict(there(ends, event)) == msgspec.structs.asdict(event)


def test_a_tile_of_a_prediction_keeps_its_three_planes_apart(ends: tuple[Channel, Channel]) -> None:
    planes = [np.full((2, 3), n, t) for n, t in ((700, np.uint16), (8, np.uint8), (9, np.uint8))]
    tile = there(ends, TilePredicted(1, "k", Rect(0, 0, 2, 3), 4, *planes))
    assert (tile.classes[0, 0], tile.confidence[0, 0], tile.margin[0, 0]) == (700, 8, 9)


@pytest.mark.parametrize("array", [np.array([{}]), np.array(["text"]), np.zeros(2, "M8[s]")])
def test_an_array_of_anything_but_numbers_is_not_sent(
    ends: tuple[Channel, Channel], array: Any
) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        ends[0].send(Submit(1, job(array, np.zeros(1, np.uint8))))


class TestWhatIsRefused:
    @pytest.fixture
    def pipe(self) -> Iterator[tuple[Connection, Channel]]:
        ours, theirs = Pipe()
        yield ours, Channel(theirs)
        ours.close()
        theirs.close()

    @given(st.binary(max_size=200))
    @settings(deadline=None, max_examples=200)
    def test_garbage_is_no_message(self, garbage: bytes) -> None:
        ours, theirs = Pipe()
        with ours, theirs:
            ours.send_bytes(garbage)
            ours.close()
            with pytest.raises((ProtocolError, EOFError)):
                Channel(theirs).receive()

    def test_a_pickle_is_refused_and_never_loaded(self, pipe: tuple[Connection, Channel]) -> None:
        loaded: list[int] = []

        class Trap:
            def __reduce__(self) -> Any:
                return loaded.append, (1,)

        pipe[0].send_bytes(pickle.dumps(Trap()))
        with pytest.raises(ProtocolError):
            pipe[1].receive()
        assert not loaded

    @pytest.mark.parametrize(
        "head",
        [
            ["|O", [1]],
            ["<U4", [1]],
            ["|V8", [1]],
            ["nonsense", [1]],
            ["|u1", [-1]],
            ["|u1", [1] * 9],
            ["<f8", [1 << 40, 1 << 40]],
            ["|u1,<f8", [1]],
        ],
    )
    def test_an_array_head_that_lies_is_refused_before_anything_is_allocated(
        self, pipe: tuple[Connection, Channel], head: list[Any]
    ) -> None:
        body = msgspec.msgpack.encode({"is": "Cancel", "number": 1})
        pipe[0].send_bytes(msgspec.msgpack.encode([[head], msgspec.Raw(body)]))
        with pytest.raises(ProtocolError):
            pipe[1].receive()

    def test_fewer_bytes_than_the_head_says_are_refused(
        self, pipe: tuple[Connection, Channel]
    ) -> None:
        body = msgspec.msgpack.encode({"is": "Cancel", "number": 1})
        pipe[0].send_bytes(msgspec.msgpack.encode([[["|u1", [10]]], msgspec.Raw(body)]))
        pipe[0].send_bytes(b"123")
        with pytest.raises(ProtocolError, match="3 bytes"):
            pipe[1].receive()

    @pytest.mark.parametrize("number", [1, -1, "x", None])
    def test_an_array_that_is_not_there_is_refused(
        self, pipe: tuple[Connection, Channel], number: Any
    ) -> None:
        grabcut = {
            "is": "Grabcut",
            "key": "k",
            "rect": [0, 0, 1, 1],
            "image": 0,
            "seeds": number,
        }
        body = msgspec.msgpack.encode({"is": "Submit", "number": 1, "job": grabcut})
        pipe[0].send_bytes(msgspec.msgpack.encode([[["|u1", [1]]], msgspec.Raw(body)]))
        pipe[0].send_bytes(b"1")
        with pytest.raises(ProtocolError):
            pipe[1].receive()

    def test_a_frame_longer_than_announced_ends_the_connection(
        self, pipe: tuple[Connection, Channel]
    ) -> None:
        body = msgspec.msgpack.encode({"is": "Cancel", "number": 1})
        pipe[0].send_bytes(msgspec.msgpack.encode([[["|u1", [2]]], msgspec.Raw(body)]))
        pipe[0].send_bytes(b"12345")
        with pytest.raises((ProtocolError, OSError)):
            pipe[1].receive()
