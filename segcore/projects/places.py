"""Where things live on this machine: settings, logs, weights, the demo project.

One page of paths, so that `maskwright doctor`, the window and the tests agree on them.
"""

from __future__ import annotations

from pathlib import Path

import platformdirs

from segcore.base.dataclass import dataclass

APP = "maskwright"
DEMO = "demo.maskwright"


@dataclass(frozen=True)
class Places:
    """Folders of this person on this machine; they exist only once something is written.

    Parameters
    ----------
    settings : what the person chose.
    logs : logs and crash reports; no names of patients or files.
    weights : downloaded encoder weights; can be deleted.
    data : the demo project and other things that the program made.
    """

    settings: Path
    logs: Path
    weights: Path
    data: Path

    @property
    def demo(self) -> Path:
        """The folder in which ``maskwright demo`` makes its project."""
        return self.data


def places() -> Places:
    """The folders as this system has them (XDG, Application Support, AppData)."""
    return Places(
        settings=platformdirs.user_config_path(APP, appauthor=False),
        logs=platformdirs.user_log_path(APP, appauthor=False),
        weights=platformdirs.user_cache_path(APP, appauthor=False) / "weights",
        data=platformdirs.user_data_path(APP, appauthor=False),
    )
