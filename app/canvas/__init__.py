"""The picture on the screen: view, composed tiles, outlines, and the widget that holds them."""

from app.canvas.canvas import Canvas
from app.canvas.view import View

__all__ = ["Canvas", "View"]
