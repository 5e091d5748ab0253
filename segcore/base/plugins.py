"""Plug-ins: what other installed packages add through entry points.

A plug-in that does not load, or is not what its group expects, is said in one sentence and stops
nothing: the program belongs to the person, not to the package that somebody once installed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from segcore.base.dataclass import dataclass

log = logging.getLogger(__name__)

MODELS = "maskwright.models"
FORMATS = "maskwright.formats"
GROUPS = (MODELS, FORMATS)
"""The entry point groups that the program looks at."""


class NotOfItsKind(Exception):
    """A plug-in is not what its group expects; the text is the end of a sentence."""


@dataclass(frozen=True)
class Plugin:
    """One entry point.

    Parameters
    ----------
    name : as the package gives it.
    package : name and version of what was installed.
    value : what it loaded; None where it did not.
    problem : why it does not take part, in a sentence; "" where it does.
    hint : what to do about that.
    """

    name: str
    package: str
    value: Any = None
    problem: str = ""
    hint: str = ""


def load_plugins(group: str, accept: Callable[[Any], None] | None = None) -> tuple[Plugin, ...]:
    """Load the plug-ins of a group, in the order of their names; never raises.

    Parameters
    ----------
    group : such as ``maskwright.formats``.
    accept : called with what each one loaded; `NotOfItsKind` refuses it.
    """
    found = {(point.name, point.value): point for point in entry_points(group=group)}
    return tuple(_load(found[key], accept) for key in sorted(found))


def _load(point: EntryPoint, accept: Callable[[Any], None] | None) -> Plugin:
    distribution = point.dist
    package = "an unknown package"
    name = ""
    if distribution is not None:
        name = distribution.name
        package = f"{name} {distribution.version}"
    title = f'The plug-in "{point.name}" of {package}'
    hint = f"Update it, or take it away: pip uninstall {name}" if name else "Take it away."
    try:
        value = point.load()
        if accept is not None:
            accept(value)
    except NotOfItsKind as error:
        return Plugin(point.name, package, None, f"{title} {error}.", hint)
    except Exception as error:  # whatever foreign code runs into while it is imported
        log.info("a plug-in of %s does not load", point.group, exc_info=True)
        reason = str(error).strip().splitlines()
        said = f"{type(error).__name__}: {reason[0]}" if reason else type(error).__name__
        return Plugin(point.name, package, None, f"{title} does not load ({said}).", hint)
    return Plugin(point.name, package, value)
