"""Labels as immutable snapshots over sparse tiles, and the Patches between them."""

from segcore.labels.draft import Draft
from segcore.labels.guard import OPEN, Guard
from segcore.labels.labels import Labels
from segcore.labels.patch import FieldChange, Patch, TileChange
from segcore.labels.tiles import (
    LABEL_PLANES,
    PICTURE_TILE,
    PLANES,
    VOLUME_TILE,
    Handle,
    TileArray,
    TileCache,
    TileIndex,
    TilesAside,
    TileShape,
    is_uniform,
    tile_for,
    uniform,
    uniform_value,
)

__all__ = [
    "LABEL_PLANES",
    "OPEN",
    "PICTURE_TILE",
    "PLANES",
    "VOLUME_TILE",
    "Draft",
    "FieldChange",
    "Guard",
    "Handle",
    "Labels",
    "Patch",
    "TileArray",
    "TileCache",
    "TileChange",
    "TileIndex",
    "TileShape",
    "TilesAside",
    "is_uniform",
    "tile_for",
    "uniform",
    "uniform_value",
]
