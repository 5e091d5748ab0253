"""Shapes of the standard widgets as one style sheet, with colours by role and heights by font.

Sizes come from the 4 px grid; heights grow with the text so that nothing is clipped.
"""

from __future__ import annotations

from collections.abc import Callable

from app.theme.roles import ROLES


def style_sheet(hexa: Callable[[str], str], line: int) -> str:
    """The sheet for colours `hexa(role)` and text whose lines are `line` pixels high."""
    control = max(28, line + 12)
    row = max(24, line + 8)
    names = {role: hexa(role) for role in ROLES}
    values = names | {
        "control": str(control - 2),
        "inner": str(control - 4),
        "small": str(row - 2),
        "row": str(row),
    }
    sheet = _SHEET
    # The longest names first: @selection must not be read as @s and the rest.
    for name in sorted(values, key=len, reverse=True):
        sheet = sheet.replace(f"@{name}", values[name])
    return sheet


_SHEET = """

QMainWindow, QWidget#bars { background: @window; }
QToolTip { background: @raised; color: @text; border: 1px solid @separator; padding: 4px 8px; }

QMenuBar { background: @window; border: 0; }
QMenuBar::item { padding: 4px 8px; border-radius: 4px; background: transparent; }
QMenuBar::item:selected { background: @raised; }
QMenuBar::item:pressed { background: @selection; }
QMenu { background: @panel; border: 1px solid @separator; padding: 4px; }
QMenu::separator { height: 1px; background: @separator; margin: 4px 8px; }

QPushButton {
  background: @raised; border: 1px solid @separator; border-radius: 4px;
  padding: 0 10px; min-height: @controlpx; text-align: center;
}
QPushButton:hover { border-color: @border; }
QPushButton:pressed { background: @selection; }
QPushButton:focus { border: 2px solid @focus; padding: 0 9px; min-height: @innerpx; }
QPushButton:disabled { color: @disabled; background: @panel; }
QPushButton:checked { background: @selection; border-color: @selection; }
QPushButton[tone="primary"], QPushButton[primary="true"] {
  background: @accent; color: @on_accent; border-color: @accent;
  font-weight: 600; }
QPushButton[tone="primary"]:hover { border-color: @focus; }
QPushButton[tone="primary"]:disabled { background: @panel; color: @disabled;
  border-color: @separator; }
QPushButton[tone="flat"] { background: transparent; border-color: transparent; }
QPushButton[tone="flat"]:hover { background: @raised; }
QPushButton[tone="flat"]:checked { background: @selection; }
QPushButton[tone="link"] { background: transparent; border: 0; color: @accent; padding: 0;
  min-height: @smallpx; text-align: left; }
QPushButton[align="left"] { text-align: left; }

QToolButton { background: transparent; border: 1px solid transparent; border-radius: 4px;
  padding: 3px; }
QToolButton:hover { background: @raised; }
QToolButton:pressed, QToolButton:checked { background: @selection; }
QToolButton:focus { border: 1px solid @focus; }
QToolButton:disabled { color: @disabled; }
QToolButton::menu-indicator { image: none; }

QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit, QKeySequenceEdit QLineEdit {
  background: @field; border: 1px solid @border; border-radius: 4px; padding: 0 8px;
  min-height: @controlpx; selection-background-color: @selection; selection-color: @text;
}
QPlainTextEdit { padding: 4px; }
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus, QPlainTextEdit:focus {
  border: 2px solid @focus; padding: 0 7px; min-height: @innerpx;
}
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {
  color: @disabled; border-color: @separator;
}
/* Without buttons Qt gives a styled spin box an edit field of one pixel: they have no width. */
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button,
QDoubleSpinBox::down-button { width: 0; border: 0; }
QSpinBox QLineEdit, QDoubleSpinBox QLineEdit, QComboBox QLineEdit { border: 0; padding: 0;
  min-height: 0; background: transparent; }
QComboBox { padding-right: 24px; }
QComboBox:focus { padding-right: 23px; }
QComboBox::drop-down { border: 0; width: 24px; }
QComboBox::down-arrow { image: none; }
QComboBox QAbstractItemView { background: @panel; border: 1px solid @separator; outline: 0;
  selection-background-color: @selection; selection-color: @text; }
QComboBox QAbstractItemView::item { min-height: @rowpx; padding: 0 4px; }

QSlider { min-height: 20px; }
QSlider::groove:horizontal { height: 2px; background: @disabled; border-radius: 1px; }
QSlider::sub-page:horizontal { height: 2px; background: @accent; border-radius: 1px; }
QSlider::handle:horizontal { width: 12px; height: 12px; margin: -5px 0; border-radius: 6px;
  background: @text; }
QSlider::handle:horizontal:hover { background: @accent; }
QSlider::handle:horizontal:focus { background: @focus; }
QSlider::handle:horizontal:disabled { background: @disabled; }
QSlider::groove:vertical { width: 2px; background: @disabled; border-radius: 1px; }
QSlider::handle:vertical { width: 12px; height: 12px; margin: 0 -5px; border-radius: 6px;
  background: @text; }

QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QListView[narrow="true"] QScrollBar:vertical { width: 8px; }
QScrollBar::handle { background: @scroll; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::handle:hover { background: @border; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QProgressBar { background: @separator; border: 0; border-radius: 1px; max-height: 4px;
  min-height: 4px; }
QProgressBar::chunk { background: @accent; border-radius: 1px; }
QProgressBar[tone="success"] { max-height: 2px; min-height: 2px; }
QProgressBar[tone="success"]::chunk { background: @success; }

QAbstractScrollArea { background: transparent; border: 0; }
QListView, QTreeView, QTableView { background: transparent; border: 0; outline: 0;
  selection-background-color: @selection; selection-color: @text;
  alternate-background-color: @panel; }
QListView[popup="true"] { background: @panel; border: 1px solid @separator; }
QListView::item, QTreeView::item { min-height: @rowpx; }
QHeaderView { background: transparent; border: 0; }
QHeaderView::section { background: @panel; color: @muted; border: 0;
  border-bottom: 1px solid @separator; padding: 4px 8px; }
QTabBar { background: transparent; border: 0; }
QTabBar::tab { padding: 0 12px; min-height: 30px; color: @muted; border: 0;
  border-bottom: 2px solid transparent; }
QTabBar::tab:hover { color: @text; }
QTabBar::tab:selected { color: @text; border-bottom: 2px solid @accent; }
QTabBar::tab:focus { border-bottom: 2px solid @focus; }
QTabWidget::pane { border: 0; }
QSplitter::handle { background: @separator; }
QDialog { background: @panel; }
QLabel[tone="muted"], QCheckBox[tone="muted"] { color: @muted; }
QLabel[tone="danger"] { color: @danger; }
QLabel[tone="warning"] { color: @warning; }
QLabel[tone="success"] { color: @success; }
QLabel[tone="accent"] { color: @accent; }
QFrame[line="true"] { background: @separator; border: 0; }
QWidget[ground="panel"] { background: @panel; }
QWidget[ground="window"] { background: @window; }
QWidget[ground="raised"] { background: @raised; }
QWidget[ground="canvas"] { background: @canvas; }
QFrame[card="true"] { background: @panel; border: 1px solid @separator; border-radius: 4px; }
QFrame[floating="true"] { background: @panel; border: 1px solid @border; border-radius: 4px; }
"""
