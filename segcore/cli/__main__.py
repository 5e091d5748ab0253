"""``python -m segcore.cli``: the command line where no Qt is installed."""

from __future__ import annotations

import sys

from segcore.cli.main import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
