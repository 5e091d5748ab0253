"""Old against new: the scores of two models by class, and what the difference is worth."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.theme.controls import ThemedLabel, label, line, swatch_icon
from app.theme.theme import theme
from app.workspace.run_view import RunView

# Differences below this are noise between two runs of the same recipe.
WORTH_COLOUR = 0.01


class Comparison(QWidget):
    """Old against new by class; a change is coloured only where it is worth it."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)
        self._head = label("Old against new", kind="group")
        self._at = label(kind="small", tone="muted")
        row = QHBoxLayout()
        row.addWidget(self._head)
        row.addStretch(1)
        row.addWidget(self._at)
        self._layout.addWidget(line())
        self._layout.addLayout(row)
        self._cells: dict[tuple[int, int], ThemedLabel] = {}
        self._swatches: dict[int, QLabel] = {}
        holder = QWidget()
        self._grid = QGridLayout(holder)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._layout.addWidget(holder)

    def show_scores(self, view: RunView, colours: dict[str, str | None]) -> None:
        self._at.setText(f"IoU at step {view.scored_step:,}" if view.new else "")
        self._row(0, None, ("Class", view.parent or "Old", view.name, "Change"), head=True)
        row = 0
        for row, (name, new) in enumerate(view.new.items(), 1):
            old = view.old.get(name)
            values = (name, number(old), number(new), change(old, new))
            self._row(row, colours.get(name, ""), values, tone=tone_of(old, new))
        if view.new:
            values = (
                f"Mean of {sum(v is not None for v in view.new.values())}",
                number(view.old_mean),
                number(view.new_mean),
                change(view.old_mean, view.new_mean),
            )
            tone = tone_of(view.old_mean, view.new_mean)
            self._row(row + 1, "", values, tone=tone, strong=True)

    def _row(
        self,
        row: int,
        colour: str | None,
        values: tuple[str, ...],
        *,
        tone: str = "",
        head: bool = False,
        strong: bool = False,
    ) -> None:
        if row not in self._swatches:
            self._swatches[row] = QLabel()
            self._grid.addWidget(self._swatches[row], row, 0)
        if colour:
            self._swatches[row].setPixmap(swatch_icon(colour).pixmap(16, 16))
        for column, text in enumerate(values):
            cell = self._cells.get((row, column))
            if cell is None:
                kind = "small" if head else "text"
                cell = label(kind=kind, tone="muted" if head else "")
                side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
                cell.setAlignment(side | Qt.AlignmentFlag.AlignVCenter)
                self._cells[row, column] = cell
                self._grid.addWidget(cell, row, column + 1)
            cell.setText(text)
            if not head:
                cell.setFont(theme().font("group" if strong or column == 2 else "text"))
                cell.set_tone(tone if column == 3 else ("muted" if column == 1 else ""))


def number(value: float | None) -> str:
    """A score with three digits."""
    return "n/a" if value is None else f"{value:.3f}"


def change(old: float | None, new: float | None) -> str:
    """A signed difference, with a true minus."""
    return "" if old is None or new is None else f"{new - old:+.3f}".replace("-", "−")


def tone_of(old: float | None, new: float | None) -> str:
    """The tone of a change: muted where it is not worth a colour."""
    if old is None or new is None or abs(new - old) < WORTH_COLOUR:
        return "muted"
    return "success" if new > old else "danger"


def wins(view: RunView) -> bool:
    """Whether the new model is better on the held-out items."""
    return view.new_mean is not None and view.old_mean is not None and view.new_mean > view.old_mean
