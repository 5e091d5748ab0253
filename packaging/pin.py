"""Writes constraints.txt: the versions that the tests passed with, from this environment.

Run it in an environment where ``make test`` is green:
``.venv/bin/python packaging/pin.py > constraints.txt``. What torch brings along for one kind of
GPU is left out: its wheel pins that itself, and other machines take another wheel.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = ("cpu", "crf", "dev")
PINNED_BY_TORCH = re.compile(r"^(nvidia-|cuda-|triton$)")
TOOLS = ("pip", "setuptools", "wheel")


def closure(first: list[Requirement]) -> dict[str, str]:
    """Name to version of everything that the requirements lead to in this environment."""
    found: dict[str, str] = {}
    waiting = [(requirement, "") for requirement in first]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        if PINNED_BY_TORCH.match(name):
            continue
        try:
            installed = distribution(requirement.name)
        except PackageNotFoundError:
            raise SystemExit(f"{requirement.name} is missing; run make test first") from None
        new = name not in found
        found[name] = installed.version.split("+")[0]
        if new or requirement.extras:
            for text in installed.requires or []:
                for wanted in ("", *requirement.extras):
                    waiting.append((Requirement(text), wanted))
    return found


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = list(project["dependencies"])
    for extra in EXTRAS:
        texts += project["optional-dependencies"][extra]
    pins = closure([Requirement(text) for text in texts])
    lines = ["# The versions that the tests passed with; made by packaging/pin.py."]
    lines += [f"{name}=={version}" for name, version in sorted(pins.items())]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
