"""What the processes say to each other: frozen messages, and how they travel.

A message is one frame of msgpack (the header) followed by one frame of raw bytes for each array
that it holds; the header says their dtypes and shapes. Only `send_bytes` and `recv_bytes` are
used: no pickle crosses a process, so a peer can send wrong values but never code.

This file knows neither torch nor cv2, and nothing of processes.
"""

from __future__ import annotations

import math
import threading
from multiprocessing.connection import Connection
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from segcore.base import Rect

PROTOCOL_VERSION = 1
MAX_HEADER_BYTES = 16 << 20
MAX_ARRAY_BYTES = 4 << 30
# Kinds of dtype that are plain numbers: bool, signed, unsigned, float, complex. Above all not
# object ("O"), which would be pointers.
_NUMBERS = "biufc"

Kind: TypeAlias = Literal["core", "refiner"]
JobState: TypeAlias = Literal[
    "queued", "running", "cancelling", "done", "failed", "cancelled", "lost"
]
FINAL_STATES: frozenset[JobState] = frozenset({"done", "failed", "cancelled", "lost"})


class ProtocolError(Exception):
    """The other side said something that is no message of ours."""


class Message(msgspec.Struct, frozen=True, eq=False, tag_field="is", tag=True):
    """Base of all messages; compared by identity, because arrays have no single truth."""


# -- jobs ---------------------------------------------------------------------------------------


class Job(Message, frozen=True, eq=False, kw_only=True):
    """Work for another process.

    Parameters
    ----------
    key : what it is about, such as an item and a kind; of two jobs with one key the newer wins.
    """

    key: str


class Predict(Job, frozen=True, eq=False, kw_only=True):
    """Predict an item with a model; answers are `TilePredicted` and at last `PredictionDone`.

    Of a model that finds objects an `ObjectsFound` follows the tiles of each slice.

    Parameters
    ----------
    item : id of the item, for the caller to find it again.
    image_paths : its sources, on one grid; their channels are joined in this order.
    model_path : the model's folder.
    class_rows : the project's classes (`ClassSet.to_rows`).
    near : (z, y, x) of the view's centre; tiles near to it come first.
    rect : the part of each slice to predict; None is all of it.
    slices : which slices, None is all of them.
    as_stack : open a series that is no even volume slice by slice, as the project does.
    model_options : ``mirror``: the mean over four mirror images; four times the work.
    """

    item: str
    image_paths: tuple[str, ...]
    model_path: str
    class_rows: tuple[dict[str, Any], ...]
    near: tuple[int, float, float] = (0, 0.0, 0.0)
    rect: Rect | None = None
    slices: tuple[int, ...] | None = None
    as_stack: bool = False
    model_options: dict[str, Any] = {}


class Describe(Job, frozen=True, eq=False, kw_only=True):
    """Ask what a model is; the answer is `ModelDescribed`."""

    model_path: str


class Measure(Job, frozen=True, eq=False, kw_only=True):
    """Ask what predicting with a model costs on the core's device; the answer is `ModelMeasured`.

    Parameters
    ----------
    question : as `segcore.models.costs.CostQuestion.to_json` gives it.
    file : where answers are remembered; "" for nowhere.
    """

    question: dict[str, Any]
    file: str = ""


class MakeCrops(Job, frozen=True, eq=False, kw_only=True):
    """Ask for crops as a training would see them; the answer is `CropsMade`.

    Parameters
    ----------
    run_dir : of a prepared run, or a sample of one.
    settings : of the recipe, by name.
    first : number of the first batch.
    count : how many crops.
    """

    run_dir: str
    settings: dict[str, Any]
    first: int = 0
    count: int = 8


class Warm(Job, frozen=True, eq=False, kw_only=True):
    """Load a model before it is needed."""

    model_path: str


class Unload(Job, frozen=True, eq=False, kw_only=True):
    """Let go of the models on a graphics card, because a training needs its memory."""

    key: str = "unload"


class Grabcut(Job, frozen=True, eq=False, kw_only=True):
    """Cut an object out; the answer is `RegionSolved`.

    Parameters
    ----------
    rect : where the crop lies in the slice (`grabcut_region` chooses it).
    image : (rect.height, rect.width[, c]), any real dtype: the pixels of the crop.
    seeds : (rect.height, rect.width) uint8: 0 unknown, 1 foreground, 2 background.
    box : in the slice's coordinates, as `rect` is; None for none.
    iterations, connected : as for `segcore.refine.grabcut`.
    """

    rect: Rect
    image: NDArray[Any]
    seeds: NDArray[np.uint8]
    box: Rect | None = None
    iterations: int = 5
    connected: bool = False


class Probabilities(Job, frozen=True, eq=False, kw_only=True):
    """Ask a model for all its probabilities in a region; the answer is `ProbabilitiesFound`.

    Parameters
    ----------
    image_paths, as_stack, model_path, class_rows : as for `Predict`.
    z, rect : where; inside the picture.
    """

    image_paths: tuple[str, ...]
    model_path: str
    class_rows: tuple[dict[str, Any], ...]
    rect: Rect
    z: int = 0
    as_stack: bool = False


class Densecrf(Job, frozen=True, eq=False, kw_only=True):
    """Let the pixels of a region agree; the answer is `RegionRefined`.

    Parameters
    ----------
    rect : what is wanted, in the slice's coordinates.
    seen : `rect` with a rim of context; image and shares are of it.
    image : (seen.height, seen.width, c) uint8.
    ids : class ids in the order of the shares.
    shares : (len(ids), seen.height, seen.width), probabilities of any float dtype.
    params : as `segcore.refine.CrfParams.to_json` gives them.
    spacing : (y, x), distance of neighbouring pixels.
    """

    rect: Rect
    seen: Rect
    image: NDArray[np.uint8]
    ids: tuple[int, ...]
    shares: NDArray[Any]
    params: dict[str, Any]
    spacing: tuple[float, float] = (1.0, 1.0)


AnyJob: TypeAlias = (
    Predict | Describe | Measure | MakeCrops | Warm | Unload | Grabcut | Probabilities | Densecrf
)

# -- to a process -------------------------------------------------------------------------------


class Submit(Message, frozen=True, eq=False):
    """Do this job; `number` names it from now on."""

    number: int
    job: AnyJob


class Cancel(Message, frozen=True, eq=False):
    """Stop this job as soon as possible."""

    number: int


# -- from a process -----------------------------------------------------------------------------


class Hello(Message, frozen=True, eq=False):
    """The first message of a process that was started: who it is and how it speaks."""

    version: int
    kind: Kind
    token: int
    pid: int


class Event(Message, frozen=True, eq=False):
    """What the caller of a client gets to hear."""


class ProcessReady(Event, frozen=True, eq=False):
    """A process has loaded what it needs. `device` is "cpu", "cuda" or "mps"."""

    kind: Kind
    device: str = "cpu"


class ProcessLost(Event, frozen=True, eq=False):
    """A process ended that nobody asked to end. `restarts`: how often that was so by now."""

    kind: Kind
    reason: str
    restarts: int


class JobChanged(Event, frozen=True, eq=False):
    """A job has a new state, or progress from 0 to 1 in the state it has."""

    number: int
    key: str
    state: JobState
    progress: float = 0.0
    reason: str = ""


class TilePredicted(Event, frozen=True, eq=False):
    """A piece of a prediction is final.

    Parameters
    ----------
    rect, z : where it lies.
    classes : (rect.height, rect.width) uint16, class ids of the project, 0 = unlabelled.
    confidence : the same shape, uint8: probability of the class, 255 = 1.
    margin : the same shape, uint8: its lead over the second class, 255 = 1.
    """

    number: int
    key: str
    rect: Rect
    z: int
    classes: NDArray[np.uint16]
    confidence: NDArray[np.uint8]
    margin: NDArray[np.uint8]


class ObjectsFound(Event, frozen=True, eq=False):
    """What a model that finds objects says of a slice in the end; it replaces the slice's tiles.

    Parameters
    ----------
    rect, z : where it lies.
    classes, confidence, margin : as of `TilePredicted`.
    numbers, ground, scores, object_classes, kept : as of `segcore.infer.found.FoundObjects`, with
        class ids of the project.
    """

    number: int
    key: str
    rect: Rect
    z: int
    classes: NDArray[np.uint16]
    confidence: NDArray[np.uint8]
    margin: NDArray[np.uint8]
    numbers: NDArray[np.uint32]
    ground: NDArray[np.uint16]
    scores: NDArray[np.float32]
    object_classes: NDArray[np.uint16]
    kept: int


class PredictionDone(Event, frozen=True, eq=False):
    """All tiles of a prediction were sent.

    `unmapped` holds the names of the model's classes that the project has not; they are 0.
    """

    number: int
    key: str
    model_name: str
    model_digest: str
    seconds: float
    unmapped: tuple[str, ...] = ()


class ModelDescribed(Event, frozen=True, eq=False):
    """The spec of a model, as `ModelSpec.to_json` gives it."""

    number: int
    key: str
    spec: dict[str, Any]


class ModelMeasured(Event, frozen=True, eq=False):
    """What a model costs, as `ModelCost.to_json` gives it.

    `known` are all costs that are remembered for this device, by the keys of their questions.
    """

    number: int
    key: str
    cost: dict[str, Any]
    known: dict[str, dict[str, Any]]


class CropsMade(Event, frozen=True, eq=False):
    """Crops as a training would see them; what the arrays hold stands at `segcore.train.crops`.

    `objects` has no rows where the run knows no objects.
    """

    number: int
    key: str
    images: NDArray[np.uint8]
    classes: NDArray[np.uint16]
    objects: NDArray[np.int32]
    names: tuple[str, ...]
    earlier: tuple[bool, ...]


class RegionSolved(Event, frozen=True, eq=False):
    """A cut: `mask` (rect.height, rect.width) bool, True where the object is."""

    number: int
    key: str
    rect: Rect
    mask: NDArray[np.bool_]


class ProbabilitiesFound(Event, frozen=True, eq=False):
    """What a model says of a region.

    Parameters
    ----------
    rect, z : as they were asked for.
    ids : class ids of the project; 0 for what it has no class for.
    shares : (len(ids), rect.height, rect.width) float16, summing to 1.
    model_digest : of the model.
    """

    number: int
    key: str
    rect: Rect
    z: int
    ids: tuple[int, ...]
    shares: NDArray[np.float16]
    model_digest: str


class RegionRefined(Event, frozen=True, eq=False):
    """Classes that agree with the picture: (rect.height, rect.width) uint16, 0 for none."""

    number: int
    key: str
    rect: Rect
    classes: NDArray[np.uint16]


AnyMessage: TypeAlias = (
    Submit
    | Cancel
    | Hello
    | ProcessReady
    | ProcessLost
    | JobChanged
    | TilePredicted
    | ObjectsFound
    | PredictionDone
    | ModelDescribed
    | ModelMeasured
    | CropsMade
    | RegionSolved
    | ProbabilitiesFound
    | RegionRefined
)


class _ArrayHead(msgspec.Struct, frozen=True, array_like=True):
    """What an array frame holds."""

    dtype: str
    shape: tuple[int, ...]


class _Header(msgspec.Struct, frozen=True, array_like=True):
    """The first frame: the arrays that follow, and the message with numbers in their places."""

    arrays: tuple[_ArrayHead, ...]
    message: msgspec.Raw


class Channel:
    """Messages over one connection. Any thread may send; one thread receives.

    Parameters
    ----------
    connection : of `multiprocessing.connection`, authenticated already.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._outgoing: list[NDArray[Any]] = []
        self._incoming: list[NDArray[Any]] = []
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._number)
        self._decoder = msgspec.msgpack.Decoder(AnyMessage, dec_hook=self._array)
        self._headers = msgspec.msgpack.Decoder(_Header)

    def send(self, message: Message) -> None:
        """Send a message with its arrays.

        Raises
        ------
        OSError : the other side is gone.
        TypeError : it holds an array of something other than numbers.
        """
        with self._sending:
            self._outgoing = []
            body = msgspec.Raw(self._encoder.encode(message))
            arrays, self._outgoing = self._outgoing, []
            heads = tuple(_ArrayHead(a.dtype.str, a.shape) for a in arrays)
            self._connection.send_bytes(self._encoder.encode(_Header(heads, body)))
            for array in arrays:
                if array.size:
                    # As a view of bytes: memoryview.cast refuses foreign byte orders.
                    self._connection.send_bytes(array.reshape(-1).view(np.uint8).data)

    def receive(self) -> Message:
        """The next message; its arrays are read-only.

        Raises
        ------
        EOFError, OSError : the other side is gone.
        ProtocolError : what came is no message.
        """
        frame = self._connection.recv_bytes(MAX_HEADER_BYTES)
        try:
            header = self._headers.decode(frame)
            self._incoming = [self._receive_array(head) for head in header.arrays]
            message: Message = self._decoder.decode(header.message)
        except (msgspec.MsgspecError, ValueError, TypeError, OverflowError) as error:
            raise ProtocolError(f"no message of ours: {error}") from error
        finally:
            self._incoming = []
        return message

    def close(self) -> None:
        self._connection.close()

    def _receive_array(self, head: _ArrayHead) -> NDArray[Any]:
        dtype = np.dtype(head.dtype)
        if dtype.kind not in _NUMBERS:
            raise ValueError(f"an array of {dtype}")
        if len(head.shape) > 8 or any(n < 0 for n in head.shape):
            raise ValueError(f"an array of shape {head.shape}")
        size = math.prod(head.shape) * dtype.itemsize
        if size > MAX_ARRAY_BYTES:
            raise ValueError(f"an array of shape {head.shape} is larger than the limit")
        # Nothing is allocated by what a header claims, only by what has come.
        if not size:
            return np.zeros(head.shape, dtype)
        data = self._connection.recv_bytes(size)
        if len(data) != size:
            raise ValueError(f"{len(data)} bytes came for an array of {size}")
        return np.frombuffer(data, dtype).reshape(head.shape)

    def _number(self, value: Any) -> int:
        if not isinstance(value, np.ndarray):
            raise NotImplementedError(f"a {type(value).__name__} cannot be sent")
        if value.dtype.kind not in _NUMBERS:
            raise TypeError(f"an array of {value.dtype} cannot be sent")
        # np.ascontiguousarray would make a single number, shape (), an array of one.
        self._outgoing.append(np.asarray(value, order="C"))
        return len(self._outgoing) - 1

    def _array(self, wanted: Any, value: Any) -> Any:
        if not isinstance(value, int) or not 0 <= value < len(self._incoming):
            raise ValueError(f"there is no array {value!r}")
        return self._incoming[value]
