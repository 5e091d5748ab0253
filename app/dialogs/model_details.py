"""What is known of the chosen card, with what it costs on this device."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.dialogs.model_drawing import DiagramView
from app.dialogs.model_facts import Card, Fact, count_text, time_text
from app.theme.choices import SearchBox
from app.theme.controls import button, label
from app.theme.theme import theme
from app.workspace.model_costs import ModelCosts
from app.workspace.models import encoder_choices
from segcore.models.agreement import ENGINES
from segcore.models.costs import CostQuestion, ModelCost
from segcore.models.diagrams import diagram
from segcore.train.preflight import gigabytes

_WIDTH = 300


class ModelDetails(QWidget):
    """Drawing, sentence, facts, encoder, and the three measured figures."""

    encoder_chosen = Signal(str)

    def __init__(self, costs: ModelCosts) -> None:
        super().__init__()
        self.setProperty("ground", "panel")
        self._costs = costs
        self._question: CostQuestion | None = None
        self._title = label(kind="group")
        self._drawing = DiagramView()
        self._text = label()
        self._facts = _Facts()
        self._encoder_name = label("Encoder", tone="muted")
        self.encoder = SearchBox()
        self.encoder.setAccessibleName("Encoder")
        self.encoder.chosen.connect(self.encoder_chosen)
        self.state = label(kind="small", tone="muted")
        self._figures = _Facts()
        self.cancel = button("Cancel", run=costs.cancel)
        self.again = button("Measure", run=costs.again)
        self._weights = label(kind="small", tone="muted")
        for wrapped in (self._title, self._text, self.state, self._weights):
            wrapped.setWordWrap(True)
        self._lay_out()
        costs.changed.connect(self._show_costs)
        theme().changed.connect(self._fit_width)
        self._fit_width()

    def _lay_out(self) -> None:
        encoder = QWidget()
        row = QVBoxLayout(encoder)
        row.setContentsMargins(0, 8, 0, 0)
        row.setSpacing(4)
        row.addWidget(self._encoder_name)
        row.addWidget(self.encoder)
        self._encoder_row = encoder
        measured = QHBoxLayout()
        measured.setSpacing(8)
        measured.addWidget(self.state, 1)
        measured.addWidget(self.cancel)
        measured.addWidget(self.again)
        page = QWidget()
        page.setProperty("ground", "panel")
        inner = QVBoxLayout(page)
        inner.setContentsMargins(0, 0, 12, 0)
        inner.setSpacing(8)
        heading = label("On this device", kind="group")
        heading.setContentsMargins(0, 8, 0, 0)
        for part in (self._title, self._drawing, self._text, self._facts, encoder, heading):
            inner.addWidget(part)
        inner.addLayout(measured)
        inner.addWidget(self._figures)
        inner.addWidget(self._weights)
        inner.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    def _fit_width(self) -> None:
        self.setFixedWidth(max(_WIDTH, round(_WIDTH * theme().line() / 16)))

    def show_card(self, card: Card | None) -> None:
        """Show a card; its encoder is the usual one until another is chosen."""
        self.setVisible(card is not None)
        if card is None:
            return
        self._title.setText(card.title)
        self._drawing.show_diagram(diagram(card.architecture), card.text)
        sentence = "" if card.is_trained else card.text
        self._text.setText(card.under if card.model is not None and card.model.error else sentence)
        self._text.setVisible(bool(self._text.text()))
        self._facts.show_facts(card.facts)
        choices = [] if card.is_trained else encoder_choices(card.architecture)
        self._encoder_row.setVisible(bool(choices))
        self.encoder.set_rows(choices, card.encoder)

    def show_question(self, question: CostQuestion | None) -> None:
        """Show what is known of this question, and follow it."""
        self._question = question
        self._show_costs()

    def _show_costs(self) -> None:
        if self._question is None:
            return
        state = self._costs.state(self._question)
        cost = self._costs.cost(self._question)
        said = {
            "measuring": "Measuring…",
            "waiting": "Measured when the predictions are done",
            "cancelled": "Not measured",
            "failed": f"Not measured. {self._costs.error}",
            "known": "" if cost is None else _computed(cost),
        }
        self.state.setText(said.get(state, "Not measured"))
        self.cancel.setVisible(state == "measuring")
        self.again.setVisible(state in ("cancelled", "failed"))
        self._figures.setVisible(cost is not None)
        self._weights.setVisible(cost is not None and bool(cost.weights))
        if cost is not None:
            self._figures.show_facts(
                (
                    Fact("Parameters", count_text(cost.parameters), tip=f"{cost.parameters:,}"),
                    Fact("Memory of a tile", gigabytes(cost.memory)),
                    Fact("Per megapixel", time_text(cost.seconds)),
                )
            )
            self._weights.setText(f"{cost.weights}." if cost.weights else "")


def _computed(cost: ModelCost) -> str:
    """What computed, on which device, in which tiles."""
    engine = f", {ENGINES[cost.engine]}" if cost.engine in ENGINES else ""
    return f"{cost.device}{engine}, tile of {cost.tile} px"


class _Facts(QWidget):
    """Names at the left, values at the right of them."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)

    def show_facts(self, facts: tuple[Fact, ...]) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        top = Qt.AlignmentFlag.AlignTop
        for number, fact in enumerate(facts):
            value = label(fact.value)
            if fact.link:
                colour = theme().hex("accent")
                value.setText(f'<a style="color:{colour}" href="{fact.link}">{fact.value}</a>')
                value.setOpenExternalLinks(True)
                value.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
            value.setWordWrap(True)
            value.setToolTip(fact.tip or fact.link)
            name = label(fact.name, tone="muted")
            for column, made in enumerate((name, value)):
                self._grid.addWidget(made, number, column, top)
                made.show()  # at once; a layout shows it when the loop comes by
