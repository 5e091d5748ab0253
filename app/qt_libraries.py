"""What Qt needs from the system before a window can open, said in sentences with package names.

Qt itself prints a loader's trace for a missing library, and aborts the process where it finds no
screen. So both are looked at before a QApplication is made. Imports nothing of Qt at the top.
"""

from __future__ import annotations

import builtins
import ctypes
import os
import re
import sys
from pathlib import Path

from segcore.base import MaskwrightError

# Shared library -> package of Debian and Ubuntu; what Qt 6.11's libraries and xcb plugin load.
DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb.so.1": "libxcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
_LIBRARY = re.compile(r"(lib[\w+.-]+?\.so[\w.]*)")
_SCREENLESS = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")


class QtTrouble(MaskwrightError):
    """Qt cannot open a window on this machine."""


def require_qt() -> None:
    """Load Qt's core and see that its platform plugin would load and find a screen.

    Raises
    ------
    QtTrouble : names the package of the missing library, or says that there is no screen.
    """
    plain_import = builtins.__import__
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        raise trouble_of(str(error)) from error
    # PySide looks into every later import for "from __feature__ import ...", which we do not use;
    # it cost a start 40 ms.
    builtins.__import__ = plain_import
    if sys.platform.startswith("linux"):
        _require_screen()


def trouble_of(loader_message: str) -> QtTrouble:
    """What a loader's message such as "libEGL.so.1: cannot open shared object file" means."""
    found = _LIBRARY.search(loader_message)
    if found is None:
        return QtTrouble(
            f"Qt does not load: {loader_message}.",
            "Install it again: pip install --force-reinstall PySide6-Essentials",
        )
    missing = {found.group(1), *missing_libraries()}
    packages = sorted({DEBIAN_PACKAGES[name] for name in missing if name in DEBIAN_PACKAGES})
    if not packages:
        return QtTrouble(
            f"Qt needs the system library {found.group(1)}, which is not installed.",
            "Install the package of your system that has it.",
        )
    return QtTrouble(
        f"Qt needs {', '.join(sorted(missing))} from the system, which "
        f"{'is' if len(missing) == 1 else 'are'} not installed.",
        f"On Debian or Ubuntu: sudo apt-get install {' '.join(packages)}",
    )


def missing_libraries() -> list[str]:
    """The libraries of the table that do not load here; none on other systems than Linux."""
    if not sys.platform.startswith("linux"):
        return []
    return [name for name in DEBIAN_PACKAGES if not _loads(name)]


def _require_screen() -> None:
    platform = os.environ.get("QT_QPA_PLATFORM", "").split(":")[0].split(";")[0]
    if platform.startswith(_SCREENLESS):
        return
    wayland, x11 = os.environ.get("WAYLAND_DISPLAY"), os.environ.get("DISPLAY")
    if not wayland and not x11:
        raise QtTrouble(
            "There is no screen to open a window on: neither DISPLAY nor WAYLAND_DISPLAY is set.",
            "Start it from a desktop, or over ssh -X; the commands (maskwright --help) need none.",
        )
    if platform == "wayland" or (wayland and not platform):
        return
    import PySide6

    plugin = Path(PySide6.__file__).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    if plugin.exists():
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            raise trouble_of(str(error)) from error
    if not _display_answers():
        raise QtTrouble(
            f'The screen "{x11}" that DISPLAY names does not answer.',
            "Check DISPLAY, or unset it; the commands (maskwright --help) need no screen.",
        )


def _display_answers() -> bool:
    """Whether the X server can be reached; Qt would abort the process if it cannot."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    answers = bool(xcb.xcb_connection_has_error(connection) == 0)
    xcb.xcb_disconnect(connection)
    return answers


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
