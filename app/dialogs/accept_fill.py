"""Asked once per project: which class unlabelled pixels get when an item is accepted."""

from __future__ import annotations

from app.dialogs.host import DialogHost
from app.dialogs.sheet import Form, Sheet
from app.theme.controls import ComboBox, label, swatch_icon


class AcceptFillDialog(Sheet):
    """A class, or none; remembered for this project."""

    def __init__(self, host: DialogHost) -> None:
        super().__init__(host, "Unlabelled pixels", "Accept item", "circle-check")
        workspace = host.workspace
        count = workspace.scores.areas.get(0, 0)
        said = label(f"{count:,} pixels of this item are in no class. Accepting can fill them.")
        said.setWordWrap(True)
        self.choice = ComboBox()
        self.choice.addItem("Leave them unlabelled", 0)
        classes = workspace.classes
        for c in () if classes is None else classes.active:
            self.choice.addItem(swatch_icon(c.colour), c.name, int(c.id))
        form = Form()
        form.add("They become", self.choice, "Asked once; it counts for this project from now on.")
        self.body.addWidget(said)
        self.body.addWidget(form)
        self.setMinimumWidth(420)

    def run(self) -> None:
        workspace = self.host.workspace
        if workspace.project is not None:
            kept = dict(workspace.settings.get("memory.accept_fill"))
            kept[str(workspace.project.path)] = self.choice.currentData()
            workspace.settings.set("memory.accept_fill", kept)
            workspace.accept()
        self.accept()
