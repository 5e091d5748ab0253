"""What is shown while nothing is open: begin, or go on with a project of before."""

from __future__ import annotations

import datetime
import sqlite3
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.host import DialogHost
from app.theme.buttons import KeyButton, connect
from app.theme.controls import label
from app.theme.icons import icon, pixmap
from app.theme.style import draw_focus_ring
from app.theme.theme import theme
from segcore.base.dataclass import dataclass

CARD_WIDTH, PICTURE_HEIGHT = 300, 168
_COLUMNS = 3
_START_WIDTH = 256


@dataclass(frozen=True)
class Recent:
    """A card: a project as its folder says it is.

    Parameters
    ----------
    path, name : the folder, and its name without the ending.
    total, accepted : items.
    classes : how many are in use.
    volume, things : whether most of it are volumes, and whether it has countable objects.
    when : seconds since 1970 of the last opening, by which they are sorted; of the last change
        where that is not known.
    held : who has it open, or "".
    """

    path: Path
    name: str
    total: int = 0
    accepted: int = 0
    classes: int = 0
    volume: bool = False
    things: bool = False
    when: float = 0.0
    held: str = ""
    picture: QImage | None = None


class WelcomePage(QWidget):
    """Four ways to begin at the left, recent projects at the right."""

    def __init__(self, host: DialogHost) -> None:
        super().__init__()
        self._host = host
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._cards: list[Card] = []
        self._recents: list[Recent] = []
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find a project")
        self.search.addAction(icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        self.search.setFixedWidth(232)
        self.search.textChanged.connect(lambda _: self._show_cards())
        self._grid_holder = QWidget()
        self._grid_holder.setProperty("ground", "window")
        self._grid = QGridLayout(self._grid_holder)
        self._grid.setContentsMargins(4, 4, 4, 4)
        self._grid.setSpacing(24)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self._empty = label("Projects that you open are listed here.", tone="muted")
        self._lay_out()
        theme().changed.connect(self._show_cards)

    def _lay_out(self) -> None:
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._grid_holder)
        self._scroll = scroll
        head = QHBoxLayout()
        head.addWidget(label("Recent projects", kind="page"))
        head.addStretch(1)
        head.addWidget(self.search)
        right = QVBoxLayout()
        right.setSpacing(16)
        right.addLayout(head)
        right.addWidget(self._empty)
        right.addWidget(scroll, 1)
        middle = QHBoxLayout()
        middle.setSpacing(64)
        middle.addStretch(1)
        self._start = self._start_column()
        middle.addWidget(self._start, 0, Qt.AlignmentFlag.AlignTop)
        self._right = QWidget()
        self._right.setLayout(right)
        right.setContentsMargins(0, 0, 0, 0)
        middle.addWidget(self._right)
        middle.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(32, 32, 32, 24)
        outer.addStretch(1)
        outer.addLayout(middle, 8)
        outer.addStretch(1)
        said = f"Maskwright {version()}. For research use, not a medical device."
        outer.addWidget(label(said, kind="small", tone="muted"), 0, Qt.AlignmentFlag.AlignHCenter)

    def _start_column(self) -> QWidget:
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addStrut(_START_WIDTH)  # wider where the words of a button need it
        title = QHBoxLayout()
        title.setSpacing(12)
        title.addWidget(Mark())
        title.addWidget(label("Maskwright", kind="page"))
        title.addStretch(1)
        layout.addLayout(title)
        layout.addWidget(label("Look, correct, score, fine-tune.", tone="muted"))
        layout.addSpacing(8)
        actions = self._host.actions_set
        for action_id, words, mark_name, tone in (
            ("project.new", "New project", "plus", "primary"),
            ("project.open", "Open project", "folder-open", ""),
            ("project.import", "Import images and masks", "import", ""),
            ("project.demo", "Open demo", "play", ""),
        ):
            made = KeyButton(words, mark_name, actions.keys_text(action_id), tone=tone, spread=True)
            made.setToolTip(actions.tooltip(action_id))
            made.setMinimumHeight(34)
            connect(made, partial(actions.run, action_id))
            layout.addWidget(made)
        layout.addSpacing(8)
        layout.addWidget(DropField())
        layout.addSpacing(8)
        links = QHBoxLayout()
        links.setSpacing(16)
        for action_id, words, mark_name in (
            ("help.manual", "Manual", "book-open"),
            ("help.keys", "Keys", "keyboard"),
        ):
            link = KeyButton(words, mark_name, tone="flat")
            connect(link, partial(actions.run, action_id))
            links.addWidget(link)
        links.addStretch(1)
        layout.addLayout(links)
        return column

    # -- recent projects ----------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the cards of recent projects beside the GUI thread."""
        paths = [Path(p) for p in self._host.workspace.settings.get("memory.recent")]
        self._recents = [Recent(p, p.name.removesuffix(".maskwright")) for p in paths if p.is_dir()]
        self._show_cards()
        for recent in self._recents:
            self._host.workspace.background.run(
                partial(read_recent, recent.path), self._take, lambda _: None
            )

    def _take(self, recent: Recent) -> None:
        opened = self._host.workspace.settings.get("memory.opened").get(str(recent.path))
        recent = replace(recent, when=opened or recent.when)
        for i, known in enumerate(self._recents):
            if known.path == recent.path:
                self._recents[i] = recent
        for card in self._cards:
            if card.recent.path == recent.path:
                card.show_recent(recent)

    def _show_cards(self) -> None:
        for card in self._cards:
            self._grid.removeWidget(card)
            card.hide()  # it goes a moment later, and would be painted under the new ones
            card.deleteLater()
        self._cards.clear()
        wanted = self.search.text().casefold()
        shown = [r for r in self._recents if wanted in r.name.casefold()]
        self._empty.setVisible(not shown)
        self._empty.setText(
            "No project has this name."
            if self._recents
            else "Projects that you open are listed here."
        )
        columns = self._columns()
        for i, recent in enumerate(shown):
            card = Card(recent)
            card.chosen.connect(self._host.open_path)
            self._grid.addWidget(card, i // columns, i % columns)
            self._cards.append(card)
        self._right.setFixedWidth(_cards_width(columns))

    def _columns(self) -> int:
        room = self.width() - self._start.sizeHint().width() - 64 - 96
        return max(1, min(_COLUMNS, room // (CARD_WIDTH + 24)))

    def resizeEvent(self, event: object) -> None:
        if self._right.maximumWidth() != _cards_width(self._columns()):
            self._show_cards()


def _cards_width(columns: int) -> int:
    return columns * CARD_WIDTH + (columns - 1) * 24 + 24


class Mark(QLabel):
    """The program's drawing, in the text's colour of the theme."""

    def __init__(self) -> None:
        super().__init__()
        self._dress()
        theme().changed.connect(self._dress)

    def _dress(self) -> None:
        self.setPixmap(icon("brush", "text", 32).pixmap(32, 32))


class DropField(QWidget):
    """A place to drop folders; the whole window takes them, this says so."""

    def __init__(self) -> None:
        super().__init__()
        self._fit()
        theme().changed.connect(self._fit)

    def _fit(self) -> None:
        self.setMinimumHeight(max(96, theme().line() * 3 + 48))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(theme().colour("border"), 1)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        drawn = pixmap("image-down", "muted", 20, self.devicePixelRatioF())
        text_height = 2 * theme().line() + 4
        top = (self.height() - 28 - text_height) // 2
        painter.drawPixmap((self.width() - 20) // 2, top, drawn)
        painter.setPen(theme().colour("muted"))
        painter.setFont(theme().font())
        area = QRectF(0, top + 28, self.width(), text_height)
        painter.drawText(
            area,
            int(Qt.AlignmentFlag.AlignHCenter),
            "Drop a folder of images,\na DICOM series or a project",
        )


class Card(QWidget):
    """A project: its first picture, name, what it holds, how far it is."""

    chosen = Signal(Path)

    def __init__(self, recent: Recent) -> None:
        super().__init__()
        self.recent = recent
        self._pixmap: QPixmap | None = None
        self._hovered = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedSize(CARD_WIDTH, PICTURE_HEIGHT + 4 * (theme().line() + 6) + 16)
        self.setToolTip(str(recent.path))
        self.setAccessibleName(recent.name)
        self.show_recent(recent)

    def show_recent(self, recent: Recent) -> None:
        self.recent = recent
        if recent.picture is not None and not recent.picture.isNull():
            self._pixmap = QPixmap.fromImage(recent.picture)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(theme().colour("border" if self._hovered else "separator"), 1))
        painter.setBrush(theme().colour("panel"))
        painter.drawRoundedRect(frame, 4, 4)
        picture = QRectF(1, 1, self.width() - 2, PICTURE_HEIGHT)
        painter.fillRect(picture, theme().colour("field"))
        if self._pixmap is not None:
            self._paint_picture(painter, picture)
        recent, step = self.recent, theme().line() + 6
        y, width = PICTURE_HEIGHT + 10, self.width() - 24
        middle, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        rows = [
            (recent.name, when_text(recent.when), "group"),
            (kind_text(recent), "", "text"),
            (f"{recent.accepted:,} of {recent.total:,} accepted" if recent.total else "No items",
             f"{100 * recent.accepted // recent.total} %" if recent.total else "", "text"),
        ]  # fmt: skip
        if recent.held:
            rows[2] = (recent.held, "", "text")
        for i, (text, note, kind) in enumerate(rows):
            area = QRectF(12, y + i * step, width, step)
            painter.setFont(theme().font("small"))
            painter.setPen(theme().colour("muted"))
            painter.drawText(area, int(right | middle), note)
            taken = painter.fontMetrics().horizontalAdvance(note) + 8 if note else 0
            painter.setFont(theme().font(kind))
            painter.setPen(theme().colour("warning" if recent.held and i == 2 else "text"))
            shown = painter.fontMetrics().elidedText(
                text, Qt.TextElideMode.ElideRight, int(width - taken)
            )
            painter.drawText(area, int(middle), shown)
        bar = QRectF(12, y + 3 * step + 4, width, 3)
        painter.fillRect(bar, theme().colour("separator"))
        if recent.total:
            bar.setWidth(width * recent.accepted / recent.total)
            painter.fillRect(bar, theme().colour("success"))
        if self.hasFocus():
            draw_focus_ring(painter, QRectF(self.rect()))

    def _paint_picture(self, painter: QPainter, area: QRectF) -> None:
        drawn = self._pixmap
        if drawn is None:
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        scale = max(area.width() / drawn.width(), area.height() / drawn.height())
        width, height = area.width() / scale, area.height() / scale
        source = QRectF((drawn.width() - width) / 2, (drawn.height() - height) / 2, width, height)
        painter.drawPixmap(area, drawn, source)

    def enterEvent(self, event: object) -> None:
        self._hovered = True
        self.update()

    def leaveEvent(self, event: object) -> None:
        self._hovered = False
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(self.recent.path)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self.recent.path)
        else:
            super().keyPressEvent(event)


def read_recent(path: Path) -> Recent:
    """What a card says, read from the project's files without opening it."""
    name = path.name.removesuffix(".maskwright")
    file = path / "project.db"
    uri = f"{file.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=1.0)) as connection:
        total, accepted, volumes = connection.execute(
            "SELECT count(*), sum(state = 'accepted'), sum(z > 1) FROM item"
        ).fetchone()
        (classes,) = connection.execute(
            "SELECT count(*) FROM class WHERE NOT retired AND NOT ignore"
        ).fetchone()
        (things,) = connection.execute("SELECT EXISTS (SELECT 1 FROM instance)").fetchone()
        first = connection.execute("SELECT uuid FROM item ORDER BY number LIMIT 1").fetchone()
    picture = None
    for folder, ending in (("covers", "png"), ("thumbnails", "png")):
        kept = path / "cache" / folder / f"{first[0] if first else ''}.{ending}"
        if picture is None and kept.is_file():
            picture = QImage(str(kept))
    return Recent(
        path,
        name,
        int(total),
        int(accepted or 0),
        int(classes),
        2 * int(volumes or 0) > int(total),
        bool(things),
        file.stat().st_mtime,
        "",
        picture,
    )


def kind_text(recent: Recent) -> str:
    """What a project is, in three words."""
    if not recent.classes:
        return ""
    kind = "Volume" if recent.volume else ("Instances" if recent.things else "Semantic")
    return f"{kind}, {recent.classes} {'class' if recent.classes == 1 else 'classes'}"


def when_text(seconds: float) -> str:
    """Today with the time, yesterday, or the date."""
    if not seconds:
        return ""
    then = datetime.datetime.fromtimestamp(seconds).astimezone()
    days = (datetime.datetime.now().astimezone().date() - then.date()).days
    if days == 0:
        return f"Today, {then:%H:%M}"
    return "Yesterday" if days == 1 else f"{then.day} {then:%b}"


def version() -> str:
    """The program's version."""
    try:
        return metadata.version("maskwright")
    except metadata.PackageNotFoundError:
        return "0.1.0"
