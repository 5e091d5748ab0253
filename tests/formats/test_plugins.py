"""Formats and models of other packages: taken where they are sound, else said and left out."""

from __future__ import annotations

import csv
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from segcore.base import BadFile, ClassSet, plugins
from segcore.formats import FORMATS, ExportItem, describe, format_of, formats, table, write
from segcore.labels import Labels
from segcore.models import registry

CLASSES = ClassSet.from_names(["cell", "ground"])

Install = Callable[..., None]

POINTS = """
import csv
import io
from segcore.formats import ExportReport, Format
from segcore.formats.target import new_folder

def write_points(items, out, classes, options=None, on_item=None):
    count = 0
    with new_folder(out) as target:
        for count, item in enumerate(items, 1):
            text = io.StringIO()
            rows = csv.writer(text)
            for class_id, pixels in sorted(item.labels.counts().items()):
                rows.writerow([item.name, class_id, pixels])
            target.write(f"{item.name}.csv", text.getvalue().encode())
            if on_item is not None:
                on_item(count)
    return ExportReport(out, "points", count, count, {})

def describe_points(items, classes, options=None):
    return ["Only numbers of pixels are written."]

POINTS = Format("points", "Point lists", (".csv",), None, write_points, describe_points)
TAKEN = Format("png", "Another PNG", (".png",), None, write_points, None)
SHOUTED = Format("Points!", "Shouted", (".csv",), None, write_points, None)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution: ``install("points", {"points.py": text}, "entry points")``."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    modules = set(sys.modules)

    def make(name: str, files: dict[str, str], points: str) -> None:
        info = site / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(textwrap.dedent(points))
        for file, text in files.items():
            (site / file).write_text(text)

    table.format_plugins.cache_clear()
    yield make
    table.format_plugins.cache_clear()
    for module in set(sys.modules) - modules:
        if module.startswith("mw_"):
            del sys.modules[module]


@pytest.fixture
def unread_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The architectures as if nobody had asked for them yet; put back at the end."""
    registry.architectures()  # the families' own modules enter themselves once a process
    monkeypatch.setattr(registry, "_state", "empty")
    monkeypatch.setattr(registry, "_plugins", ())
    monkeypatch.setattr(registry, "_TABLE", dict(registry._TABLE))


@pytest.fixture
def points(install: Install) -> None:
    install(
        "mw-points",
        {"mw_points.py": POINTS},
        """
        [maskwright.formats]
        points = mw_points:POINTS
        taken = mw_points:TAKEN
        shouted = mw_points:SHOUTED
        number = mw_points:len
        gone = mw_points:NOTHING
        """,
    )


@pytest.mark.usefixtures("points")
def test_a_format_of_another_package_is_written(tmp_path: Path) -> None:
    assert [row.key for row in formats()] == [*(row.key for row in FORMATS), "points"]
    item = ExportItem("a", (), Labels.from_array(np.array([[[1, 1, 2], [2, 2, 2]]], np.uint16)))
    assert describe("points", [item], CLASSES) == ["Only numbers of pixels are written."]
    report = write("points", [item], tmp_path / "out", CLASSES)
    assert report.items == 1
    with (tmp_path / "out" / "a.csv").open(newline="") as file:
        rows = [(int(c), int(n)) for _, c, n in csv.reader(file)]
    assert rows == [(1, 2), (2, 4)]
    with pytest.raises(BadFile) as refusal:
        format_of("nothing")
    assert refusal.value.hint.endswith(", points.")


@pytest.mark.usefixtures("points")
def test_what_is_no_sound_format_is_left_out_and_told_in_a_sentence() -> None:
    told = {plugin.name: plugin for plugin in table.format_plugins()}
    assert told["points"].problem == ""
    title = 'The plug-in "{}" of mw-points 1.2'
    assert told["taken"].problem == (
        f'{title.format("taken")} has the key "png", which another format has.'
    )
    assert "which is no plain small word" in told["shouted"].problem
    assert told["gone"].problem.startswith(f"{title.format('gone')} does not load (AttributeError:")
    assert told["number"].problem.startswith(f"{title.format('number')} does not load")
    assert told["gone"].hint == "Update it, or take it away: pip uninstall mw-points"
    assert [row.key for row in formats()].count("png") == 1


def test_an_object_that_is_no_format_is_refused(install: Install) -> None:
    install(
        "mw-odd", {"mw_odd.py": "ODD = 3\n"}, "[maskwright.formats]\nodd = mw_odd:ODD\n"
    )  # fmt: skip
    (plugin,) = table.format_plugins()
    assert plugin.problem == 'The plug-in "odd" of mw-odd 1.2 is no Format but a int.'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import no_such_package\n", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("def broken(:\n", "SyntaxError: invalid syntax"),
        ("raise RuntimeError\n", "(RuntimeError)"),
    ],
)
@pytest.mark.usefixtures("unread_registry")
def test_a_model_that_does_not_load_stops_nothing(install: Install, text: str, said: str) -> None:
    install("mw-bad", {"mw_bad.py": text}, "[maskwright.models]\nbad = mw_bad\n")
    assert "unet" in registry.architectures()
    (plugin,) = registry.model_plugins()
    assert said in plugin.problem
    assert plugin.value is None


@pytest.mark.usefixtures("unread_registry")
def test_a_model_of_another_package_is_in_the_table(install: Install) -> None:
    text = (
        "from segcore.models.registry import register\n"
        "@register('mw_wide', paper='', year=2024, tasks=('semantic',))\n"
        "def build(spec):\n    raise NotImplementedError\n"
    )
    install("mw-wide", {"mw_wide.py": text}, "[maskwright.models]\nwide = mw_wide\n")
    assert registry.architecture("mw_wide").year == 2024
    assert [plugin.problem for plugin in registry.model_plugins()] == [""]


def test_a_package_seen_twice_on_the_path_counts_once(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("mw-one", {"mw_one.py": "X = 1\n"}, "[maskwright.test]\nx = mw_one:X\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site" / ".." / "site"))
    assert [p.value for p in plugins.load_plugins("maskwright.test")] == [1]
