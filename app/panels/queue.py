"""The queue: every item with thumbnail, name, state and score; sorted, filtered, counted."""

from __future__ import annotations

import logging
import math
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListView,
    QMenu,
    QProgressBar,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.panels.thumbnails import HEIGHT, WIDTH, Thumbnails, write_cover
from app.theme.controls import ComboBox, icon_button, label
from app.theme.icons import device_ratio, pixmap
from app.theme.theme import theme
from app.workspace import Workspace
from app.workspace.queue import STATES, Queue

STATE_ICONS: dict[str, tuple[str, str]] = {
    "new": ("circle-dashed", "muted"),
    "predicted": ("sparkles", "muted"),
    "corrected": ("pencil", "accent"),
    "accepted": ("circle-check", "success"),
    "rejected": ("circle-x", "danger"),
}
Index = QModelIndex | QPersistentModelIndex
log = logging.getLogger(__name__)
_COVER_MS = 3000


class QueueModel(QAbstractListModel):
    """The queue's order as rows; asks for nothing until a row is painted."""

    def __init__(self, queue: Queue) -> None:
        super().__init__()
        self._queue = queue
        queue.changed.connect(self._reset)
        queue.row_changed.connect(self.touch)

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._queue)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._queue):
            return None
        if role == Qt.ItemDataRole.UserRole:
            return self._queue.order[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._queue.item_at(index.row()).name
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._queue.item_at(index.row()).name
        return None

    def touch(self, row: int) -> None:
        index = self.index(row)
        self.dataChanged.emit(index, index)

    def _reset(self) -> None:
        self.beginResetModel()
        self.endResetModel()


class QueueDelegate(QStyledItemDelegate):
    """Paints a row of 56: thumbnail, name, state as icon and word, score."""

    def __init__(self, queue: Queue, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._queue = queue
        self._thumbnails = thumbnails

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(160, max(56, 2 * (theme().line() + 6) + 8))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        item_id = index.data(Qt.ItemDataRole.UserRole)
        if item_id is None:
            return
        item = self._queue.item_at(index.row())
        rect = option.rect
        state_flags = option.state
        chosen = bool(state_flags & QStyle.StateFlag.State_Selected)
        if chosen:
            painter.fillRect(rect, theme().colour("selection"))
            painter.fillRect(rect.x(), rect.y(), 3, rect.height(), theme().colour("accent"))
        elif state_flags & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme().colour("raised"))
        top = rect.y() + (rect.height() - HEIGHT) // 2
        self._paint_thumbnail(painter, item, rect.x() + 8, top)
        left = rect.x() + 8 + WIDTH + 8
        width = rect.right() - left - 3
        height = theme().line() + 6
        first = rect.y() + rect.height() // 2 - height
        painter.setFont(theme().font())
        painter.setPen(theme().colour("text"))
        name = painter.fontMetrics().elidedText(item.name, Qt.TextElideMode.ElideMiddle, width)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(left, first, width, height), int(middle), name)
        self._paint_state(painter, item_id, chosen, QRectF(left, first + height, width, height))

    def _paint_thumbnail(self, painter: QPainter, item: Any, x: int, y: int) -> None:
        drawn = self._thumbnails.get(item)
        if drawn is not None:
            painter.drawPixmap(x, y, drawn)
            return
        painter.fillRect(x, y, WIDTH, HEIGHT, theme().colour("field"))
        missing = item.id in self._thumbnails.missing
        ratio = device_ratio(painter)
        mark = pixmap(
            "image-off" if missing else "image", "warning" if missing else "disabled", 16, ratio
        )
        painter.drawPixmap(x + (WIDTH - 16) // 2, y + (HEIGHT - 16) // 2, mark)

    def _paint_state(self, painter: QPainter, item_id: str, chosen: bool, area: QRectF) -> None:
        state = self._queue.state(item_id)
        mark, role = STATE_ICONS[state]
        ratio = device_ratio(painter)
        # On the selection only text and muted are readable enough.
        drawn = pixmap(mark, "text" if chosen else role, 14, ratio)
        painter.drawPixmap(round(area.x()), round(area.y() + (area.height() - 14) / 2), drawn)
        score = self._queue.score(item_id)
        if state != "new":
            self._queue.want_score(item_id)
        text = "" if score is None else f"{score:.3f}"
        if state == "new" or (score is not None and math.isnan(score)):
            text = "n/a"  # nothing was predicted or painted, so there is nothing to score
        painter.setFont(theme().font("small"))
        painter.setPen(theme().colour("text"))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | middle), text)
        painter.setPen(theme().colour("muted"))
        room = area.width() - 20 - painter.fontMetrics().horizontalAdvance(text) - 4
        word = painter.fontMetrics().elidedText(
            STATES[state], Qt.TextElideMode.ElideRight, int(room)
        )
        painter.drawText(area.adjusted(18, 0, 0, 0), int(middle), word)


class QueuePanel(QWidget):
    """Sort, share accepted, rows."""

    collapse_asked = Signal()

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.setProperty("ground", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.thumbnails = Thumbnails(self)
        self.model = QueueModel(workspace.queue)
        self.view = QListView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(QueueDelegate(workspace.queue, self.thumbnails))
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.view.setProperty("narrow", True)
        self.view.setAccessibleName("Queue")
        self.sort = ComboBox()
        self.sort.addItem("Worst first", "worst")
        self.sort.addItem("In order", "order")
        self.sort.setCurrentIndex(self.sort.findData(workspace.queue.sort))
        self.sort.setToolTip("Order of the queue")
        self.counted = label(kind="small", tone="muted")
        self.share = label(kind="small", tone="muted")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setProperty("tone", "success")
        self._filter = icon_button("list-filter", "Show only items in one state", role="muted")
        self.collapse = icon_button("panel-left-close", "Hide the queue", role="muted")
        self._lay_out()
        self._connect()
        self._count()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 0, 0)
        head.setSpacing(4)
        head.addWidget(label("Queue", kind="group"))
        head.addStretch(1)
        head.addWidget(self._filter)
        head.addWidget(self.collapse)
        counts = QHBoxLayout()
        counts.setContentsMargins(4, 0, 4, 0)
        counts.addWidget(self.counted)
        counts.addStretch(1)
        counts.addWidget(self.share)
        top = QVBoxLayout()
        top.setContentsMargins(8, 4, 8, 8)
        top.setSpacing(4)
        top.addLayout(head)
        top.addWidget(self.sort)
        top.addSpacing(4)
        top.addLayout(counts)
        top.addWidget(self.progress)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(self.view, 1)

    def _connect(self) -> None:
        workspace = self._workspace
        self.sort.activated.connect(self._sort_chosen)
        self.view.clicked.connect(self._open_row)
        self.view.activated.connect(self._open_row)
        self._filter.clicked.connect(self._show_filter)
        self.collapse.clicked.connect(self.collapse_asked)
        self.thumbnails.ready.connect(self._thumbnail_ready)
        workspace.image_refined.connect(lambda _: self.thumbnails.forget(workspace.item.id))
        workspace.project_opened.connect(self._load)
        workspace.project_closed.connect(lambda: self.thumbnails.load(None))
        workspace.item_requested.connect(self._select)
        workspace.queue.changed.connect(self._reselect)
        workspace.queue.progressed.connect(self._count)
        theme().changed.connect(self.view.doItemsLayout)

    def _load(self, project: Any) -> None:
        self.thumbnails.load(project)
        QTimer.singleShot(_COVER_MS, lambda: self._keep_cover(project))

    def _keep_cover(self, project: Any) -> None:
        """Long after the first picture: the welcome page will want one of this project."""
        workspace = self._workspace
        if project is workspace.project and not project.read_only:
            workspace.idle.run(
                lambda: write_cover(project),
                lambda _: None,
                lambda error: log.info("no cover: %s", type(error).__name__),
            )

    def _sort_chosen(self, _row: int) -> None:
        sort = self.sort.currentData()
        self._workspace.settings.set("correct.sort", sort)
        self._workspace.queue.set_sort(sort)

    def _open_row(self, index: QModelIndex) -> None:
        item_id = index.data(Qt.ItemDataRole.UserRole)
        if item_id is not None:
            self._workspace.open_item(item_id)

    def _select(self, item: Any) -> None:
        row = self._workspace.queue.row_of(item.id)
        if row >= 0:
            index = self.model.index(row)
            self.view.setCurrentIndex(index)
            self.view.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)

    def _reselect(self) -> None:
        requested = self._workspace.requested
        if requested is not None and self._workspace.project is not None:
            self._select(self._workspace.project.items.by_id(requested))

    def _thumbnail_ready(self, item_id: str) -> None:
        row = self._workspace.queue.row_of(item_id)
        if row >= 0:
            self.model.touch(row)

    def _count(self) -> None:
        queue = self._workspace.queue
        total, accepted = queue.total, queue.accepted
        self.counted.setText(f"{accepted:,} of {total:,} accepted" if total else "No items")
        self.share.setText(f"{100 * accepted // total} %" if total else "")
        self.progress.setRange(0, max(1, total))
        self.progress.setValue(accepted)

    def _show_filter(self) -> None:
        menu = QMenu(self)
        queue = self._workspace.queue
        for state, word in (("", "All items"), *STATES.items()):
            action = menu.addAction(word)
            action.setCheckable(True)
            action.setChecked(queue.filter == state)
            action.triggered.connect(lambda _on=False, s=state: queue.set_filter(s))
        menu.exec(self._filter.mapToGlobal(self._filter.rect().bottomLeft()))
