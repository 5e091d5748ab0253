"""The store: projects on disk, transactional, with everything that was done to them.

`Project` is the door. It needs no screen and no torch; a notebook can use it.
"""

from segcore.store.adoption import Part
from segcore.store.checking import CheckReport, check
from segcore.store.creation import SUFFIX
from segcore.store.events import Applied, Committed, StoreRecovered, StoreTrouble, Ticket
from segcore.store.history import HistoryRow
from segcore.store.items import Item, Items
from segcore.store.project import Project
from segcore.store.records import InstanceRow, NewItem, ObjectFacts, PredictionLayer
from segcore.store.scored import at_score, chosen_score
from segcore.store.scribe import Scribe
from segcore.store.sources import SourceRef

__all__ = [
    "SUFFIX",
    "Applied",
    "CheckReport",
    "Committed",
    "HistoryRow",
    "InstanceRow",
    "Item",
    "Items",
    "NewItem",
    "ObjectFacts",
    "Part",
    "PredictionLayer",
    "Project",
    "Scribe",
    "SourceRef",
    "StoreRecovered",
    "StoreTrouble",
    "Ticket",
    "at_score",
    "check",
    "chosen_score",
]
