"""The manual: its generated pages are what the tables say, and no link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import MANUAL, PAGES

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = sorted(
    [
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs" / "manual").glob("*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    ]
)


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_table_says(name: str) -> None:
    written = (MANUAL / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), f"docs/manual/{name} is old: run make docs"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = page if not path else page.parent / path
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            heads = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
            assert anchor in {_anchor(head) for head in heads}, f"{page.name}: {target}"


def _anchor(head: str) -> str:
    return re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")


def test_the_commands_that_the_pages_show_exist() -> None:
    from segcore.cli.commands import COMMANDS

    names = {command.name for command in COMMANDS}
    for page in WRITTEN:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.S):
            for line in block.splitlines():
                words = line.split()
                if words[:1] == ["maskwright"] and len(words) > 1:
                    known = words[1] in names or words[1].endswith(".maskwright")
                    assert known, f"{page.name}: {line}"


def test_the_manual_leads_to_each_of_its_pages() -> None:
    start = (MANUAL / "README.md").read_text(encoding="utf-8")
    for page in MANUAL.glob("*.md"):
        if page.name != "README.md":
            assert f"({page.name})" in start, page.name


def test_the_version_is_said_once() -> None:
    import tomllib

    import segcore

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == segcore.__version__
