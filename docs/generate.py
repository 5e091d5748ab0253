"""Writes the pages of the manual that are views of a table: commands, tools, keys, settings.

``python -m docs.generate`` writes them; a test fails where a page is not what this would write.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

MANUAL = Path(__file__).resolve().parent / "manual"
NOTICE = "<!-- Made by `python -m docs.generate` from {source}; change it there. -->"


# -- commands ---------------------------------------------------------------------------------


def commands() -> str:
    """The command line, from the table of commands and the signatures of their functions."""
    from segcore.cli.commands import COMMANDS

    lines = [
        NOTICE.format(source="segcore/cli/commands"),
        "# The command line",
        "",
        (
            "`maskwright [PROJECT.maskwright]` opens the window, with the project that is named. "
            "`maskwright --startup-report` opens the demo, prints the start-up times as JSON and "
            "closes. Everything else is a command:"
        ),
        "",
        *[f"- [`{c.name}`](#{c.name}): {c.help.splitlines()[0]}" for c in COMMANDS],
        "",
        (
            "Results go to stdout and everything else to stderr; `--json` prints nothing but JSON. "
            "Exit codes: 0 done, 1 failed, 2 wrong use. An error is two lines: what is wrong, and "
            "what to do. `MASKWRIGHT_DEBUG=1` shows the traceback of a bug."
        ),
        "",
        "For research use, not a medical device.",
    ]
    for command in COMMANDS:
        lines += ["", f"## {command.name}", "", *_paragraphs(command.help)]
        lines += ["", "```sh", command.example, "```", ""]
        rows = list(_parameters(command.function))
        if rows:
            lines += _table(("Argument or option", "Meaning"), rows)
    return "\n".join(lines) + "\n"


def _parameters(function: Callable[..., Any]) -> Iterable[tuple[str, str]]:
    hints = typing.get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name, parameter.annotation)  # a recipe's options have no name in the code
        if typing.get_origin(hint) is not typing.Annotated:
            continue  # Typer's own context
        kind, row = typing.get_args(hint)[:2]
        optional = parameter.default is not inspect.Parameter.empty
        if type(row).__name__ == "ArgumentInfo":
            shown = row.metavar or name.upper()
            title = f"`[{shown}]`" if optional else f"`{shown}`"
        else:
            # In `Annotated` the first name stands where the default used to.
            names = [n for n in (row.default, *(row.param_decls or ())) if str(n).startswith("-")]
            flag = names[0] if names else "--" + name.replace("_", "-")
            switch = bool in (kind, *typing.get_args(kind))
            title = f"`{flag}`" if switch else f"`{flag} {row.metavar or _type_of(kind)}`"
            if not optional:
                title += " (needed)"
        text = row.help or ""
        default = parameter.default
        if optional and default not in (None, False) and not isinstance(default, Enum):
            text += f" Default: `{default}`."
        yield title.replace("|", "\\|"), text


def _type_of(kind: Any) -> str:
    if typing.get_origin(kind) in (typing.Union, UnionType):
        kind = next(k for k in typing.get_args(kind) if k is not NoneType)
    return {Path: "PATH", str: "TEXT", int: "NUMBER", float: "NUMBER"}.get(kind, "VALUE")


# -- the window -------------------------------------------------------------------------------


def tools() -> str:
    """The tools, from the table of tools."""
    from app.actions.table import BY_ID
    from app.tools import TOOLS

    lines = [
        NOTICE.format(source="app/tools"),
        "# Tools",
        "",
        (
            "Choose a tool by its letter or in the strip on the left; its options stand above the "
            "picture. Esc drops a gesture, and what it would have done never happened. Every tool "
            "leaves locked classes as they are."
        ),
    ]
    for tool in TOOLS:
        key = f" ({tool.key})" if tool.key else ""
        lines += ["", f"## {tool.name}{key}", "", tool.help]
        if tool.options:
            rows = [(option.title, _option(option)) for option in tool.options]
            rows += [(BY_ID[name].title, BY_ID[name].tip) for name in tool.commands]
            lines += ["", *_table(("Option", "Meaning"), rows)]
    return "\n".join(lines) + "\n"


def _option(option: Any) -> str:
    text = option.help
    kind = type(option).__name__
    if kind == "Number":
        unit = f" {option.unit}" if option.unit else ""
        text += f" {option.low:g} to {option.high:g}{unit}; at first {option.default:g}{unit}."
    elif kind == "Choice":
        titles = [title for _, title, _ in option.values]
        text += f" {', '.join(titles)}."
    elif kind == "Flag":
        text += f" At first {'on' if option.default else 'off'}."
    return text.strip()


def keys() -> str:
    """Every action with its keys, from the table of actions."""
    from app.actions.table import ACTIONS, MENUS

    lines = [
        NOTICE.format(source="app/actions/table.py"),
        "# Keys and actions",
        "",
        "Ctrl+K finds any action by its name. On macOS, Ctrl is the Command key.",
    ]
    by_menu: dict[str, list[tuple[str, str, str]]] = {}
    for action in ACTIONS:
        shown = ", ".join(f"`{key}`" for key in action.keys)
        menu = MENUS.get(action.menu.split("/")[0], "Without a menu")
        by_menu.setdefault(menu, []).append((action.plain_title, shown, action.tip))
    for menu, rows in by_menu.items():
        lines += ["", f"## {menu}", "", *_table(("Action", "Keys", "What it does"), rows)]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """The preferences, from the table of settings."""
    from app.settings.table import SETTINGS

    lines = [
        NOTICE.format(source="app/settings/table.py"),
        "# Preferences",
        "",
        "`maskwright doctor` says in which folder they are kept.",
        "",
    ]
    rows = [
        (row.title, f"{row.description} ({_kind(row)})", f"`{row.key}`")
        for row in SETTINGS
        if not row.is_memory  # what the window remembers by itself
    ]
    lines += _table(("Name", "Meaning", "Key"), rows)
    return "\n".join(lines) + "\n"


def _kind(row: Any) -> str:
    kind = row.kind
    if hasattr(kind, "words"):
        return ", ".join(kind.words.values()) + f"; at first {kind.words[row.default]}"
    if hasattr(kind, "low"):
        low, high, first = (f"{v * kind.scale:g}" for v in (kind.low, kind.high, row.default))
        unit = f" {kind.unit}" if kind.unit else ""
        return f"{low} to {high}{unit}; at first {first}{unit}"
    if isinstance(row.default, bool):
        return f"at first {'on' if row.default else 'off'}"
    return f"at first {row.default}" if row.default else "at first empty"


# -- pages ------------------------------------------------------------------------------------

PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "tools.md": tools,
    "keys.md": keys,
    "settings.md": settings,
}


def _paragraphs(text: str) -> list[str]:
    return text.split("\n")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def main() -> None:
    MANUAL.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (MANUAL / name).write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
