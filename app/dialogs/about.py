"""About: what this is, for what it is meant, under which licences it comes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout

from app.dialogs.host import DialogHost
from app.dialogs.sheet import Sheet
from app.dialogs.welcome import version
from app.theme.controls import label
from app.theme.icons import FOLDER, icon


class AboutDialog(Sheet):
    """Version, purpose, licences."""

    def __init__(self, host: DialogHost) -> None:
        super().__init__(host, "About Maskwright")
        mark = QLabel()
        mark.setPixmap(icon("brush", "text", 32).pixmap(32, 32))
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(label(f"Maskwright {version()}", kind="group"))
        words.addWidget(label("For research use, not a medical device."))
        purpose = label(
            "See what a segmentation model predicted, correct it, measure it, and teach the model "
            "with the corrections. Everything stays on this computer.",
            tone="muted",
        )
        purpose.setWordWrap(True)
        words.addWidget(purpose)
        head = QHBoxLayout()
        head.setSpacing(16)
        head.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(words, 1)
        self.body.addLayout(head)
        self.body.addWidget(label("Licences", kind="group"))
        self.licences = QPlainTextEdit(licences())
        self.licences.setReadOnly(True)
        self.licences.setAccessibleName("Licences")
        self.body.addWidget(self.licences, 1)
        self.resize(520, 440)


def licences() -> str:
    """Our licence and that of the icons."""
    parts = []
    for title, file in (
        ("Maskwright", Path(__file__).resolve().parents[2] / "LICENSE"),
        ("Icons: Lucide", FOLDER / "LICENSE"),
    ):
        if file.is_file():
            parts.append(f"{title}\n\n{file.read_text(encoding='utf-8').strip()}")
    return "\n\n\n".join(parts)
