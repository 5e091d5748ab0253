"""What is open and chosen, and the signals between everything on screen."""

from app.workspace.messages import Message, Remedy
from app.workspace.scores import Scores
from app.workspace.state import Cursor, Pending, PredictedTile, SolvedRegion
from app.workspace.workspace import Workspace

__all__ = [
    "Cursor",
    "Message",
    "Pending",
    "PredictedTile",
    "Remedy",
    "Scores",
    "SolvedRegion",
    "Workspace",
]
