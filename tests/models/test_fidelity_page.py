"""docs/models.md says how far each network is the one of its paper, and the networks agree."""

from __future__ import annotations

import re

import pytest
from figures import PAGE, Figure, agrees, figures, sections, value

from segcore.models import architectures

FIGURES = list(figures())


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.title)
def test_a_figure_of_the_page_is_the_networks_own(figure: Figure) -> None:
    assert value(figure) == figure.here, f"{PAGE.name}:{figure.line}"


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.title)
def test_what_was_published_is_what_is_here_or_the_page_says_why_not(figure: Figure) -> None:
    if figure.published in ("-", ""):
        assert figure.published == "-"
    elif "differs:" in figure.source:
        assert not agrees(figure.published, figure.here), "a difference that there is not"
    else:
        assert agrees(figure.published, figure.here), f"{PAGE.name}:{figure.line}"
    assert figure.source


def test_every_architecture_has_a_section_with_all_its_parts() -> None:
    written = sections()
    assert set(written) == {name for name in architectures() if not name.startswith("test-")}
    for name, text in written.items():
        idea = text.strip().split("\n\n")[0]
        assert 2 <= len(re.findall(r"[.:] ", idea + " ")) <= 5, f"{name}: two sentences say it"
        assert "```text\n" in text, f"{name} has a drawing"
        assert "**Differences.**" in text, name
        assert len([f for f in FIGURES if f.family == name]) >= 3, name


@pytest.mark.parametrize(
    ("published", "here", "same"),
    [
        ("29.46 M", "29,455,125", True),
        ("29.46 M", "29,449,932", False),
        ("0.36 to 0.37 M", "364,376", True),
        ("0.36 to 0.37 M", "349,000", False),
        ("134 M", "134,346,581", True),
        ("6, 12, 18", "6, 12, 18", True),
        ("6, 12, 18", "12, 24, 36", False),
    ],
)
def test_published_figures_are_compared_to_their_last_digit(
    published: str, here: str, same: bool
) -> None:
    assert agrees(published, here) is same
