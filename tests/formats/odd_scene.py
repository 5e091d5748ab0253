"""The scene that every mask of the folder ``odd`` shows."""

from __future__ import annotations

from segcore.base import ClassSet

SCENE = ClassSet.from_rows(
    [
        {"name": "background", "value": 0, "colour": None},
        {"name": "disc", "value": 1, "colour": "#DC2828"},
        {"name": "square", "value": 2, "colour": "#E69F00", "file_colours": ["#28C846"]},
    ]
)
SIZE = (120, 160)
