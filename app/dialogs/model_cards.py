"""Cards in rows that are as long as there is room, in titled groups; arrows go from one to the
next as they lie on the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QLabel, QWidget

from app.dialogs.model_drawing import draw_diagram
from app.dialogs.model_facts import Card
from app.theme.controls import label
from app.theme.style import draw_focus_ring
from app.theme.theme import theme
from segcore.models.diagrams import diagram

_WIDTH, _DRAWING, _PAD, _GAP = 200, 72, 8, 8
_TEXT_LINES = 2


Foot = Callable[[Card], tuple[str, str]]
"""Last line of a card, and the colour role that it has."""


class CardWidget(QWidget):
    """One card; a click chooses it, a double click or Enter does what it is for."""

    pressed = Signal(object)
    entered = Signal(object)

    def __init__(self, card: Card, foot: Foot, parent: QWidget) -> None:
        super().__init__(parent)
        self.card = card
        self._foot = foot
        self._drawing = diagram(card.architecture)
        self._chosen = self._hovered = False
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName(f"{card.title}, {card.side}")
        self.setAccessibleDescription(f"{card.under}. {card.text}")
        self.setToolTip(card.text)

    def set_chosen(self, chosen: bool) -> None:
        """Only the chosen card is a stop of the Tab key."""
        self._chosen = chosen
        tab = Qt.FocusPolicy.StrongFocus if chosen else Qt.FocusPolicy.ClickFocus
        self.setFocusPolicy(tab)
        self.update()

    @staticmethod
    def usual_size() -> QSize:
        """Of every card, for the theme's text."""
        small = QFontMetrics(theme().font("small")).height()
        group = QFontMetrics(theme().font("group")).height()
        wide = max(_WIDTH, round(_WIDTH * theme().line() / 16))
        tall = 2 * _PAD + _DRAWING + group + (2 + _TEXT_LINES) * small + 3 * 4
        return QSize(wide, -(-tall // 4) * 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rim = "accent" if self._chosen else "border" if self._hovered else "separator"
        thick = 2 if self._chosen else 1
        painter.setPen(QPen(theme().colour(rim), thick))
        painter.setBrush(theme().colour("window"))
        half = thick / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(half, half, -half, -half), 4, 4)
        inner = self.rect().adjusted(_PAD, _PAD, -_PAD, -_PAD)
        if self._drawing is not None:
            place = QRectF(inner.x(), inner.y(), inner.width(), _DRAWING)
            draw_diagram(painter, place.adjusted(8, 0, -8, -4), self._drawing, "window")
        self._write(painter, inner.adjusted(0, _DRAWING + 4, 0, 0))
        if self.hasFocus():
            draw_focus_ring(painter, QRectF(self.rect()))

    def _write(self, painter: QPainter, area: QRect) -> None:
        card = self.card
        group = QFontMetrics(theme().font("group")).height()
        small = QFontMetrics(theme().font("small")).height()
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        row = QRect(area.x(), area.y(), area.width(), group)
        painter.setFont(theme().font("small"))
        painter.setPen(theme().colour("muted"))
        painter.drawText(row, int(right | Qt.AlignmentFlag.AlignVCenter), card.side)
        taken = painter.fontMetrics().horizontalAdvance(card.side) + _GAP
        painter.setFont(theme().font("group"))
        painter.setPen(theme().colour("text"))
        title = painter.fontMetrics().elidedText(
            card.title, Qt.TextElideMode.ElideRight, area.width() - taken
        )
        painter.drawText(row, int(left | Qt.AlignmentFlag.AlignVCenter), title)
        painter.setFont(theme().font("small"))
        painter.setPen(theme().colour("muted"))
        y = row.bottom() + 1
        under = "Predicts now. " if card.model is not None and card.model.predicts else ""
        for text in (f"{under}{card.under}", *_lines(card.text, painter, area.width())):
            line = QRect(area.x(), y, area.width(), small)
            shown = painter.fontMetrics().elidedText(
                text, Qt.TextElideMode.ElideRight, area.width()
            )
            painter.drawText(line, int(left), shown)
            y += small
        foot = QRect(area.x(), area.bottom() + 1 - small, area.width(), small)
        said, tone = self._foot(card)
        painter.setPen(theme().colour(tone))
        said = painter.fontMetrics().elidedText(said, Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(foot, int(left), said)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit(self)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.entered.emit(self)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()


def _lines(text: str, painter: QPainter, width: int) -> list[str]:
    """A sentence in at most two lines, broken between words; the last one takes the rest."""
    metrics = painter.fontMetrics()
    lines: list[str] = []
    line = ""
    words = text.split()
    for number, word in enumerate(words):
        longer = f"{line} {word}".strip()
        if metrics.horizontalAdvance(longer) <= width or not line:
            line = longer
            continue
        if len(lines) == _TEXT_LINES - 1:
            return [*lines, " ".join([line, *words[number:]])]
        lines.append(line)
        line = word
    return [*lines, line]


class CardGrid(QWidget):
    """Groups of cards; one card is chosen."""

    chosen = Signal(object)
    """The card that is chosen now, or None."""
    entered = Signal(object)
    """Enter was pressed on a card, or it was double-clicked."""

    def __init__(self, foot: Foot) -> None:
        super().__init__()
        self.setProperty("ground", "panel")
        self._foot = foot
        self.groups: list[tuple[QLabel, list[CardWidget]]] = []
        self.current: CardWidget | None = None
        theme().changed.connect(self._arrange)

    @property
    def cards(self) -> list[CardWidget]:
        """Those on the screen, from the first to the last."""
        return [c for _, cards in self.groups for c in cards if not c.isHidden()]

    def show_groups(self, groups: Sequence[tuple[str, Sequence[Card]]]) -> None:
        """Show these groups; the chosen card stays chosen where it still is."""
        before = None if self.current is None else self.current.card
        had_focus = self.current is not None and self.current.hasFocus()
        for title, cards in self.groups:
            for old in (title, *cards):
                old.hide()
                old.deleteLater()
        self.groups, self.current = [], None
        for name, rows in groups:
            title = label(name, kind="group")
            title.setParent(self)
            made = []
            for row in rows:
                widget = CardWidget(row, self._foot, self)
                widget.pressed.connect(self.choose)
                widget.entered.connect(lambda w: self.entered.emit(w.card))
                widget.show()
                made.append(widget)
            title.show()
            self.groups.append((title, made))
        self._arrange()
        key = "" if before is None else before.key
        again = next((w for w in self.cards if w.card.key == key), None)
        if again is not None and again.card == before:
            self.current = again  # nothing is new for who listens
            again.set_chosen(True)
            if had_focus:
                again.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        self.choose(again or next(iter(self.cards), None), focus=had_focus)

    def show_only(self, fits: Callable[[Card], bool]) -> None:
        """Hide the cards that do not fit what is looked for."""
        for _, cards in self.groups:
            for widget in cards:
                widget.setVisible(fits(widget.card))
        self._arrange()
        if self.current is None or self.current.isHidden():
            self.choose(next(iter(self.cards), None), focus=False)

    def choose(self, widget: CardWidget | None, *, focus: bool = True) -> None:
        """Choose a card."""
        if self.current is not None:
            self.current.set_chosen(False)
        self.current = widget
        if widget is not None:
            widget.set_chosen(True)
            if focus:
                widget.setFocus(Qt.FocusReason.OtherFocusReason)
        self.chosen.emit(None if widget is None else widget.card)

    def choose_key(self, key: str) -> None:
        """Choose the card with this key, if it is there."""
        found = next((w for w in self.cards if w.card.key == key), None)
        if found is not None:
            self.choose(found)

    # -- placing ------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

    def _arrange(self) -> None:
        size = CardWidget.usual_size()
        per_row = max(1, (self.width() - 4 + _GAP) // (size.width() + _GAP))
        y = 0
        for title, cards in self.groups:
            shown = [card for card in cards if not card.isHidden()]
            title.setVisible(bool(shown))
            if not shown:
                continue
            title.move(0, y)
            title.adjustSize()
            y += title.height() + _GAP
            for number, card in enumerate(shown):
                row, column = divmod(number, per_row)
                place = QPoint(column * (size.width() + _GAP), y + row * (size.height() + _GAP))
                card.setGeometry(QRect(place, size))
            y += -(-len(shown) // per_row) * (size.height() + _GAP) + _GAP
        self.setMinimumHeight(y)
        self.setMinimumWidth(size.width() + 4)

    # -- keys ---------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if self.current is None:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered.emit(self.current.card)
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.choose(self.cards[0 if key == Qt.Key.Key_Home else -1])
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            at = self.cards.index(self.current) + (1 if key == Qt.Key.Key_Right else -1)
            if 0 <= at < len(self.cards):
                self.choose(self.cards[at])
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._step(1 if key == Qt.Key.Key_Down else -1)
        else:
            super().keyPressEvent(event)

    def _step(self, way: int) -> None:
        """To the nearest card of the next row up or down."""
        assert self.current is not None
        here = self.current.geometry().center()
        others = [c for c in self.cards if (c.geometry().center().y() - here.y()) * way > 0]
        if others:
            row = min(abs(c.geometry().center().y() - here.y()) for c in others)
            near = [c for c in others if abs(c.geometry().center().y() - here.y()) == row]
            self.choose(min(near, key=lambda c: abs(c.geometry().center().x() - here.x())))
