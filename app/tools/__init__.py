"""The table of tools: toolbar, option bar, keys, manual and tests are made from it."""

from app.tools.brush import Brush
from app.tools.crf import DenseCrf
from app.tools.eraser import Eraser
from app.tools.fill import Fill
from app.tools.grabcut import GrabCut
from app.tools.pan import Pan
from app.tools.pick import Pick
from app.tools.polygon import Polygon
from app.tools.tool import Tool

TOOLS: tuple[type[Tool], ...] = (Pan, Brush, Eraser, Polygon, Fill, GrabCut, DenseCrf, Pick)
BY_ID: dict[str, type[Tool]] = {tool.id: tool for tool in TOOLS}

__all__ = ["BY_ID", "TOOLS", "Tool"]
