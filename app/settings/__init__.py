"""Settings: one table, the kinds of its values, and what a person chose."""

from app.settings.settings import Settings
from app.settings.table import BY_KEY, SETTINGS, Setting

__all__ = ["BY_KEY", "SETTINGS", "Setting", "Settings"]
