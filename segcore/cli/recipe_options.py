"""The settings of a training as options of a command, made from the recipe's own table."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer

from segcore.train.recipe import SettingRow, describe

Function = TypeVar("Function", bound=Callable[..., Any])

_TYPES = {"int": int, "float": float, "bool": bool}


def with_recipe_options(function: Function) -> Function:
    """Give a command an option for each setting, in place of its ``**settings``.

    What is not given arrives as None; `chosen` tells it apart from a setting that is none.
    """
    own = inspect.signature(function, eval_str=True)
    kept = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    rows = [_option(row) for row in describe()]
    function.__signature__ = own.replace(parameters=[*kept, *rows])  # type: ignore[attr-defined]
    return function


def chosen(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that were given; ``none`` is None where a setting may be none."""
    optional = {row.name for row in describe() if row.optional}
    return {
        name: None if name in optional and value == "none" else value
        for name, value in given.items()
        if value is not None
    }


def _option(row: SettingRow) -> inspect.Parameter:
    flag = row.name.replace("_", "-")
    default = "" if row.default in (None, "") or row.type == "bool" else row.default
    option = typer.Option(
        f"--{flag}/--no-{flag}" if row.type == "bool" else f"--{flag}",
        metavar="|".join(row.choices) or None,
        help=f"{row.help}." if default == "" else f"{row.help}; {default} unless told.",
    )
    return inspect.Parameter(
        row.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[_TYPES.get(row.type, str) | None, option],
    )
