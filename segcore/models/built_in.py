"""The models that come with the program. No torch."""

from __future__ import annotations

from pathlib import Path

BUILT_IN = Path(__file__).resolve().parents[2] / "resources" / "weights"
"""Their folder, which stays as it was installed."""


def is_built_in(folder: Path) -> bool:
    """Whether a model's folder is one of them."""
    return folder.resolve().parent == BUILT_IN
