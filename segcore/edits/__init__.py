"""Edits: the values that change labels. One file a kind; none of them knows mouse or screen."""

from segcore.edits.base import BaseEdit, Edit, ImageReader
from segcore.edits.fill import Fill, connected_region
from segcore.edits.kinds import KINDS, from_json, to_json
from segcore.edits.objects import OWN, object_at, pixel_at
from segcore.edits.painting import Painting, settled
from segcore.edits.paste import Paste
from segcore.edits.polygon import Polygon
from segcore.edits.raster import polygon_mask, stroke_bounds, stroke_mask, stroke_parts
from segcore.edits.region import Region
from segcore.edits.state import STATES, SetState
from segcore.edits.stroke import Stroke
from segcore.edits.unlabelled import FillUnlabelled

__all__ = [
    "KINDS",
    "OWN",
    "STATES",
    "BaseEdit",
    "Edit",
    "Fill",
    "FillUnlabelled",
    "ImageReader",
    "Painting",
    "Paste",
    "Polygon",
    "Region",
    "SetState",
    "Stroke",
    "connected_region",
    "from_json",
    "object_at",
    "pixel_at",
    "polygon_mask",
    "settled",
    "stroke_bounds",
    "stroke_mask",
    "stroke_parts",
    "to_json",
]
