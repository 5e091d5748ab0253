"""``python -m segcore.train RUN_DIR``: the trainer's process."""

from __future__ import annotations

import sys
from pathlib import Path

from segcore.base import MaskwrightError


def main(arguments: list[str] | None = None) -> int:
    """Train a prepared run's folder; 0 done, 1 failed, 2 wrong use."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m segcore.train RUN_DIR\n")
        return 2
    from segcore.train.loop import train

    try:
        train(Path(arguments[0]))
    except MaskwrightError as error:
        sys.stderr.write(f"{error.message}\n{error.hint}\n")
        return 1
    return 0
