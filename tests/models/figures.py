"""Reads docs/models.md: what each section says of a model, and what that model says of itself.

A table whose first heading is ``build(...)`` in code, then "at H x W" or "at H x W, training",
holds one figure a row: an expression, what was published, what is here, and the source. Models are
built and run on torch's meta device, where numbers have shapes and no values: even the largest
costs milliseconds and no memory.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segcore.base import ClassId, ClassSet, MaskwrightError, SegClass
from segcore.models import SegModel, build

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
_HEAD = re.compile(r"`(build\(.*\))` at (\d+) x (\d+)(, training)?")


@dataclass(frozen=True)
class Figure:
    """One row of the page: cells as they are written, and where they stand."""

    family: str
    model: str
    size: tuple[int, int]
    training: bool
    expression: str
    published: str
    here: str
    source: str
    line: int

    @property
    def title(self) -> str:
        return f"{self.model} {self.expression}"


def sections() -> Mapping[str, str]:
    """The text of every ``## Title (`name`)`` section, by name."""
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^## .*\(`(\w+)`\)$", text, flags=re.M)[1:]
    ends = [re.split(r"^## ", part, flags=re.M)[0] for part in parts[1::2]]
    return dict(zip(parts[::2], ends, strict=True))


def figures() -> Iterator[Figure]:
    """Every figure of the page, from top to bottom."""
    text = PAGE.read_text(encoding="utf-8").splitlines()
    family, head = "", None
    for number, line in enumerate(text, start=1):
        if line.startswith("## "):
            found = re.search(r"\(`(\w+)`\)$", line)
            family, head = (found.group(1) if found else ""), None
        if not line.startswith("|"):
            head = None
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if (match := _HEAD.fullmatch(cells[0])) is not None:
            head = match
        elif head is not None and not cells[0].startswith("---"):
            expression, published, here, source = cells
            model, height, width, training = head.groups()
            yield Figure(
                family,
                model,
                (int(height), int(width)),
                bool(training),
                expression.strip("`"),
                published,
                here,
                source,
                number,
            )


def _things(count: int) -> ClassSet:
    """So many classes of things, for models that find objects."""
    classes = (SegClass(ClassId(i + 1), f"thing {i}", None, None, thing=True) for i in range(count))
    return ClassSet(tuple(classes))


@functools.cache
def _built(call: str) -> SegModel:
    names = {"build": build, "things": _things}
    try:
        with torch.device("meta"):
            model: SegModel = eval(call, names)
    except MaskwrightError:  # an encoder that reads values while it is built
        model = eval(call, names).to("meta")
    return model


@functools.cache
def _run(call: str, size: tuple[int, int], training: bool) -> dict[str, Any]:
    """The shapes that each part of the model of a ``build(...)`` gave for a picture."""
    model = _built(call).train(training)
    seen: dict[str, Any] = {}
    hooks = [
        part.register_forward_hook(_keep(seen, name))
        for name, part in model.network.named_modules()
    ]
    with torch.device("meta"), torch.no_grad():
        output = model(torch.zeros(1, model.spec.channels, *size))
    for hook in hooks:
        hook.remove()
    seen["logits"] = [tuple(output.logits.shape)]
    for name, values in output.aux.items():
        seen[f"aux {name}"] = [tuple(values.shape)]
    return seen


def _keep(seen: dict[str, Any], name: str) -> Callable[..., None]:
    def keep(_part: nn.Module, _given: Any, made: Any) -> None:
        seen[name] = [tuple(values.shape) for values in _tensors(made)]

    return keep


def _tensors(made: Any) -> Iterator[Tensor]:
    if isinstance(made, Tensor):
        yield made
    elif isinstance(made, Mapping):
        for part in made.values():
            yield from _tensors(part)
    elif isinstance(made, list | tuple):
        for part in made:
            yield from _tensors(part)


def value(figure: Figure) -> str:
    """What the model itself says of a figure, written as the page writes it."""
    model = _built(figure.model)

    def parameters(part: str = "") -> int:
        return sum(p.numel() for p in model.network.get_submodule(part).parameters())

    def seen() -> dict[str, Any]:
        return _run(figure.model, figure.size, figure.training)

    def shape(part: str, index: int = 0) -> str:
        return " x ".join(str(n) for n in seen()[part][index][1:])

    def stride(part: str, index: int = 0) -> int:
        return round(figure.size[1] / seen()[part][index][-1])

    def every(kind: type[nn.Module], part: str = "") -> list[Any]:
        return [m for m in model.network.get_submodule(part).modules() if isinstance(m, kind)]

    known = {
        "network": model.network,
        "parameters": parameters,
        "shape": shape,
        "stride": stride,
        "every": every,
        "nn": nn,
        "len": len,
        "sum": sum,
        "sorted": sorted,
        "set": set,
    }
    return _written(eval(figure.expression, known))


def _written(found: Any) -> str:
    if isinstance(found, list | tuple | set):
        return ", ".join(_written(part) for part in found)
    if isinstance(found, int) and not isinstance(found, bool):
        return f"{found:,}"
    return str(found)


def agrees(published: str, here: str) -> bool:
    """Whether a published figure is what stands here, to the digits it was published with.

    ``29.46 M`` agrees with what rounds to it; ``0.36 to 0.37 M`` with what lies between.
    """
    if published == here:
        return True
    if "M" not in published:
        return False
    numbers = [float(n) for n in re.findall(r"[\d.]+", published)]
    digits = max(len(n.partition(".")[2]) for n in re.findall(r"[\d.]+", published))
    millions = int(here.replace(",", "")) / 1e6
    last = 0.5 * 10**-digits
    return min(numbers) - last <= millions <= max(numbers) + last
