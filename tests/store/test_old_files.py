"""Files that older versions wrote: each opens, is migrated, and holds what it held.

`data/version-N.db.zst` was written by the first program that knew version N and is never changed.
The next migration adds a file here, not a change of one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zstandard
from store_kit import block, random_classes

from segcore.store import Project, check
from segcore.store.migrations import LATEST

DATA = Path(__file__).with_name("data")


@pytest.fixture(params=sorted(DATA.glob("version-*.db.zst")), ids=lambda file: file.name)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / "old.maskwright"
    folder.mkdir()
    (folder / "project.db").write_bytes(zstandard.decompress(request.param.read_bytes()))
    return folder


def test_there_is_a_file_of_every_version() -> None:
    names = {file.name for file in DATA.glob("version-*.db.zst")}
    assert names == {f"version-{number}.db.zst" for number in range(1, LATEST + 1)}


def test_an_old_file_opens_with_all_it_held(old: Path) -> None:
    assert check(old).problems == ()
    with Project.open(old) as project:
        painted, predicted = project.items
        assert [c.name for c in project.classes] == ["sky", "road", "car", "tree"]
        assert (painted.state, predicted.state) == ("corrected", "accepted")
        assert painted.labels.counts() == {0: 144_000, 1: 3600, 2: 3600, 3: 4800}
        assert painted.truth is not None
        assert np.array_equal(painted.truth.read(), random_classes(painted, 1)[0])
        assert painted.mean_iou == pytest.approx(0.012187408900811304)
        assert [(r.name, r.state) for r in project.scribe.history(painted.id)] == [
            ("step 0", "done"),
            ("step 1", "done"),
            ("step 2", "done"),
            ("step 3", "undone"),
        ]
        assert predicted.instances[1].bounds == (0, 5, 9, 1, 50, 80)
        assert predicted.predictions["cells"].adopted
        project.scribe.redo(painted.id).applied.result()
        assert painted.labels.counts()[4] == 4800
        project.apply(painted, block(0, 0, 5, 5, 4))
    assert check(old).problems == ()
