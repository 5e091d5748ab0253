"""Rows of the classes, 24 high: key, swatch, name, score, eye and lock. While a proposal waits, the
score gives way to what it would change and a box that takes this class of it."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolTip

from app.panels.name_editing import NameEditing
from app.theme.controls import draw_swatch
from app.theme.icons import pixmap
from app.theme.style import draw_check_box, draw_focus_ring
from app.theme.theme import theme
from app.workspace import Scores, Workspace
from segcore.base import ClassSet, SegClass

_NAME = 52
"""Where names begin."""


class ClassRows(NameEditing):
    """All rows, painted in one go."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(workspace)
        self._classes: list[SegClass] = []
        self._scores: Scores | None = None
        self._hovered: tuple[int, str] = (-1, "")
        self._widest = 0
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Classes")
        workspace.classes_changed.connect(self._take_classes)
        workspace.project_closed.connect(lambda: self._take_classes(None))
        workspace.item_requested.connect(lambda _: self.finish_editing())
        workspace.active_class_changed.connect(lambda _: self.update())
        workspace.look_changed.connect(self.update)
        workspace.scores_changed.connect(self._take_scores)
        workspace.offer.changed.connect(self.update)
        theme().changed.connect(self._resize)

    # -- state --------------------------------------------------------------------------------

    def _take_classes(self, classes: ClassSet | None) -> None:
        self.finish_editing(take=False)  # its row may stand elsewhere now
        self._classes = [] if classes is None else list(classes.active)
        self._resize()

    def _take_scores(self, scores: Scores) -> None:
        self._scores = scores
        self.update()

    @property
    def offers(self) -> bool:
        """Whether a proposal waits whose classes can be taken one by one."""
        workspace = self._workspace
        return workspace.offer.differences is not None and not workspace.read_only

    def _resize(self) -> None:
        metrics = QFontMetrics(theme().font("group"))
        self._widest = max((metrics.horizontalAdvance(c.name) for c in self._classes), default=0)
        self.updateGeometry()
        self.update()

    @property
    def row_height(self) -> int:
        return max(24, theme().line() + 8)

    def sizeHint(self) -> QSize:
        rows = max(1, len(self._classes) + self._adding)
        return QSize(240, rows * self.row_height)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.sizeHint().height())

    def row_rect(self, class_id: int) -> QRect:
        """Where the row of a class is; 0 is the one below the last."""
        ids = [*(int(c.id) for c in self._classes), 0]
        if class_id not in ids:
            return QRect()
        return QRect(0, ids.index(class_id) * self.row_height, self.width(), self.row_height)

    @property
    def name_width(self) -> int:
        """Room for a name that is written."""
        return self._columns()["bar"] - _NAME

    # -- painting -----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if not self._classes:
            painter.setPen(theme().colour("muted"))
            painter.drawText(
                QRect(12, 0, self.width(), self.row_height),
                int(Qt.AlignmentFlag.AlignVCenter),
                "No project open",
            )
            return
        height = self.row_height
        first = max(0, event.rect().top() // height)
        last = min(len(self._classes) - 1, event.rect().bottom() // height)
        key = 0
        for row, c in enumerate(self._classes):
            if not c.ignore:
                key += 1
            if first <= row <= last:
                self._paint_row(painter, row, c, _key_name(key) if not c.ignore else "")
        if self.hasFocus():
            draw_focus_ring(painter, QRectF(self.rect()))

    def _paint_row(self, painter: QPainter, row: int, c: SegClass, key: str) -> None:
        workspace = self._workspace
        class_id, height = int(c.id), self.row_height
        area = QRect(0, row * height, self.width(), height)
        active = class_id == workspace.active_class
        hidden = class_id in workspace.hidden_classes
        locked = class_id in workspace.locked_classes
        hovered = self._hovered[0] == row
        if active:
            painter.fillRect(area, theme().colour("selection"))
            painter.fillRect(0, area.y(), 3, height, theme().colour("accent"))
        elif hovered:
            painter.fillRect(area, theme().colour("raised"))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme().font("small"))
        painter.setPen(theme().colour("text" if active else "muted"))
        painter.drawText(
            QRect(2, area.y(), 22, height), int(Qt.AlignmentFlag.AlignRight | middle), key
        )
        draw_swatch(painter, QRectF(31, area.y() + (height - 12) // 2, 12, 12), c.colour)
        painter.setFont(theme().font("group" if active else "text"))
        painter.setPen(theme().colour("muted" if hidden and not active else "text"))
        columns = self._columns()
        room = self._name_end(c, columns) - 8 - _NAME
        name = painter.fontMetrics().elidedText(c.name, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRect(_NAME, area.y(), room, height), int(middle), name)
        self._paint_score(painter, c, area, columns, active)
        ratio = self.devicePixelRatioF()
        y = area.y() + (height - 16) // 2
        strong = "text" if active else "muted"
        for part, mark, on in (
            ("eye", "eye-off" if hidden else "eye", hidden),
            ("lock", "lock" if locked else "lock-open", locked),
        ):
            role = strong if on or active or self._hovered == (row, part) else "disabled"
            painter.drawPixmap(columns[part], y, pixmap(mark, role, 16, ratio))

    def _columns(self) -> dict[str, int]:
        """Left edges, counted from the right: lock, eye, tick or score, bar."""
        lock = self.width() - 24
        eye = lock - 24
        number = self.fontMetrics().horizontalAdvance("0.000") + 4
        score = eye - 8 - number
        return {
            "lock": lock,
            "eye": eye,
            "tick": eye - 28,
            "score": score,
            # The bar gives up to half of its length to long names.
            "bar": min(max(score - 52, _NAME + self._widest + 8), score - 28),
            "number": number,
        }

    def _name_end(self, c: SegClass, columns: dict[str, int]) -> int:
        """Where the name of a class has to end: before what stands in its row."""
        class_id, metrics, scores = int(c.id), QFontMetrics(theme().font()), self._scores
        differences = self._workspace.offer.differences
        if self.offers and differences is not None:
            if not self._workspace.offer.may_tick(class_id):
                return columns["tick"]
            words = short(differences.classes[class_id])
            return columns["tick"] - 6 - metrics.horizontalAdvance(words)
        if scores is None or c.ignore:
            return columns["score"] + columns["number"]
        if not scores.has_truth:
            count = scores.areas.get(class_id, 0)
            words = short(count) if count else ""
            return columns["score"] + columns["number"] - metrics.horizontalAdvance(words)
        return columns["bar"]

    def _paint_score(
        self, painter: QPainter, c: SegClass, area: QRect, columns: dict[str, int], active: bool
    ) -> None:
        if self.offers:
            self._paint_offer(painter, c, area, columns, active)
            return
        scores = self._scores
        if scores is None or c.ignore:
            return
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme().font())
        where = QRect(columns["score"], area.y(), columns["number"], area.height())
        if not scores.has_truth:
            count = scores.areas.get(int(c.id), 0)
            painter.setPen(theme().colour("text" if active else "muted"))
            where.setLeft(columns["bar"])
            if count:
                painter.drawText(where, int(Qt.AlignmentFlag.AlignRight | middle), short(count))
            return
        use_dice = self._workspace.settings.get("correct.score") == "dice"
        value = (scores.dice if use_dice else scores.iou).get(int(c.id), math.nan)
        painter.setPen(theme().colour("text"))
        if math.isnan(value):
            painter.setPen(theme().colour("text" if active else "muted"))
            painter.drawText(where, int(Qt.AlignmentFlag.AlignRight | middle), "n/a")
            return
        painter.drawText(where, int(Qt.AlignmentFlag.AlignRight | middle), f"{value:.3f}")
        y = area.y() + area.height() // 2 - 2
        long = columns["score"] - 4 - columns["bar"]
        painter.fillRect(columns["bar"], y, long, 4, theme().colour("separator"))
        painter.fillRect(columns["bar"], y, max(1, round(long * value)), 4, theme().colour("muted"))

    def _paint_offer(
        self, painter: QPainter, c: SegClass, area: QRect, columns: dict[str, int], active: bool
    ) -> None:
        """What the proposal would change into this class, and a box to take it."""
        offer, class_id = self._workspace.offer, int(c.id)
        if not offer.may_tick(class_id):
            return
        assert offer.differences is not None
        ticked = class_id in offer.ticked
        room = QRect(columns["bar"], area.y(), columns["tick"] - 6 - columns["bar"], area.height())
        painter.setFont(theme().font())
        painter.setPen(theme().colour("text" if ticked or active else "muted"))
        right = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(room, right, short(offer.differences.classes[class_id]))
        box = QRectF(columns["tick"], area.y() + (area.height() - 16) // 2, 16, 16)
        draw_check_box(painter, box, ticked)

    # -- mouse and keys -----------------------------------------------------------------------

    def _part_at(self, at: QPoint) -> tuple[int, str]:
        row = at.y() // self.row_height
        if not 0 <= row < len(self._classes):
            return -1, ""
        columns = self._columns()
        if at.x() >= columns["lock"] - 4:
            return row, "lock"
        if at.x() >= columns["eye"] - 4:
            return row, "eye"
        if self.offers and at.x() >= columns["tick"] - 6:
            return row, "tick"
        return row, "swatch" if at.x() < 48 else "name"

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row, part = self._part_at(event.position().toPoint())
        if row < 0 or event.button() != Qt.MouseButton.LeftButton:
            return
        self.finish_editing()
        workspace, class_id = self._workspace, int(self._classes[row].id)
        if part == "eye":
            workspace.set_class_visible(class_id, class_id in workspace.hidden_classes)
        elif part == "lock":
            workspace.set_class_locked(class_id, class_id not in workspace.locked_classes)
        elif part == "tick":
            workspace.offer.tick(class_id)
        else:
            workspace.set_active_class(class_id)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        row, part = self._part_at(event.position().toPoint())
        if row < 0:
            return
        if part == "name":
            self.rename(int(self._classes[row].id))
        elif part == "swatch":
            self.recolour(int(self._classes[row].id))
        else:
            self.mousePressEvent(event)  # two quick clicks on a mark are two clicks

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self._part_at(event.position().toPoint()))

    def leaveEvent(self, event: QEvent) -> None:
        self._hover((-1, ""))

    def _hover(self, part: tuple[int, str]) -> None:
        if part != self._hovered:
            self._hovered = part
            row = part[0]
            self._workspace.set_hovered_class(int(self._classes[row].id) if row >= 0 else 0)
            self.update()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            row, part = self._part_at(event.pos())  # type: ignore[attr-defined]
            text = self._tip(row, part) if row >= 0 else ""
            QToolTip.showText(event.globalPos(), text, self)  # type: ignore[attr-defined]
            return True
        return super().event(event)

    def _tip(self, row: int, part: str) -> str:
        c = self._classes[row]
        if part == "eye":
            return "Show" if int(c.id) in self._workspace.hidden_classes else "Hide"
        if part == "lock":
            locked = int(c.id) in self._workspace.locked_classes
            return "Unlock" if locked else "Lock: strokes leave its pixels as they are"
        if part == "swatch":
            return "Double-click for another colour"
        if part == "tick":
            return self._tick_tip(c)
        area = self._scores.areas.get(int(c.id), 0) if self._scores is not None else 0
        return f"<b>{c.name}</b><br>{area:,} px<br>Double-click to rename"

    def _tick_tip(self, c: SegClass) -> str:
        offer = self._workspace.offer
        if not offer.may_tick(int(c.id)):
            return f"The proposal changes nothing into {c.name}"
        assert offer.differences is not None
        count = offer.differences.classes[int(c.id)]
        return f"<b>Take {c.name} (Space)</b><br>{count:,} px of the proposal would become {c.name}"

    def keyPressEvent(self, event: QKeyEvent) -> None:
        ids = [int(c.id) for c in self._classes if not c.ignore]
        active = self._workspace.active_class
        here = ids.index(active) if active in ids else 0
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and ids:
            step = 1 if event.key() == Qt.Key.Key_Down else -1
            self._workspace.set_active_class(ids[(here + step) % len(ids)])
        elif event.key() == Qt.Key.Key_F2:
            self.rename(active)
        elif event.key() == Qt.Key.Key_Space and self.offers:
            self._workspace.offer.tick(active)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        row, _ = self._part_at(event.pos())
        if row >= 0:
            self.make_menu(self._classes[row]).exec(event.globalPos())

    def make_menu(self, c: SegClass) -> QMenu:
        """What can be done with a class."""
        workspace, class_id = self._workspace, int(c.id)
        menu = QMenu(self)
        if self.offers:
            taken = menu.addAction(
                f"Take {c.name} of proposal",
                lambda: workspace.take_proposal(frozenset((class_id,))),
            )
            taken.setEnabled(workspace.offer.may_tick(class_id))
            menu.addSeparator()
        for title, run in (
            ("Rename", lambda: self.rename(class_id)),
            ("Colour…", lambda: self.recolour(class_id)),
        ):
            menu.addAction(title, run).setEnabled(not workspace.read_only)
        menu.addAction("Set as background", lambda: workspace.set_background_class(class_id))
        menu.addSeparator()
        hidden, locked = class_id in workspace.hidden_classes, class_id in workspace.locked_classes
        menu.addAction(
            "Show" if hidden else "Hide",
            lambda: workspace.set_class_visible(class_id, hidden),
        )
        menu.addAction("Show only this", lambda: self._show_only(class_id))
        menu.addAction(
            "Unlock" if locked else "Lock",
            lambda: workspace.set_class_locked(class_id, not locked),
        )
        return menu

    def _show_only(self, class_id: int) -> None:
        for c in self._classes:
            self._workspace.set_class_visible(int(c.id), int(c.id) == class_id)

    # -- changing a class ---------------------------------------------------------------------

    def recolour(self, class_id: int) -> None:
        """Choose another colour in a dialog."""
        from PySide6.QtWidgets import QColorDialog

        classes = self._workspace.classes
        if classes is None or self._workspace.read_only:
            return
        before = QColor(classes[class_id].colour or theme().hex("text"))
        chosen = QColorDialog.getColor(before, self, f"Colour of {classes[class_id].name}")
        if chosen.isValid():
            colour = chosen.name().upper()
            self._workspace.set_classes(classes.changed(class_id, colour=colour))


def _key_name(position: int) -> str:
    """1 to 9, 0, then the same with Shift."""
    digit = str(position % 10)
    if position <= 10:
        return digit
    return f"⇧{digit}" if position <= 20 else ""


def short(count: int) -> str:
    """A number of pixels in at most five characters and a unit."""
    if count < 10_000:
        return f"{count:,} px"
    if count < 10_000_000:
        return f"{count / 1000:,.0f} k px"
    return f"{count / 1e6:,.0f} M px"
