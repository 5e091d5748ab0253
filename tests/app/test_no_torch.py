"""The window's process has no torch in it, whatever it shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys
from pathlib import Path
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication
app = QApplication([])
from app.settings.settings import Settings
from app.window.start import make_window
window = make_window(Path(sys.argv[1]), Settings(None))
window._core_started = True
window.show()
loop = QEventLoop()
window.workspace.scores_changed.connect(lambda s: s.has_truth and loop.quit())
QTimer.singleShot(60_000, loop.quit)
loop.exec()
shown = window.workspace.item is not None
window.show_training(True)
for name in ("export", "new", "preferences", "keys", "about", "palette", "classes", "models"):
    window.show_dialog(name)
app.processEvents()
heavy = ("torch", "torchvision", "timm", "segmentation_models_pytorch")
print(json.dumps({"shown": shown, "heavy": [m for m in heavy if m in sys.modules]}))
window.close()
"""


def test_a_window_with_an_item_and_all_dialogs_has_no_torch(project_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(project_path)],
        cwd=ROOT,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found == {"shown": True, "heavy": []}
