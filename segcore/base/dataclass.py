"""The standard library's `dataclass`, with the methods that a class needs compiled when it does.

Python 3.11 compiles six methods for every frozen class while it is imported: half a millisecond
each, 53 ms for the hundred classes before the first picture. Here `__init__` is compiled when the
first object is made, and the others are closures that need no compiling. Fields are the standard
library's, so `field`, `fields`, `replace` and `asdict` work as always.
"""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

_ABSENT = object()


def _dataclass(
    cls: Any = None,
    /,
    *,
    frozen: bool = False,
    eq: bool = True,
    kw_only: bool = False,
) -> Any:
    """Make a class a dataclass, as `dataclasses.dataclass` does; `InitVar` is not known here."""
    if cls is None:
        return lambda given: _dataclass(given, frozen=frozen, eq=eq, kw_only=kw_only)
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
    known = dataclasses.fields(made)
    own = dict(vars(made))
    methods: dict[str, Any] = {
        "__init__": _first_init(made, frozen),
        "__repr__": _repr([f.name for f in known if f.repr]),
    }
    if eq:
        values = _getter([f.name for f in known if f.compare])
        methods["__eq__"] = _eq(values)
        # As in the standard library: what may change and is compared by value has no hash.
        if own.get("__hash__") is None:
            made.__hash__ = (lambda self: hash(values(self))) if frozen else None
    if frozen:
        names = frozenset(f.name for f in known)
        methods["__setattr__"] = _refusal(made, names, "assign to", "__setattr__")
        methods["__delattr__"] = _refusal(made, names, "delete", "__delattr__")
    for name, method in methods.items():
        if name not in own:
            method.__name__, method.__qualname__ = name, f"{made.__qualname__}.{name}"
            setattr(made, name, method)
    return made


if TYPE_CHECKING:  # so that types are checked as for any dataclass
    from dataclasses import dataclass
else:
    dataclass = _dataclass


def _first_init(cls: Any, frozen: bool) -> Callable[..., None]:
    """An `__init__` that puts the compiled one in its place and goes on with it."""

    def init(self: Any, /, *given: Any, **named: Any) -> None:
        compiled = _compiled_init(cls, frozen)
        cls.__init__ = compiled
        compiled(self, *given, **named)

    return init


def _compiled_init(cls: Any, frozen: bool) -> Callable[..., None]:
    names: dict[str, Any] = {"_set": object.__setattr__, "_ABSENT": _ABSENT}
    positional: list[str] = ["self"]
    keyword: list[str] = []
    lines: list[str] = []
    for f in dataclasses.fields(cls):
        parameter = value = f.name
        if f.default_factory is not dataclasses.MISSING:
            names[f"_make_{f.name}"] = f.default_factory
            parameter = f"{f.name}=_ABSENT"
            value = f"_make_{f.name}()"
            if f.init:
                value += f" if {f.name} is _ABSENT else {f.name}"
        elif f.default is not dataclasses.MISSING:
            names[f"_default_{f.name}"] = f.default
            parameter = f"{f.name}=_default_{f.name}"
        if f.init:
            (keyword if f.kw_only else positional).append(parameter)
        elif f.default_factory is dataclasses.MISSING:
            continue  # the class has the default, or `__post_init__` sets it
        lines.append(f"_set(self, {f.name!r}, {value})" if frozen else f"self.{f.name} = {value}")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    head = ", ".join([*positional, "*", *keyword] if keyword else positional)
    body = "\n    ".join(lines or ["pass"])
    exec(f"def __init__({head}):\n    {body}", names)
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__module__ = cls.__module__
    return made


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """A function that gives the values of these fields as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple(getattr(self, name) for name in names)


def _eq(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any, object], Any]:
    def eq(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    return eq


def _repr(names: list[str]) -> Callable[[Any], str]:
    @reprlib.recursive_repr()
    def show(self: Any) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({values})"

    return show


def _refusal(cls: Any, names: frozenset[str], verb: str, method: str) -> Callable[..., None]:
    """A `__setattr__` or `__delattr__` that refuses the fields of a frozen class."""

    def refuse(self: Any, name: str, *value: Any) -> None:
        if type(self) is cls or name in names:
            raise dataclasses.FrozenInstanceError(f"cannot {verb} field {name!r}")
        getattr(super(cls, self), method)(name, *value)

    return refuse
