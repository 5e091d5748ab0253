"""What a command is: a row with a name, a function, a help text and an example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from segcore.base.dataclass import dataclass


@dataclass(frozen=True)
class Command:
    """One row of the table of commands.

    Parameters
    ----------
    name : what is typed.
    function : takes the arguments, as Typer reads them from its signature.
    help : what it does; the first line stands in the list of commands.
    example : a line that can be typed.
    """

    name: str
    function: Callable[..., Any]
    help: str
    example: str
