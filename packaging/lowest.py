"""Prints the lowest versions that the direct requirements allow, to test that the bounds hold.

    python packaging/lowest.py > lowest.txt
    python -m venv LOWEST && LOWEST/bin/pip install --constraint lowest.txt --editable '.[dev,crf]'
    LOWEST/bin/python -m pytest

`constraints.txt` holds the other end, the versions that are installed by ``make``.
"""

from __future__ import annotations

import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def lowest(project: dict[str, Any]) -> list[str]:
    """``name==version.*`` of each requirement of a project table that has a lower bound."""
    pins = set()
    for text in chain(project["dependencies"], *project["optional-dependencies"].values()):
        requirement = Requirement(text)
        for bound in requirement.specifier:
            if bound.operator == ">=":
                # The series, not the first release of it: some begin with a fourth number.
                pins.add(f"{requirement.name}=={bound.version}.*")
    return sorted(pins, key=str.lower)


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sys.stdout.write("\n".join(lowest(project)) + "\n")


if __name__ == "__main__":
    main()
