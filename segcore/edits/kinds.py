"""The table of kinds of edits, and their way to JSON and back."""

from __future__ import annotations

from typing import Any

from segcore.base import MaskwrightError
from segcore.edits.base import Edit
from segcore.edits.fill import Fill
from segcore.edits.paste import Paste
from segcore.edits.polygon import Polygon
from segcore.edits.region import Region
from segcore.edits.state import SetState
from segcore.edits.stroke import Stroke
from segcore.edits.unlabelled import FillUnlabelled

KINDS: dict[str, type[Edit]] = {
    "stroke": Stroke,
    "polygon": Polygon,
    "fill": Fill,
    "region": Region,
    "fill_unlabelled": FillUnlabelled,
    "paste": Paste,
    "set_state": SetState,
}


def to_json(edit: Edit) -> dict[str, Any]:
    """The edit as values that JSON can hold, its kind included; `from_json` takes them back."""
    import msgspec

    kind = next((name for name, made in KINDS.items() if type(edit) is made), None)
    if kind is None:
        raise TypeError(f"{type(edit).__name__} is not in the table of kinds")
    fields: dict[str, Any] = msgspec.to_builtins(edit, order="deterministic")
    return {"kind": kind, **fields}


def from_json(data: dict[str, Any]) -> Edit:
    """The edit that `to_json` described.

    Raises
    ------
    MaskwrightError : no such kind of edit, or a field is missing or wrong; says which.
    """
    import msgspec

    kind = KINDS.get(str(data.get("kind")))
    if kind is None:
        raise MaskwrightError(
            f'There is no kind of edit called "{data.get("kind")}".',
            f"Known are {', '.join(KINDS)}; a newer version of the program may know it.",
        )
    fields = {name: value for name, value in data.items() if name != "kind"}
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise MaskwrightError(
            f'An edit of kind "{data["kind"]}" cannot be read: {error}.',
            "Write it again with the program that made it.",
        ) from error
