"""What stands on a card: of an architecture, or of a trained model. No widget, no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Any

from app.workspace.models import TrainedModel
from segcore.base.dataclass import dataclass
from segcore.models.agreement import ENGINES, TORCH, agreements
from segcore.models.costs import CostQuestion, ModelCost
from segcore.models.registry import Architecture, architectures
from segcore.train.preflight import gigabytes

_OURS = "BSD-3-Clause"
TASKS = {"semantic": "Semantic", "instances": "Instances", "panoptic": "Panoptic"}


@dataclass(frozen=True)
class Fact:
    """One line of the description; `link` is a web address, `tip` the whole of a long value."""

    name: str
    value: str
    link: str = ""
    tip: str = ""


@dataclass(frozen=True)
class Card:
    """One card.

    Parameters
    ----------
    key : ``architecture:NAME`` or ``model:NAME``.
    side : what stands at the right of the title: the year, or the score.
    under : the line below it.
    text : the sentence: its idea, or its classes.
    architecture, encoder : of which it is, or would be by default.
    model : the trained model, or None for an architecture.
    """

    key: str
    title: str
    side: str
    under: str
    text: str
    architecture: str
    encoder: str
    tasks: tuple[str, ...]
    facts: tuple[Fact, ...] = field(compare=False)
    model: TrainedModel | None = None

    @property
    def licence(self) -> str:
        return next((fact.value for fact in self.facts if fact.name == "Licence"), "")

    @property
    def is_trained(self) -> bool:
        return self.model is not None

    def question(self, encoder: str, classes: int) -> CostQuestion:
        """What to ask the core of it."""
        if self.model is not None:
            held = agreements(self.model.about.get("engines", {}))
            fast = (name for name, seen in held.items() if seen.holds)
            stamp = " ".join((self.model.digest, *sorted(fast)))
            return CostQuestion(folder=str(self.model.path), stamp=stamp)
        return CostQuestion(architecture=self.architecture, encoder=encoder, classes=classes)

    def holds(self, words: Iterable[str]) -> bool:
        """Whether every word stands on the card or in its description."""
        said = (self.key, self.title, self.side, self.under, self.text, self.encoder)
        text = " ".join((*said, *(fact.value for fact in self.facts))).casefold()
        return all(word in text for word in words)


def tasks_text(tasks: Iterable[str]) -> str:
    return ", ".join(TASKS.get(task, task.capitalize()) for task in tasks)


def architecture_cards() -> list[Card]:
    """A card for every architecture, the oldest first."""
    rows = sorted(architectures().values(), key=lambda row: row.year)
    return [_of_architecture(row) for row in rows]


def _of_architecture(row: Architecture) -> Card:
    return Card(
        key=f"architecture:{row.name}",
        title=row.title,
        side=str(row.year),
        under=tasks_text(row.tasks),
        text=row.idea,
        architecture=row.name,
        encoder=row.encoder,
        tasks=row.tasks,
        facts=(
            Fact("Year", str(row.year)),
            Fact("Tasks", tasks_text(row.tasks)),
            Fact("Paper", row.paper.removeprefix("https://"), link=row.paper),
            Fact("Licence", row.licence or _OURS),
            Fact("Command line", row.name),
        ),
    )


def model_card(model: TrainedModel) -> Card:
    """The card of a trained model, from its description of itself."""
    about = model.about
    name = str(about.get("architecture", ""))
    row = architectures().get(name)
    title = name if row is None else row.title
    encoder = str(about.get("encoder", ""))
    classes = [str(c["name"]) for c in about.get("classes", ()) if not c.get("ignore")]
    score, items = _score(about)
    return Card(
        key=f"model:{model.name}",
        title=model.name,
        side="" if score is None else f"IoU {score:.3f}",
        under=model.error or " on ".join(part for part in (title, encoder) if part),
        text=", ".join(classes),
        architecture=name,
        encoder=encoder,
        tasks=tuple(about.get("tasks", ())),
        facts=() if model.error else tuple(_facts(model, title, classes, score, items)),
        model=model,
    )


def _score(about: dict[str, Any]) -> tuple[float | None, int]:
    held = about.get("scores", {}).get("held_out") or {}
    mean = held.get("mean_iou")
    return (None if mean is None else float(mean)), int(held.get("items") or 0)


def _facts(
    model: TrainedModel, title: str, classes: list[str], score: float | None, items: int
) -> Iterable[Fact]:
    about = model.about
    made = about.get("made", {})
    yield Fact("Architecture", title)
    if about.get("encoder"):
        yield Fact("Encoder", str(about["encoder"]))
    yield Fact("Tasks", tasks_text(about.get("tasks", ())))
    yield Fact("Classes", ", ".join(classes))
    if score is None:
        yield Fact("Score", "Not measured on held-out items")
    else:
        yield Fact("Mean IoU", f"{score:.3f} on {items:,} held-out items")
        for row in about["scores"]["held_out"].get("classes", ()):
            if row.get("iou") is not None and len(classes) <= 4:
                yield Fact(f"  {row['name']}", f"IoU {row['iou']:.3f}")
    data = about.get("data", {}).get("items") or ()
    yield Fact("Learned from", f"{len(data):,} items" if data else "Not said")
    base = made.get("base") or {}
    begun = f"{base['name']}" if base.get("name") else str(about.get("weights", ""))
    if begun:
        yield Fact("Began with", begun)
    if made.get("steps"):
        minutes = made.get("minutes")
        spent = f", {minutes:.0f} min" if minutes else ""
        yield Fact("Trained", f"{made['steps']:,} steps{spent}")
    yield from _engines(about)
    if about.get("attribution"):
        yield Fact("Data", str(about["attribution"]))
    yield Fact("Licence", str(about.get("licence") or "Not said"))
    yield Fact("Digest", model.digest[:12], tip=model.digest)


def _engines(about: dict[str, Any]) -> Iterable[Fact]:
    """What was seen of the engines; torch in float32 needs no check."""
    seen = agreements(about.get("engines", {}))
    if not seen:
        yield Fact("Computed by", ENGINES[TORCH], tip="No faster engine was compared with it.")
    for name, one in seen.items():
        verdict = "Agrees" if one.holds else "Cannot" if one.problem else "Differs too much"
        if one.items:
            verdict += f": {one.different:.2%} of pixels differ, mIoU moves {one.moved:.4f}"
        yield Fact(ENGINES[name], verdict, tip=one.sentence)


def count_text(parameters: int) -> str:
    """``0.36 M``, ``5.2 M``, ``134 M``."""
    millions = parameters / 1e6
    return f"{millions:.2f} M" if millions < 1 else f"{millions:.3g} M"


def cost_text(cost: ModelCost) -> str:
    """Parameters, memory and time in one line, for the foot of a card."""
    size, spent = gigabytes(cost.memory), time_text(cost.seconds)
    return f"{count_text(cost.parameters)}   {size}   {spent}/MP"


def time_text(seconds: float) -> str:
    """``0.60 s``, ``4.0 s``, ``12 s``."""
    return f"{seconds:.{2 if seconds < 1 else 1 if seconds < 10 else 0}f} s"
