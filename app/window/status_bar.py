"""The status bar: at the left what is under the cursor, at the right zoom, stroke, saved, core."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from app.theme.controls import ElidedLabel, ThemedLabel, label, line, swatch_icon
from app.theme.icons import pixmap
from app.theme.theme import theme
from app.tools import BY_ID
from app.workspace import Cursor, Workspace
from app.workspace.windowing import decimals, right_drag, value_text


class StatusBar(QWidget):
    """24 px high."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self.setObjectName("bars")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.place, self.value = label(kind="small"), label(kind="small")
        self._swatch, self.named = QLabel(), label(kind="small")
        self.origin, self.object = label(kind="small"), label(kind="small")
        self.hint = label("No project open", kind="small")
        self.right_drag = ElidedLabel(kind="small")
        self.right_drag.setProperty("tone", "muted")
        self.right_drag.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.odd = ElidedLabel("", "small")
        self.odd.setProperty("tone", "muted")
        self.odd.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        self.odd.setAccessibleName("About the file")
        self.window_text = label(kind="small")
        self.zoom, self.stroke = label(kind="small"), label(kind="small")
        self._saved_icon, self.saved = QLabel(), label(kind="small")
        self._core_icon, self.core = QLabel(), label(kind="small")
        self._origins: dict[int, str] = {}
        self._lay_out()
        self._connect()
        self._show_cursor(None)
        self._show_saved()
        self._show_core(workspace.core_text)

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 0, 12, 0)
        layout.setSpacing(8)
        self._dividers: list[tuple[ThemedLabel, QWidget]] = []
        layout.addWidget(self.hint)
        layout.addWidget(self.place)
        for text, extra in (
            (self.value, None),
            (self.named, self._swatch),
            (self.origin, None),
            (self.object, None),
        ):
            divider = self._divider()
            self._dividers.append((text, divider))
            layout.addWidget(divider)
            if extra is not None:
                layout.addWidget(extra)
            layout.addWidget(text)
        # What is left is shared, and gives way first.
        layout.addWidget(self.odd, 1)
        layout.addWidget(self.right_drag, 1)
        self._right: list[tuple[ThemedLabel, QWidget]] = []
        for text, mark in (
            (self.window_text, None),
            (self.zoom, None),
            (self.stroke, None),
            (self.saved, self._saved_icon),
            (self.core, self._core_icon),
        ):
            divider = self._divider()
            self._right.append((text, divider))
            layout.addWidget(divider)
            if mark is not None:
                layout.addWidget(mark)
            layout.addWidget(text)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._size()

    def _divider(self) -> QWidget:
        made = line(vertical=True)
        made.setFixedHeight(12)
        return made

    def _size(self) -> None:
        self.setFixedHeight(max(24, theme().line() + 8))

    def _connect(self) -> None:
        workspace = self._workspace
        workspace.cursor_moved.connect(self._show_cursor)
        workspace.object_named.connect(self._show_object)
        workspace.zoom_changed.connect(self._show_zoom)
        workspace.turned_changed.connect(lambda _: self._show_zoom(workspace.zoom))
        workspace.stroke_timed.connect(self._show_stroke)
        workspace.core_changed.connect(self._show_core)
        workspace.run_changed.connect(lambda _: self._show_core(workspace.core_text))
        workspace.window_changed.connect(self._show_window)
        workspace.image_loaded.connect(lambda _: self._show_window(*workspace.window))
        workspace.image_refined.connect(lambda _: self._show_window(*workspace.window))
        workspace.tool_changed.connect(self._show_right_drag)
        workspace.slice_changed.connect(lambda _: self._show_window(*workspace.window))
        workspace.history_changed.connect(self._show_saved)
        workspace.label_committed.connect(self._show_saved)
        workspace.store_troubled.connect(self._show_saved)
        workspace.store_recovered.connect(self._show_saved)
        workspace.project_opened.connect(self._opened)
        workspace.project_closed.connect(self._opened)
        workspace.item_requested.connect(self._item)
        workspace.image_loaded.connect(self._show_hints)
        workspace.image_failed.connect(lambda _: self._show_hints(None))
        theme().changed.connect(self._themed)

    # -- showing ------------------------------------------------------------------------------

    def _themed(self) -> None:
        self._size()
        self._show_core(self._workspace.core_text)
        self._show_saved()

    def _opened(self, _project: Any = None) -> None:
        self._origins.clear()
        open_now = self._workspace.project is not None
        self.hint.setText("" if open_now else "No project open")
        self.odd.setText("")
        for text in (self.zoom, self.stroke, self.window_text, self.right_drag):
            text.setText("")
        self._show_cursor(None)
        self._show_saved()

    def _item(self, item: Any) -> None:
        self.hint.setText(item.name)

    def _show_hints(self, image: Any) -> None:
        """What was left out or guessed of the file: a first frame, an alpha channel."""
        self.odd.setText("" if image is None else " ".join(image.hints))

    def _show_cursor(self, cursor: Cursor | None) -> None:
        self.hint.setVisible(cursor is None)
        self.place.setVisible(cursor is not None)
        if cursor is None:
            self.value.setText("")
            self.named.setText("")
            self.origin.setText("")
            self.object.setText("")
        else:
            labels = self._workspace.labels
            deep = labels is not None and labels.shape.is_volume
            where = f"x {cursor.x:,}  y {cursor.y:,}" + (f"  z {cursor.z + 1}" if deep else "")
            self.place.setText(where)
            self.value.setText(_values(cursor.values or (), self._unit))
            self._show_class(cursor)
        self._show_parts()
        self._swatch.setVisible(bool(self.named.text()) and not self._swatch.pixmap().isNull())

    @property
    def _unit(self) -> str:
        """Of the picture's values."""
        image = self._workspace.image
        return "" if image is None else image.unit

    def _show_object(self, text: str) -> None:
        self.object.setText(text)
        self._show_parts()

    def _show_parts(self) -> None:
        for text, divider in self._dividers:
            divider.setVisible(bool(text.text()))
            text.setVisible(bool(text.text()))

    def _show_class(self, cursor: Cursor) -> None:
        classes = self._workspace.classes
        if cursor.class_id is None or classes is None:
            self.named.setText("")
            self.origin.setText("")
            return
        found = classes.get(cursor.class_id)
        name = found.name if found is not None else "Not in a class"
        self.named.setText(f"{name} {cursor.instance}" if cursor.instance else name)
        if found is None:
            self._swatch.clear()
        else:
            drawn = swatch_icon(found.colour, 10, self.devicePixelRatioF()).pixmap(16, 16)
            self._swatch.setPixmap(drawn)
        self.origin.setText(self._origin_text(cursor.origin) if cursor.class_id else "")

    def _origin_text(self, origin: int) -> str:
        if not origin:
            return ""
        found = self._origins.get(origin)
        if found is None:
            found = self._origins[origin] = self._workspace.origin_text(origin)
        return found

    def _show_zoom(self, scale: float) -> None:
        turned = self._workspace.turned
        self.zoom.setText(f"{scale * 100:,.0f} %" + (f"   Turned: {turned}" if turned else ""))
        self._show_dividers()

    def _show_stroke(self, milliseconds: float) -> None:
        self.stroke.setText(f"Stroke {milliseconds:.1f} ms")
        self._show_dividers()

    def _show_window(self, low: float, high: float) -> None:
        parts = []
        labels = self._workspace.labels
        if labels is not None and labels.shape.is_volume:
            parts.append(f"Slice {self._workspace.z + 1} of {labels.shape.z}")
        if self._workspace.windowed:
            places = decimals(self._workspace.image, high - low)
            width, level = (value_text(v, places) for v in (high - low, (low + high) / 2))
            parts.append(f"W {width}  L {level} {self._unit}".rstrip())
        self.window_text.setText("   ".join(parts))
        self._show_right_drag()

    def _show_right_drag(self, _: object = None) -> None:
        workspace = self._workspace
        tool = BY_ID.get(workspace.tool_id) if workspace.image is not None else None
        self.right_drag.setText(right_drag(tool, workspace.windowed).value)
        self._show_dividers()

    def _show_saved(self, *_: object) -> None:
        workspace = self._workspace
        waiting = workspace.waiting_strokes
        if workspace.project is None:
            self.saved.setText("")
            self._saved_icon.clear()
        elif workspace.read_only:
            self._say_saved("Read-only", "lock", "warning")
        elif waiting:
            noun = "stroke" if waiting == 1 else "strokes"
            self._say_saved(f"Saving {waiting} {noun}", "circle-dashed", "muted")
        else:
            self._say_saved("All saved", "check", "success")
        self._show_dividers()

    def _say_saved(self, text: str, mark: str, role: str) -> None:
        self.saved.setText(text)
        self._saved_icon.setPixmap(pixmap(mark, role, 14, self.devicePixelRatioF()))

    def _show_core(self, text: str) -> None:
        run = self._workspace.runs.view
        if run is not None and run.is_running:
            text = text.replace("ready", "training")
        self.core.setText(text)
        trouble = "stopped" in text
        role = "warning" if trouble else "muted"
        self.core.set_tone("warning" if trouble else "")
        self._core_icon.setPixmap(pixmap("cpu", role, 14, self.devicePixelRatioF()))
        self._show_dividers()

    def _show_dividers(self) -> None:
        seen = bool(self.right_drag.text())
        for text, divider in self._right:
            shown = bool(text.text())
            divider.setVisible(shown and seen)
            text.setVisible(shown)
            seen = seen or shown
        self._saved_icon.setVisible(bool(self.saved.text()))


def _values(values: tuple[float, ...], unit: str) -> str:
    texts = [f"{v:,.0f}" if float(v).is_integer() else f"{v:,.3g}" for v in values]
    text = "  ".join(texts).replace("-", "−")
    return f"{text} {unit}".rstrip() if texts else ""
