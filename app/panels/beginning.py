"""What a training begins with: the model that predicts, another one, or a new architecture."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from app.theme.choices import SearchBox
from app.theme.controls import ComboBox, ThemedLabel, label
from app.workspace.models import Beginning, encoder_choices
from segcore.base import MaskwrightError
from segcore.models.registry import architectures, make_spec
from segcore.train.recipe import Recipe, parse_options

_NEW = "new"


class BeginningFields(QWidget):
    """Begin with; and for a new model its architecture and encoder.

    Attributes
    ----------
    why_not : why a new model cannot be built like this, or "".
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._base = self.why_not = ""
        self._family = ""
        self._picked = False  # by a person; the model that predicts otherwise
        self.begin = ComboBox()
        self.architecture = ComboBox()
        self.encoder = SearchBox()
        self.options = QLineEdit()
        self._error = label(kind="small", tone="danger")
        self._error.setWordWrap(True)
        self._error.hide()
        rows = sorted(architectures().values(), key=lambda row: row.title.casefold())
        for number, row in enumerate(rows):
            self.architecture.addItem(row.title, row.name)
            self.architecture.setItemData(number, row.idea, Qt.ItemDataRole.ToolTipRole)
        self._names: dict[QWidget, ThemedLabel] = {
            field: label(name)
            for name, field in (
                ("Begins with", self.begin),
                ("Architecture", self.architecture),
                ("Encoder", self.encoder),
                ("Options", self.options),
            )
        }
        self.architecture.setCurrentIndex(self.architecture.findData(Recipe().arch))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 8, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        for number, (field, name) in enumerate(self._names.items()):
            field.setAccessibleName(name.text())
            field.setMinimumWidth(0)
            if isinstance(field, ComboBox):
                field.setSizeAdjustPolicy(
                    ComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
                )
                field.setMinimumContentsLength(8)
            grid.addWidget(name, number, 0)
            grid.addWidget(field, number, 1)
        grid.addWidget(self._error, len(self._names), 0, 1, 2)
        self._show_begins("")
        self._fill_encoders("")
        self.begin.activated.connect(lambda _: self._began())
        self.architecture.activated.connect(lambda _: self._chose_architecture())
        self.encoder.chosen.connect(lambda _: self._check())
        self.options.textChanged.connect(lambda _: self._check())
        self._show_rows()

    def value(self) -> Beginning:
        """What is chosen."""
        chosen = self.begin.currentData()
        if chosen == _NEW:
            return Beginning(
                architecture=self.architecture.currentData(),
                encoder=self.encoder.value,
                options=self.options.text().strip(),
            )
        return Beginning(model=chosen or "")

    def show_base(self, name: str) -> None:
        """Name the model that predicts; "" where there is none, so that a new one begins."""
        if name != self._base:
            self._base = name
            self._show_begins(str(self.begin.currentData() or "") if self._picked else "")
            self._show_rows()
            self._check()

    def forget(self) -> None:
        """Nothing is chosen, and no model is known."""
        self._picked, self._base = False, ""
        self._show_begins("")
        self._show_rows()

    def choose(self, beginning: Beginning) -> None:
        """Show a choice that was made elsewhere."""
        self._picked = True
        if beginning.is_new:
            self.begin.setCurrentIndex(self.begin.findData(_NEW))
            self.architecture.setCurrentIndex(self.architecture.findData(beginning.architecture))
            self.options.setText(beginning.options)
            self._fill_encoders(beginning.encoder)
        else:
            self._show_begins(beginning.model)
        self._show_rows()
        self._check()

    # -- inside -------------------------------------------------------------------------------

    def _show_begins(self, wanted: str) -> None:
        self.begin.clear()
        if self._base:
            self.begin.addItem(self._base, "")
        self.begin.addItem("A new model", _NEW)
        if wanted and wanted != _NEW:
            if Path(wanted).name == self._base:
                wanted = ""
            else:
                self.begin.insertItem(self.begin.count() - 1, Path(wanted).name, wanted)
        at = self.begin.findData(wanted)
        self.begin.setCurrentIndex(max(0, at))

    def _began(self) -> None:
        self._picked = True
        self._show_rows()
        self._check()

    def _chose_architecture(self) -> None:
        self.options.clear()  # another family has other ones
        usual = architectures()[self._family].encoder
        self._fill_encoders("" if self.encoder.value == usual else self.encoder.value)
        self._show_rows()
        self._check()

    def _check(self) -> None:
        """Say what is wrong with a new model before it is started."""
        chosen, self.why_not = self.value(), ""
        if chosen.is_new:
            try:
                make_spec(
                    chosen.architecture,
                    classes=2,
                    encoder=chosen.encoder,
                    **parse_options(chosen.options),
                )
            except MaskwrightError as error:
                self.why_not = f"{error.message} {error.hint}".strip()
            except TypeError:  # the name of something that a spec has beside its options
                self.why_not = f"{chosen.options} is no option of this architecture."
        self._error.setText(self.why_not)
        self._error.setVisible(bool(self.why_not))
        self.changed.emit()

    def _fill_encoders(self, wanted: str) -> None:
        """The encoders of the chosen architecture; its usual one where it refuses the wanted."""
        self._family = str(self.architecture.currentData())
        rows = encoder_choices(self._family)
        allowed = {name for name, why in rows if not why}
        first = rows[0][0] if rows else ""
        self.encoder.set_rows(rows, wanted if wanted in allowed else first)

    def _show_rows(self) -> None:
        new = self.begin.currentData() == _NEW
        family = architectures()[self.architecture.currentData()]
        self.options.setPlaceholderText(
            " ".join(f"{o.name}={o.default}" for o in family.options if o.choices)
        )
        self.options.setToolTip(
            "\n".join(f"{o.name}: {o.help} ({o.default})" for o in family.options)
        )
        for field, shown in (
            (self.architecture, new),
            (self.encoder, new and self.encoder.rows.rowCount() > 0),
            (self.options, new and bool(family.options)),
        ):
            field.setVisible(shown)
            self._names[field].setVisible(shown)
