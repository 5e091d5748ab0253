"""Qt's lines of ``maskwright doctor``: version, platform, screen, fonts. Opens no window."""

from __future__ import annotations

import os
import sys

from app.qt_libraries import QtTrouble, require_qt
from segcore.cli.host import Finding

SECTION = "Window"


def findings() -> list[Finding]:
    """What Qt is here and what it lacks.

    A missing screen is told but is no fault: every command but the window works without one.
    """
    try:
        require_qt()
    except QtTrouble as trouble:
        required = "screen" not in trouble.message
        return [Finding(SECTION, "Qt", trouble.message, trouble.hint, required)]
    from PySide6 import QtCore, QtGui

    found = [Finding(SECTION, "Qt", QtCore.qVersion(), required=True)]
    application = QtGui.QGuiApplication.instance() or QtGui.QGuiApplication(sys.argv[:1])
    assert isinstance(application, QtGui.QGuiApplication)
    found.append(Finding(SECTION, "Platform", application.platformName()))
    for screen in application.screens():
        size = screen.size()
        text = f"{size.width()} x {size.height()} at {screen.devicePixelRatio():.0%}"
        found.append(Finding(SECTION, "Screen", text))
    fonts = len(QtGui.QFontDatabase.families())
    remedy = ""
    if fonts == 0 and sys.platform.startswith("linux"):
        remedy = "On Debian or Ubuntu: sudo apt-get install fonts-dejavu-core"
    found.append(Finding(SECTION, "Fonts", f"{fonts} families", remedy, required=True))
    if os.environ.get("XDG_SESSION_TYPE"):
        found.append(Finding(SECTION, "Session", os.environ["XDG_SESSION_TYPE"]))
    return found
