"""Take the screenshots of docs/images: the real window, driven by mouse and keys.

``python packaging/shots.py [--out DIR] [--only NAME ...] [--camvid PROJECT]``. Runs without a
screen (``QT_QPA_PLATFORM=offscreen``). Needs the data folder beside the checkout for nuclei and CT.
CamVid has no licence that would let its pictures into the project: they are taken only with
``--camvid``, into a folder that must lie outside the checkout.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "app" / "loop")]

import numpy as np  # noqa: E402
from hands import RIGHT, Hands  # noqa: E402
from PySide6.QtCore import Qt  # noqa: E402
from PySide6.QtGui import QPainter  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication, QDialog  # noqa: E402

from app.panels.training import TrainingPanel  # noqa: E402
from app.settings.settings import Settings  # noqa: E402
from app.window.start import make_window  # noqa: E402
from segcore.base import ClassId, ClassSet, SegClass  # noqa: E402
from segcore.projects.demo import ensure_demo  # noqa: E402
from segcore.projects.new import NewProject, create_project  # noqa: E402
from segcore.projects.splits import HoldOut  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
LARGE, SMALL = (1920, 1080), (1366, 768)


class Waiting:
    """Waits as pytest-qt's bot does, without a test around it."""

    def waitUntil(self, reached: Callable[[], bool], timeout: int) -> None:
        end = time.monotonic() + timeout / 1000
        while not reached():
            if time.monotonic() > end:
                raise TimeoutError("The window does not come to rest.")
            QTest.qWait(5)


class Studio:
    """Opens windows on projects and writes what they show."""

    def __init__(self, out: Path, folder: Path) -> None:
        self.out, self.folder = out, folder
        self._number = 0

    def window(self, project: Path, size: tuple[int, int], theme: str = "dark") -> Hands:
        """A window of this size on a project, come to rest."""
        self._number += 1
        file = self.folder / f"settings{self._number}.json"
        settings = Settings(file)
        settings.set("look.theme", theme)
        hands = Hands(Waiting(), project, file)
        hands.window.resize(*size)
        QTest.qWait(600)
        hands.settle()
        return hands

    def take(self, hands: Hands, name: str) -> None:
        """Write the whole window as NAME.png, and close it."""
        self.keep(hands, name)
        hands.close()

    def keep_in_both_themes(self, hands: Hands, name: str) -> None:
        """Write the window as it stands as NAME_light.png and NAME_dark.png."""
        for theme in ("light", "dark"):
            hands.workspace.settings.set("look.theme", theme)
            self.keep(hands, f"{name}_{theme}")

    def keep_with(self, hands: Hands, dialog: QDialog, name: str) -> None:
        """Write the window with a dialog over it, which without a screen is a window of its own."""
        _rest(hands)
        whole, part = hands.window.grab(), dialog.grab()
        painter = QPainter(whole)
        painter.drawPixmap(
            (hands.window.width() - dialog.width()) // 2,
            (hands.window.height() - dialog.height()) // 2,
            part,
        )
        painter.end()
        whole.save(str(self.out / f"{name}.png"))
        print(f"{name}.png", flush=True)

    def keep(self, hands: Hands, name: str) -> None:
        _rest(hands)
        hands.window.grab().save(str(self.out / f"{name}.png"))
        print(f"{name}.png", flush=True)


def _rest(hands: Hands) -> None:
    """Let fades end, and what is still composed come: on a busy machine that takes longer."""
    QTest.qWait(400)
    hands.settle()


def shot_welcome(studio: Studio) -> None:
    """Nothing open yet."""
    window = make_window(None, Settings(studio.folder / "welcome.json"))
    window.resize(*SMALL)
    window.show()
    QTest.qWait(500)
    window.grab().save(str(studio.out / "welcome_dark.png"))
    print("welcome_dark.png", flush=True)
    window.close()


def shot_demo(studio: Studio) -> None:
    """The demo as a newcomer sees it, in both themes and on a small screen."""
    project = ensure_demo(studio.folder)
    for name, size, theme in (
        ("demo_dark", LARGE, "dark"),
        ("demo_light", LARGE, "light"),
        ("demo_dark_1366x768", SMALL, "dark"),
    ):
        hands = studio.window(project, size, theme)
        hands.key(Qt.Key.Key_B)
        place = hands.place(*(side * 0.45 for side in hands.workspace.labels.shape[1:]))
        QTest.mouseMove(hands.canvas, place)
        studio.take(hands, name)


def nuclei_project(folder: Path) -> Path:
    """A project of the histology pictures among the nuclei (CC0)."""
    images, truth = folder / "images", folder / "truth"
    rows = [row.split(",") for row in (DATA / "nuclei/index.csv").read_text().splitlines()]
    head, body = rows[0], rows[1:]
    chosen = [r for r in body if r[head.index("kind")] == "colour_bright"][:20]
    for source, target in (("images", images), ("labels", truth)):
        target.mkdir()
        for row in chosen:
            name = f"{Path(row[head.index('file')]).stem}.png"
            (target / name).write_bytes((DATA / "nuclei" / source / name).read_bytes())
    classes = ClassSet(
        (
            SegClass(ClassId(1), "background", 0, None),
            SegClass(ClassId(2), "nucleus", 1, "#E69F00", thing=True),
        )
    )
    path = folder / "nuclei-histology.maskwright"
    create_project(
        NewProject(
            path=path,
            images=images,
            truth=truth,
            classes=classes,
            instances="nucleus",
            hold_out=HoldOut.parse("0.3"),
        )
    )
    return path


def _predict(hands: Hands) -> None:
    hands.click(hands.window.tool_bar.predict)
    hands.wait(lambda: hands.workspace.item.state != "new", 120)
    hands.settle()


def _mark_a_nucleus(hands: Hands) -> None:
    """Two strokes of seeds: along the largest nucleus, and around it."""
    instances = hands.workspace.item.truth.read(plane="instance")
    sizes = np.bincount(instances[hands.truth() == 2])
    rows, columns = np.nonzero(instances == int(sizes[1:].argmax()) + 1)
    y, x = rows.mean(), columns.mean()
    half_y, half_x = np.ptp(rows) / 2, np.ptp(columns) / 2
    height, width = instances.shape
    hands.key(Qt.Key.Key_Q)
    hands.choose_class(2)
    hands.drag([(y, x - half_x / 2), (y, x), (y, x + half_x / 2)])
    hands.drag(
        [
            (
                min(max(y + (half_y + 9) * np.sin(turn), 4), height - 4),
                min(max(x + (half_x + 9) * np.cos(turn), 4), width - 4),
            )
            for turn in np.linspace(0, 1.6 * np.pi, 25)
        ],
        RIGHT,
    )
    hands.wait(lambda: hands.workspace.pending is not None, 30)


def shot_grabcut(studio: Studio) -> None:
    """A preview that waits for Enter."""
    hands = studio.window(nuclei_project(studio.folder), LARGE)
    _predict(hands)
    _mark_a_nucleus(hands)
    QTest.qWait(1500)
    studio.keep_in_both_themes(hands, "grabcut")
    hands.key(Qt.Key.Key_Return)
    hands.settle()
    shot_finetune(studio, hands)


def shot_finetune(studio: Studio, hands: Hands) -> None:
    """A training while it runs, with painting going on."""
    for _ in range(5):
        hands.key(Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
        hands.settle()
        if hands.workspace.item.state == "new":
            _predict(hands)
    hands.workspace.settings.set("model.steps", 40)
    hands.click(hands.window.tool_bar.fine_tune)
    runs = hands.workspace.runs
    hands.wait(lambda: runs.view is not None and runs.view.step >= 15, 600)
    studio.keep_in_both_themes(hands, "finetune")
    hands.wait(lambda: not runs.is_running, 600)
    hands.close()


def shot_crops(studio: Studio) -> None:
    """What the network sees, before it learns; with all settings, and on a small screen."""
    folder = studio.folder / "crops"
    folder.mkdir()
    project = nuclei_project(folder)
    for theme, size in (("dark", LARGE), ("light", SMALL)):
        hands = studio.window(project, size, theme)
        if not any(item.state == "accepted" for item in hands.workspace.project.items):
            _correct_some(hands)
        hands.window.show_training(True)
        preview = hands.workspace.runs.crops
        hands.wait(lambda p=preview: bool(p.rows) or bool(p.error), 300)
        panel = hands.window.findChild(TrainingPanel).before
        panel.more_button.setChecked(True)
        QTest.qWait(200)
        for name, text in (("rotate", "20"), ("blur", "1.5"), ("noise", "0.15")):
            panel.more.fields[name].setText(text)
        QTest.qWait(400)
        hands.wait(lambda p=preview: not p.is_running, 300)
        studio.take(hands, f"crops_{theme}")


def _correct_some(hands: Hands) -> None:
    """Accept predictions; of one more item a part is painted, the rest is not looked at."""
    for _ in range(6):
        if hands.workspace.item.state == "new":
            _predict(hands)
        hands.key(Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
        hands.settle()
    height, width = hands.workspace.labels.shape[1:]
    hands.key(Qt.Key.Key_B)
    for class_id, share in ((1, 0.3), (2, 0.5)):
        hands.choose_class(class_id)
        hands.drag([(height * share, width * x) for x in (0.1, 0.5, 0.9)])
    hands.settle()


def shot_ct(studio: Studio) -> None:
    """A slice of the chest CT (Lung-PET-CT-Dx, CC BY 4.0; see docs/images/README.md)."""
    path = studio.folder / "chest-ct.maskwright"
    classes = ClassSet(
        (
            SegClass(ClassId(1), "background", 0, None),
            SegClass(ClassId(2), "right lung", 1, "#56B4E9"),
            SegClass(ClassId(3), "left lung", 2, "#009E73"),
        )
    )
    series = studio.folder / "ct"
    (series / "chest").mkdir(parents=True)
    for file in (DATA / "ct_dicom").glob("*.dcm"):
        (series / "chest" / file.name).write_bytes(file.read_bytes())
    create_project(
        NewProject(path=path, images=series, classes=classes, hold_out=HoldOut.parse("none"))
    )
    hands = studio.window(path, LARGE)
    hands.window.actions_set.run("window.lung")
    for class_id, x in ((2, 150), (3, 360)):
        hands.key(Qt.Key.Key_Q)
        hands.choose_class(class_id)
        hands.drag([(190, x), (260, x), (330, x)])
        hands.drag([(120, 256), (256, 256), (430, 256)], RIGHT)
        hands.wait(
            lambda: hands.workspace.pending is not None and not hands.workspace.jobs._solving, 60
        )
        hands.key(Qt.Key.Key_Return)
        hands.settle()
    hands.key(Qt.Key.Key_B)
    studio.keep_in_both_themes(hands, "ct")
    hands.close()


def shot_models(studio: Studio) -> None:
    """The cards with a measured one, and the sheet that "Train this" opens."""
    project = ensure_demo(studio.folder)
    for theme, size in (("dark", LARGE), ("light", SMALL)):
        hands = studio.window(project, size, theme)
        hands.key(Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
        dialog = hands.dialog()
        hands.wait(lambda d=dialog: any(c.card.is_trained for c in d.grid.cards))
        for wanted in ("architecture:enet", "architecture:deeplabv3plus"):
            card = next(c for c in dialog.grid.cards if c.card.key == wanted)
            dialog.area.ensureWidgetVisible(card)
            hands.click(card)
            hands.wait(lambda d=dialog: d.details.state.text().endswith("px"), 300)
        studio.keep_with(hands, dialog, f"models_{theme}")
        hands.click(dialog.main_button)
        sheet = hands.window.findChild(TrainingPanel).before
        hands.wait(lambda s=sheet: s.found is not None, 60)
        QTest.qWait(600)
        studio.take(hands, f"training_{theme}")


def shot_camvid(studio: Studio, project: Path) -> None:
    """A street scene with its prediction; never into the checkout."""
    for name, size, theme in (
        ("camvid_dark", LARGE, "dark"),
        ("camvid_light", LARGE, "light"),
        ("camvid_dark_1366x768", SMALL, "dark"),
    ):
        hands = studio.window(project, size, theme)
        hands.key(Qt.Key.Key_B)
        hands.key(Qt.Key.Key_1, Qt.KeyboardModifier.ShiftModifier)
        studio.take(hands, name)


SHOTS = {
    "welcome": shot_welcome,
    "demo": shot_demo,
    "models": shot_models,
    "grabcut": shot_grabcut,
    "crops": shot_crops,
    "ct": shot_ct,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", nargs="*", choices=sorted(SHOTS), default=sorted(SHOTS))
    parser.add_argument("--camvid", type=Path, help="a predicted project of street scenes")
    given = parser.parse_args()
    application = QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        studio = Studio(given.out.resolve(), Path(folder))
        studio.out.mkdir(parents=True, exist_ok=True)
        if given.camvid is not None:
            if studio.out.is_relative_to(ROOT):
                parser.error("--camvid needs --out outside the checkout: CamVid has no licence")
            shot_camvid(studio, given.camvid)
        else:
            for name in given.only:
                SHOTS[name](studio)
    application.quit()
    return 0


if __name__ == "__main__":
    sys.exit(main())
