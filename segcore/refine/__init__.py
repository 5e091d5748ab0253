"""Solvers that turn a few strokes of a person into a region. Functions of arrays; no torch."""

from segcore.refine.grabcut import grabcut, grabcut_region

__all__ = ["grabcut", "grabcut_region"]
