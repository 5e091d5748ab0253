"""How things look: roles, icons, fonts, style. The only place that knows a colour."""

from app.theme.theme import Theme, theme

__all__ = ["Theme", "theme"]
