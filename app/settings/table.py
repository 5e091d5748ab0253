"""The table of settings: the preferences page, the checks and the manual are views of it."""

from __future__ import annotations

from typing import Any

from app.settings.kinds import Choice, Flag, Kind, Memory, Range, Text
from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Setting:
    """One setting.

    Parameters
    ----------
    key : ``group.name``.
    default : the value until a person chooses another.
    kind : what values are allowed.
    title : the label in preferences; sentence case.
    description : one sentence.
    """

    key: str
    default: Any
    kind: Kind
    title: str
    description: str

    @property
    def group(self) -> str:
        return self.key.split(".", 1)[0]

    @property
    def is_memory(self) -> bool:
        return isinstance(self.kind, Memory)


GROUPS: dict[str, str] = {
    "look": "Look",
    "overlay": "Mask on the picture",
    "correct": "Correcting",
    "model": "Model",
    "memory": "Remembered",
}

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "look.theme",
        "dark",
        Choice({"dark": "Dark", "light": "Light"}),
        "Theme",
        "Colours of the window; the picture stays the same.",
    ),
    Setting(
        "look.text_size",
        1.0,
        Range(0.8, 1.6, 0.05, "%", 100),
        "Text size",
        "Size of all text relative to the system's.",
    ),
    Setting(
        "look.font",
        "",
        Text(),
        "Font",
        "Name of an installed font; empty is the system's.",
    ),
    Setting(
        "look.automatic_contrast",
        True,
        Flag(),
        "Automatic contrast",
        "Shows very dark 8-bit pictures brighter; models and scores keep the file's values.",
    ),
    Setting(
        "overlay.fill",
        0.35,
        Range(0, 1, 0.05, "%", 100),
        "Fill",
        "Share of class colour in a filled mask; the rest is the picture.",
    ),
    Setting(
        "overlay.outline",
        1.0,
        Range(0, 1, 0.05, "%", 100),
        "Outline",
        "Opacity of the line around each region.",
    ),
    Setting(
        "overlay.unlabelled",
        True,
        Flag(),
        "Hatch unlabelled pixels",
        "Thin lines over pixels without a class, where most of an item has one.",
    ),
    Setting(
        "overlay.hide_finished",
        False,
        Flag(),
        "Hide locked classes",
        "Locking a class also hides it, so that the picture shows.",
    ),
    Setting(
        "correct.accept_fill",
        "leave",
        Choice({"leave": "Stay unlabelled", "ask": "Ask once per project"}),
        "Unlabelled pixels on accept",
        "What happens to pixels without a class when an item is accepted.",
    ),
    Setting(
        "correct.score",
        "iou",
        Choice({"iou": "IoU", "dice": "Dice"}),
        "Score of a class",
        "Which score stands in the class rows.",
    ),
    Setting(
        "correct.sort",
        "order",
        Choice({"order": "In order", "worst": "Worst first"}),
        "Queue",
        "Order in which the queue lists items.",
    ),
    Setting(
        "correct.person",
        "",
        Text(),
        "Your name",
        "Stands beside your steps; empty is the name of your account.",
    ),
    Setting(
        "model.steps",
        200,
        Range(1, 20000, 10, "steps"),
        "Fine-tuning steps",
        "How long a fine-tuning started with one click runs.",
    ),
    Setting(
        "model.prefetch",
        True,
        Flag(),
        "Prepare the next item",
        "Opens the next item's picture and mask before they are asked for.",
    ),
    Setting(
        "model.ahead",
        2,
        Range(0, 20, 1, "items"),
        "Predict ahead",
        "How many items after the open one are predicted while nothing else runs; 0 is none.",
    ),
    Setting("memory.recent", [], Memory(list), "Recent projects", "Folders, newest first."),
    Setting(
        "memory.opened", {}, Memory(dict), "Opened", "Recent project to the seconds since 1970."
    ),
    Setting("memory.geometry", "", Memory(str), "Window", "Size and place of the window."),
    Setting("memory.panel_width", 280, Memory(int), "Right panel", "Its width in pixels."),
    Setting("memory.folded", [], Memory(list), "Folded sections", "Their ids."),
    Setting("memory.last_items", {}, Memory(dict), "Last items", "Project to its last item."),
    Setting(
        "memory.last_classes", {}, Memory(dict), "Last classes", "Project to its painted class."
    ),
    Setting("memory.tools", {}, Memory(dict), "Tool options", "Tool to its options."),
    Setting("memory.keys", {}, Memory(dict), "Own shortcuts", "Action to its keys."),
    Setting(
        "memory.dropped", [], Memory(list), "Dropped proposals", "Ids of their layers, newest last."
    ),
    Setting(
        "memory.accept_fill", {}, Memory(dict), "Fill on accept", "Project to a class id, or 0."
    ),
    Setting(
        "memory.export_formats",
        {},
        Memory(dict),
        "Export formats",
        "Project to the format that was chosen for it, and the last one under no name.",
    ),
)

BY_KEY: dict[str, Setting] = {setting.key: setting for setting in SETTINGS}
