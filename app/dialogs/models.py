"""Models as cards: the architectures that can be trained, and the models that are."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QScrollArea, QWidget

from app.dialogs.host import DialogHost
from app.dialogs.model_cards import CardGrid
from app.dialogs.model_details import ModelDetails
from app.dialogs.model_facts import TASKS, Card, architecture_cards, cost_text, model_card
from app.dialogs.sheet import Sheet
from app.theme.controls import Segmented, button, label, line, set_tone
from app.theme.icons import icon
from app.theme.theme import theme
from app.workspace.model_costs import ModelCosts
from app.workspace.models import Beginning, TrainedModel, trained_models

_ALL = "all"


class ModelsDialog(Sheet):
    """Cards at the left, the chosen one's description at the right, its verbs below."""

    def __init__(self, host: DialogHost, costs: Path | None = None) -> None:
        super().__init__(host, "Models", "Train this", "graduation-cap")
        workspace = host.workspace
        self._workspace = workspace
        self._gone = False
        self._trained: list[Card] = []
        self._architectures = architecture_cards()
        self._encoders: dict[str, str] = {}
        self.costs = ModelCosts(workspace, costs or _cost_file(), self)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Find a model")
        self.search.addAction(icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        present = {task for card in self._architectures for task in card.tasks}
        named = [(key, TASKS.get(key, key.capitalize())) for key in (*TASKS, *present)]
        shown = [row for row in dict.fromkeys(named) if row[0] in present]
        self.task = Segmented([(_ALL, "All"), *shown])
        self.task.setAccessibleName("Task")
        self.grid = CardGrid(self._foot)
        self.details = ModelDetails(self.costs)
        self.none = label("No model holds these words.", tone="muted")
        self.none.hide()
        self.use = button("Predict with this", "arrow-up-to-line", run=self._use)
        self.back = button("Go back", "history", run=workspace.runs.go_back)
        self.back.setToolTip("Let the model before the promotion predict again.")
        self._lay_out()
        self.search.textChanged.connect(lambda _: self._filter())
        self.task.chosen.connect(lambda _: self._filter())
        self.grid.chosen.connect(self._choose)
        self.grid.entered.connect(lambda _: self._enter())
        self.details.encoder_chosen.connect(self._take_encoder)
        self.costs.changed.connect(self._repaint_cards)
        workspace.models_changed.connect(self.look)
        # No lambda: only a method is disconnected when the dialog has gone.
        workspace.run_changed.connect(self._decide)
        self._show_cards()
        self.look()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.search, 1)
        head.addWidget(self.task, 1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(self.grid)
        self.area = scroll
        columns = QHBoxLayout()
        columns.setSpacing(12)
        columns.addWidget(scroll, 1)
        columns.addWidget(line(vertical=True))
        columns.addWidget(self.details)
        self.body.addLayout(head)
        self.body.addWidget(self.none)
        self.body.addLayout(columns, 1)
        self.foot.insertWidget(0, self.back)
        self.foot.insertWidget(self.foot.count() - 1, self.use)
        self.close_button.setText("Close")
        self.main_button.setAutoDefault(False)
        self.main_button.setDefault(False)
        for other in (self.close_button, self.use, self.back):
            other.setAutoDefault(False)
        for before, after in pairwise((self.search, self.task, self.grid, self.details.encoder)):
            QWidget.setTabOrder(before, after)
        window = self.host.widget.window()
        larger = theme().line() / 16
        wide = min(round(1000 * max(1.0, larger)), window.width() - 32)
        # Rows of cards are what is looked for: all the height that the window has.
        self.resize(wide, max(480, window.height() - 64))

    # -- what there is ------------------------------------------------------------------------

    def look(self) -> None:
        """Read anew which models are trained."""
        project = self._workspace.project

        def show(found: list[TrainedModel]) -> None:
            if self._gone:
                return
            first = not self._trained and self.grid.current is next(iter(self.grid.cards), None)
            on_cards = self.focusWidget() is self.grid.current
            self._trained = [model_card(model) for model in found]
            self._show_cards()
            if first and self.grid.cards:  # nobody has chosen yet
                self.grid.choose(self.grid.cards[0], focus=on_cards)

        self._workspace.background.run_latest(
            "trained-models", lambda: trained_models(project), show
        )

    def _show_cards(self) -> None:
        groups = [("Architectures", self._architectures)]
        if self._trained:
            groups.insert(0, ("Trained models", self._trained))
        self.grid.show_groups(groups)
        self._filter()

    def _filter(self) -> None:
        words, task = self.search.text().casefold().split(), self.task.value

        def fits(card: Card) -> bool:
            return (task == _ALL or task in card.tasks) and card.holds(words)

        self.grid.show_only(fits)
        self.none.setVisible(not self.grid.cards)

    def _foot(self, card: Card) -> tuple[str, str]:
        encoder = self._encoders.get(card.key, card.encoder)
        question = card.question(encoder, self._class_count)
        cost = self.costs.cost(question)
        if cost is not None:
            return cost_text(cost), "text"
        if self.costs.state(question) == "measuring":
            return "Measuring…", "muted"
        return (card.licence if card.is_trained else encoder), "muted"

    @property
    def _class_count(self) -> int:
        classes = self._workspace.classes
        return 2 if classes is None else max(1, len(classes.scored))

    def _repaint_cards(self) -> None:
        for widget in self.grid.cards:
            widget.update()

    # -- the chosen one -----------------------------------------------------------------------

    @property
    def card(self) -> Card | None:
        return None if self.grid.current is None else self.grid.current.card

    def _choose(self, card: Card | None) -> None:
        self.details.show_card(card)
        if card is not None:
            self.details.encoder.set_value(self._encoders.get(card.key, card.encoder))
            if self.grid.current is not None:
                self.area.ensureWidgetVisible(self.grid.current, 0, 32)
        self._ask()
        self._decide()

    def _take_encoder(self, encoder: str) -> None:
        if self.card is not None:
            self._encoders[self.card.key] = encoder
            self._ask()

    def _ask(self) -> None:
        card = self.card
        question = None
        if card is not None and not (card.model is not None and card.model.error):
            question = card.question(self._encoders.get(card.key, card.encoder), self._class_count)
        self.costs.ask(question)
        self.details.show_question(question)

    def _decide(self, *_: object) -> None:
        """Which verbs the chosen card has, and why it has not the others."""
        card, workspace = self.card, self._workspace
        model = None if card is None else card.model
        self.main_button.setText("Train this" if model is None else "Train further")
        why = ""
        if workspace.project is None:
            why = "Open a project first; a model learns from its items."
        elif workspace.read_only:
            why = "The project is open for reading only."
        elif workspace.runs.is_running:
            why = "A training is running; wait for it, or cancel it."
        elif model is not None and model.error:
            why = model.error
        self.main_button.setEnabled(card is not None and not why)
        self.main_button.setToolTip(why)
        self.use.setVisible(model is not None)
        self.back.setVisible(model is not None and model.promoted)
        if model is not None:
            why = model.error or ("It predicts already." if model.predicts else "")
            if not why and not model.fits:
                why = "It knows no class of this project; train it further first."
            if workspace.project is None or workspace.read_only:
                why = "Open a project for writing first; it keeps which model predicts."
            self.use.setEnabled(not why)
            self.use.setToolTip(why)
        set_tone(self.main_button, "primary")

    def _use(self) -> None:
        if self.card is not None and self.card.model is not None:
            self._workspace.runs.prefer(self.card.model.name)

    def run(self) -> None:
        """Open the fine-tuning sheet with what was chosen."""
        card = self.card
        if card is None:
            return
        if card.model is not None:
            beginning = Beginning(model=str(card.model.path))
        else:
            encoder = self._encoders.get(card.key, card.encoder)
            beginning = Beginning(architecture=card.architecture, encoder=encoder)
        self.host.show_training(True)
        self._workspace.runs.beginning_chosen.emit(beginning)
        self.accept()

    def _enter(self) -> None:
        if self.main_button.isEnabled():
            self.run()

    # -- keys and end -------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Arrows go from card to card from the beginning; the search field is one Tab before."""
        super().showEvent(event)
        if self.grid.current is not None:
            self.grid.current.setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """From the search field, Down goes to the cards; letters go to the search field."""
        text = event.text()
        plain = not event.modifiers() & ~Qt.KeyboardModifier.ShiftModifier
        if plain and text.isprintable() and text.strip() and not self.search.hasFocus():
            self.search.setFocus(Qt.FocusReason.OtherFocusReason)
            self.search.insert(text)
            return
        if self.search.hasFocus() and event.key() == Qt.Key.Key_Down:
            if self.grid.current is not None:
                self.grid.choose(self.grid.current)
            return
        super().keyPressEvent(event)

    def done(self, result: int) -> None:
        """The end, whichever way it came: nothing is measured any more."""
        self._gone = True
        self.costs.close()
        super().done(result)


def _cost_file() -> Path:
    from segcore.projects.places import places

    return places().weights.parent / "costs.json"
