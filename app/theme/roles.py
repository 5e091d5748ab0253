"""Colour roles: the only home of a hex value of the window. Classes bring their own colours.

Greys are neutral, because a tint shifts the judgement of colours in the picture.
"""

from __future__ import annotations

from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Role:
    """One colour with a meaning.

    Parameters
    ----------
    dark, light : its value in either theme.
    meaning : one sentence.
    """

    dark: str
    light: str
    meaning: str

    def value(self, theme: str) -> str:
        return self.light if theme == "light" else self.dark


ROLES: dict[str, Role] = {
    "canvas": Role("#1A1A1A", "#C8C8C8", "Around the picture."),
    "window": Role("#262626", "#EDEDED", "Bars and the ground of the window."),
    "panel": Role("#2E2E2E", "#F5F5F5", "Side panels, sheets and dialogs."),
    "raised": Role("#3A3A3A", "#FFFFFF", "Buttons, menus, hovered rows."),
    "field": Role("#202020", "#FFFFFF", "Where something is typed or chosen."),
    "text": Role("#E8E8E8", "#1A1A1A", "What is read."),
    "muted": Role("#BDBDBD", "#505050", "What is read second."),
    "disabled": Role("#7C7C7C", "#8C8C8C", "What cannot be used now."),
    "accent": Role("#6CB4F5", "#1560A8", "The one primary button, and what is on."),
    "on_accent": Role("#0B1A29", "#FFFFFF", "Text on the accent."),
    "selection": Role("#274B6D", "#CBE1F6", "What is chosen; only text and muted stand on it."),
    "danger": Role("#FF8F85", "#A8201A", "What went wrong or cannot be undone."),
    "warning": Role("#EBB44C", "#7A4F00", "What needs a look."),
    "success": Role("#6FCB97", "#1B6B40", "What is done."),
    "focus": Role("#8CCBFF", "#0B5CAD", "Ring around what the keyboard acts on."),
    "border": Role("#909090", "#767676", "Rim of fields and swatches."),
    "separator": Role("#474747", "#CFCFCF", "Lines between parts; decoration."),
    "scroll": Role("#5A5A5A", "#B0B0B0", "Handle of a scroll bar; decoration."),
    "shadow": Role("#000000", "#000000", "Shade under what floats."),
}

THEMES = ("dark", "light")


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast of two colours ``#RRGGBB``, 1 to 21."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)
