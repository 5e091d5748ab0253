"""The values that a person chose, kept in one JSON file of the user's configuration folder."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.settings.table import BY_KEY
from segcore.base.whole import write_whole

log = logging.getLogger(__name__)


def default_file() -> Path:
    """Where settings live for this user; MASKWRIGHT_CONFIG names another folder."""
    override = os.environ.get("MASKWRIGHT_CONFIG")
    if override:
        return Path(override) / "settings.json"
    import platformdirs

    return Path(platformdirs.user_config_dir("maskwright", appauthor=False)) / "settings.json"


class Settings(QObject):
    """Reads and writes settings by key; unknown and wrong values fall back to the default.

    Parameters
    ----------
    path : the file; None keeps everything in memory (tests, second windows).
    """

    changed = Signal(str, object)

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self._values: dict[str, Any] = {}
        if path is not None:
            self._values = _read(path)

    def get(self, key: str) -> Any:
        """The value of a setting of the table."""
        setting = BY_KEY[key]
        value = self._values.get(key, setting.default)
        return value if setting.kind.accepts(value) else setting.default

    def set(self, key: str, value: Any) -> None:
        """Choose a value, write it, tell everybody.

        Raises
        ------
        ValueError : the setting does not accept the value.
        """
        setting = BY_KEY[key]
        if not setting.kind.accepts(value):
            raise ValueError(f"{key} does not accept {value!r}")
        if self.get(key) == value:
            return
        self._values[key] = value
        self._write()
        self.changed.emit(key, value)

    def reset(self, key: str) -> None:
        """Back to the default."""
        self.set(key, BY_KEY[key].default)

    def _write(self) -> None:
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, json.dumps(self._values, indent=1))
        except OSError as error:
            log.warning("settings were not written: %s", error.strerror)


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}
