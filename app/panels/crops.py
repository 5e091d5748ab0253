"""The preview of a training: crops as the network will see them, with what it is told of them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QImage, QPainter, QPaintEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.theme.controls import icon_button, label
from app.theme.icons import pixmap
from app.theme.section import Section
from app.theme.theme import theme
from app.workspace import Workspace
from app.workspace.crops import CropRow

_GAP = 4
_ROW = 112  # about as high as a row of crops is
_COLUMNS_LEAST = 2
_OTHERS = "Show others: draw new crops, magnifications, flips and colours"


class CropsPart(Section):
    """Some crops below a heading that folds, and Show others."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__("crops", "What the network sees")
        self._workspace = workspace
        self._preview = workspace.runs.crops
        self.others = icon_button("rotate-cw", _OTHERS, role="muted", run=self._preview.show_others)
        self.add_corner(self.others)
        self.grid = CropGrid(workspace)
        self.legend = label(kind="small", tone="muted")
        self.legend.setWordWrap(True)
        self.body_layout.addWidget(self.grid)
        self.body_layout.addWidget(self.legend)
        if self.key in workspace.settings.get("memory.folded"):
            self.set_folded(True)
        self.folded.connect(self._remember_fold)
        self._preview.changed.connect(self.refresh)
        self.refresh()

    def _remember_fold(self, key: str, folded: bool) -> None:
        settings = self._workspace.settings
        others = [k for k in settings.get("memory.folded") if k != key]
        settings.set("memory.folded", [*others, key] if folded else others)
        self.refresh()

    def refresh(self) -> None:
        """Show the crops that there are, or why there are none."""
        preview, rows = self._preview, self._preview.rows
        self.others.setVisible(not self.is_folded)
        self.others.setEnabled(bool(rows))
        self.others.setToolTip(_OTHERS if rows else f"{_OTHERS}. No crops are shown yet.")
        said = ""
        if preview.error:
            self.grid.show_sentence(preview.error, "triangle-alert", "warning")
        elif rows:
            self.grid.show_crops(rows)
            height, width = rows[0].classes.shape
            said = f"{width} x {height} px"
            if any((row.classes == 0).any() for row in rows):
                said += "; hatched: not learned from"
        elif preview.is_running:
            self.grid.show_sentence("Cutting crops", "loader-circle", "muted")
        else:
            said = "Shown when there is something to learn from"
        self.legend.setText(said)
        self.legend.setVisible(bool(said))
        self.grid.setVisible(bool(rows or preview.error or preview.is_running))


class CropGrid(QWidget):
    """Crops side by side; the tooltip of one names its item."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._rows: list[CropRow] = []
        self._drawn: dict[int, QPixmap] = {}
        self._sentence = ("", "", "")
        self._lines = 1
        self._shape = (4, 5)
        self.setAccessibleName("Crops as the network will see them")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        workspace.look_changed.connect(self._draw_anew)
        workspace.classes_changed.connect(self._draw_anew)

    def set_lines(self, lines: int) -> None:
        """How many rows of crops there is room for."""
        if lines != self._lines:
            self._lines = lines
            self._fit()

    def show_crops(self, rows: list[CropRow]) -> None:
        if rows is self._rows:
            return
        self._rows = rows
        shape = (rows[0].classes.shape[0], rows[0].classes.shape[1])
        if shape != self._shape:
            self._shape = shape
            self._fit()
        self.setAccessibleDescription(", ".join(row.name for row in rows))
        self._draw_anew()

    def show_sentence(self, text: str, mark: str, tone: str) -> None:
        """Show words instead; the place stays as large as it is."""
        self._rows = []
        self._sentence = (text, mark, tone)
        self.setAccessibleDescription(text)
        self._draw_anew()

    # -- where --------------------------------------------------------------------------------

    def _fit(self) -> None:
        """Be as high as the crops are at this width, whatever is shown now."""
        _, _, high = self._layout(self.width())
        self.setFixedHeight(max(_ROW // 2, self._lines * (high + _GAP) - _GAP))
        self._draw_anew()

    def sizeHint(self) -> QSize:
        return QSize(240, self.minimumHeight())

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.minimumHeight())

    def _layout(self, width: int) -> tuple[int, int, int]:
        """Columns, and width and height of a crop."""
        high, wide = self._shape
        columns = max(_COLUMNS_LEAST, round(width / (_ROW * wide / high)))
        across = max(1, (width - (columns - 1) * _GAP) // columns)
        return columns, across, max(1, round(across * high / wide))

    def places(self) -> list[QRectF]:
        """Where each crop that is shown lies."""
        columns, across, high = self._layout(self.width())
        count = min(len(self._rows), columns * self._lines)
        return [
            QRectF((k % columns) * (across + _GAP), (k // columns) * (high + _GAP), across, high)
            for k in range(count)
        ]

    # -- drawing ------------------------------------------------------------------------------

    def _draw_anew(self, *_: object) -> None:
        self._drawn.clear()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.size().width() != event.oldSize().width():
            self._fit()

    def _pixmap(self, number: int, place: QRectF) -> QPixmap:
        found = self._drawn.get(number)
        ratio = self.devicePixelRatioF()
        if found is not None and found.devicePixelRatioF() == ratio:
            return found
        from segcore.train.crop_view import CropLook, draw_crop

        row, classes = self._rows[number], self._workspace.classes
        look = CropLook.of(classes.active if classes else (), self._workspace.fill_opacity, ratio)
        size = (round(place.height() * ratio), round(place.width() * ratio))
        drawn = draw_crop(row.image, row.classes, row.objects, size, look)
        height, width = size
        image = QImage(drawn.data, width, height, width * 3, QImage.Format.Format_RGB888)
        made = QPixmap.fromImage(image)
        made.setDevicePixelRatio(ratio)
        self._drawn[number] = made
        return made

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if not self._rows:
            self._paint_sentence(painter)
            return
        for number, place in enumerate(self.places()):
            painter.drawPixmap(place.topLeft(), self._pixmap(number, place))

    def _paint_sentence(self, painter: QPainter) -> None:
        text, mark, tone = self._sentence
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().colour("field"))
        painter.drawRoundedRect(QRectF(self.rect()), 4, 4)
        painter.setFont(theme().font("text"))
        painter.setPen(theme().colour(tone))
        room = self.rect().adjusted(12, 8, -12, -8)
        how = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
        needed = painter.boundingRect(room.adjusted(24, 0, 0, 0), how, text)
        top = needed.center().y() - 8 if needed.height() < 24 else needed.top()
        painter.drawPixmap(
            needed.left() - 24, top, pixmap(mark, tone, 16, self.devicePixelRatioF())
        )
        painter.drawText(needed, how, text)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            for row, place in zip(self._rows, self.places(), strict=False):
                if place.contains(event.pos()):
                    said = f"{row.name}, learned before" if row.earlier else row.name
                    QToolTip.showText(event.globalPos(), said, self)
                    return True
            QToolTip.hideText()
        return super().event(event)
