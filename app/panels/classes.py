"""The classes: key, swatch, name, score, eye and lock in rows of 24, so that a stroke's effect is
read where the class is."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QLineEdit, QMenu, QSizePolicy, QToolTip, QWidget

from app.theme.controls import draw_swatch, icon_button
from app.theme.icons import pixmap
from app.theme.section import Section
from app.theme.style import draw_focus_ring
from app.theme.theme import theme
from app.workspace import Scores, Workspace
from segcore.base import ClassSet, SegClass


class ClassesPanel(Section):
    """The list of classes with a switch between IoU and Dice and a button to add one."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("classes", "Classes")
        self._workspace = workspace
        self.rows = ClassRows(workspace)
        self.score = icon_button("", "Switch between IoU and Dice")
        self.score.setFixedWidth(48)
        self.score.setFont(theme().font("small"))
        self.score.clicked.connect(self._switch_score)
        self.add = icon_button("plus", "Add a class", role="muted", run=self._add)
        self.add_corner(self.score)
        self.add_corner(self.add)
        self.body_layout.setContentsMargins(0, 0, 0, 4)
        self.body_layout.addWidget(self.rows)
        workspace.scores_changed.connect(lambda _: self._name_score())
        self._name_score()

    def _switch_score(self) -> None:
        settings = self._workspace.settings
        settings.set("correct.score", "dice" if settings.get("correct.score") == "iou" else "iou")
        self._name_score()
        self.rows.update()

    def _name_score(self) -> None:
        words = {"iou": "IoU", "dice": "Dice"}
        measured = self._workspace.truth is not None or self._workspace.project is None
        self.score.setText(words[self._workspace.settings.get("correct.score")])
        if not measured:
            self.score.setText("Area")
        self.score.setEnabled(measured)
        why = "Without truth there is nothing to score; the area is shown."
        self.score.setToolTip("Switch between IoU and Dice" if measured else why)

    def _add(self) -> None:
        classes = self._workspace.classes
        if classes is None or self._workspace.read_only:
            return
        taken = {c.name.casefold() for c in classes}
        number = next(n for n in range(1, 10**6) if f"class {n}" not in taken)
        self._workspace.set_classes(classes.added(f"Class {number}"))
        fresh = self._workspace.classes
        if fresh is not None:
            self._workspace.set_active_class(int(fresh.classes[-1].id))
            self.rows.rename(int(fresh.classes[-1].id))


class ClassRows(QWidget):
    """All rows, painted in one go."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._classes: list[SegClass] = []
        self._scores: Scores | None = None
        self._hovered: tuple[int, str] = (-1, "")
        self._editor: QLineEdit | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Classes")
        workspace.classes_changed.connect(self._take_classes)
        workspace.project_closed.connect(lambda: self._take_classes(None))
        workspace.active_class_changed.connect(lambda _: self.update())
        workspace.look_changed.connect(self.update)
        workspace.scores_changed.connect(self._take_scores)
        theme().changed.connect(self._resize)

    # -- state --------------------------------------------------------------------------------

    def _take_classes(self, classes: ClassSet | None) -> None:
        self._classes = [] if classes is None else list(classes.active)
        self._resize()

    def _take_scores(self, scores: Scores) -> None:
        self._scores = scores
        self.update()

    def _resize(self) -> None:
        self.updateGeometry()
        self.update()

    @property
    def row_height(self) -> int:
        return max(24, theme().line() + 8)

    def sizeHint(self) -> QSize:
        return QSize(240, max(1, len(self._classes)) * self.row_height)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.sizeHint().height())

    def row_rect(self, class_id: int) -> QRect:
        """Where the row of a class is."""
        for row, c in enumerate(self._classes):
            if int(c.id) == class_id:
                return QRect(0, row * self.row_height, self.width(), self.row_height)
        return QRect()

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
        room = columns["bar"] - 8 - 52
        name = painter.fontMetrics().elidedText(c.name, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRect(52, area.y(), room, height), int(middle), name)
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
        """Left edges, counted from the right: lock, eye, score, bar."""
        lock = self.width() - 24
        eye = lock - 24
        number = self.fontMetrics().horizontalAdvance("0.000") + 4
        score = eye - 8 - number
        return {"lock": lock, "eye": eye, "score": score, "bar": score - 52, "number": number}

    def _paint_score(
        self, painter: QPainter, c: SegClass, area: QRect, columns: dict[str, int], active: bool
    ) -> None:
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
        painter.fillRect(columns["bar"], y, 48, 4, theme().colour("separator"))
        painter.fillRect(columns["bar"], y, max(1, round(48 * value)), 4, theme().colour("muted"))

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
        return row, "swatch" if at.x() < 48 else "name"

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row, part = self._part_at(event.position().toPoint())
        if row < 0 or event.button() != Qt.MouseButton.LeftButton:
            return
        workspace, class_id = self._workspace, int(self._classes[row].id)
        if part == "eye":
            workspace.set_class_visible(class_id, class_id in workspace.hidden_classes)
        elif part == "lock":
            workspace.set_class_locked(class_id, class_id not in workspace.locked_classes)
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
        area = self._scores.areas.get(int(c.id), 0) if self._scores is not None else 0
        return f"<b>{c.name}</b><br>{area:,} px<br>Double-click to rename"

    def keyPressEvent(self, event: QKeyEvent) -> None:
        ids = [int(c.id) for c in self._classes if not c.ignore]
        active = self._workspace.active_class
        here = ids.index(active) if active in ids else 0
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and ids:
            step = 1 if event.key() == Qt.Key.Key_Down else -1
            self._workspace.set_active_class(ids[(here + step) % len(ids)])
        elif event.key() == Qt.Key.Key_F2:
            self.rename(active)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        row, _ = self._part_at(event.pos())
        if row < 0:
            return
        class_id = int(self._classes[row].id)
        menu = QMenu(self)
        menu.addAction("Rename", lambda: self.rename(class_id))
        menu.addAction("Colour…", lambda: self.recolour(class_id))
        menu.addAction("Set as background", lambda: self._workspace.set_background_class(class_id))
        menu.exec(event.globalPos())

    # -- changing a class ---------------------------------------------------------------------

    def rename(self, class_id: int) -> None:
        """Edit the name in its row."""
        classes = self._workspace.classes
        if classes is None or self._workspace.read_only or classes.get(class_id) is None:
            return
        self._close_editor()
        area = self.row_rect(class_id)
        editor = QLineEdit(classes[class_id].name, self)
        editor.setStyleSheet("min-height: 0; padding: 0 2px;")
        editor.setGeometry(48, area.y(), self._columns()["bar"] - 52, area.height())
        editor.selectAll()
        editor.show()
        editor.setFocus(Qt.FocusReason.OtherFocusReason)
        editor.editingFinished.connect(lambda: self._renamed(class_id))
        self._editor = editor

    def _renamed(self, class_id: int) -> None:
        classes, editor = self._workspace.classes, self._editor
        if editor is None:
            return
        name = editor.text().strip()
        self._close_editor()
        if classes is None or not name or name == classes[class_id].name:
            return
        other = classes.by_name(name)
        if other is not None and int(other.id) != class_id:
            self._workspace.tell(f'There is a class "{name}" already')
            return
        self._workspace.set_classes(classes.changed(class_id, name=name))

    def _close_editor(self) -> None:
        editor, self._editor = self._editor, None
        if editor is not None:
            editor.hide()
            editor.deleteLater()

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


__all__ = ["ClassRows", "ClassesPanel", "short"]
