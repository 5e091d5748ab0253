"""The drawings of the architectures, as tables of parts and links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segcore.models import architectures
from segcore.models.diagrams import Diagram, diagram

DOCS = Path(__file__).resolve().parents[2] / "docs" / "models.md"


def own_architectures() -> list[str]:
    """Those of the program; other tests register some of their own."""
    return [name for name in architectures() if not name.startswith("test-")]


def drawn(name: str) -> Diagram:
    found = diagram(name)
    assert found is not None, f"{name} has no drawing"
    return found


def test_every_architecture_is_drawn_and_hangs_together() -> None:
    for name in own_architectures():
        drawing = drawn(name)
        reached = {0}
        for _ in drawing.parts:
            reached |= {
                end
                for link in drawing.links
                for start, end in ((link.start, link.end), (link.end, link.start))
                if start in reached
            }
        assert reached == set(range(len(drawing.parts))), f"{name} falls apart"


def test_every_family_but_the_naive_one_marks_its_idea() -> None:
    for name in own_architectures():
        drawing = drawn(name)
        marked = any(piece.idea for piece in (*drawing.parts, *drawing.links))
        assert marked == (name != "naive"), name


def test_no_two_architectures_look_the_same() -> None:
    drawings = [drawn(name) for name in own_architectures()]
    assert len(set(drawings)) == len(drawings)


def test_nothing_lies_on_something_else() -> None:
    for name in own_architectures():
        places = [(part.x, part.y) for part in drawn(name).parts]
        assert len(set(places)) == len(places), name


def branches(name: str) -> int:
    return sum(part.kind == "step" and part.idea for part in drawn(name).parts)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("deeplab", r"sum of (\w+) branches"), ("pspnet", r"means of")],
)
def test_branches_are_as_many_as_the_manual_draws(name: str, pattern: str) -> None:
    section = DOCS.read_text(encoding="utf-8").split(f"(`{name}`)")[1].split("\n## ")[0]
    picture = section.split("```text")[1].split("```")[0]
    if name == "deeplab":
        words = re.findall(pattern, picture)
        assert words == ["four"]
        assert branches(name) == 4
    else:
        pooled = sum(part.kind == "map" and part.idea for part in drawn(name).parts)
        assert pooled == len(re.findall(r"means? of", picture)) == 4


def test_segnet_hands_over_positions_and_unet_features() -> None:
    for name, line in (("segnet", "positions"), ("unet", "skip")):
        across = {link.line for link in drawn(name).links if link.idea}
        assert across == {line}


def test_what_nobody_drew_has_no_drawing() -> None:
    assert diagram("of a plug-in") is None
