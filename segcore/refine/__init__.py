"""Solvers that make masks better: from a few strokes of a person, or from what is doubtful.

Functions of arrays; no torch. pydensecrf is imported inside the call that needs it.
"""

from segcore.refine.densecrf import NoDenseCrf, densecrf
from segcore.refine.grabcut import grabcut, grabcut_region
from segcore.refine.parameters import AUTHORS, DEEPLAB, PRESETS, CrfParams

__all__ = [
    "AUTHORS",
    "DEEPLAB",
    "PRESETS",
    "CrfParams",
    "NoDenseCrf",
    "densecrf",
    "grabcut",
    "grabcut_region",
]
