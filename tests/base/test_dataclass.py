"""Our dataclasses against the standard library's: the same classes, the same behaviour."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcore.base.dataclass import dataclass

Decorator = Callable[..., Any]


@dataclass(frozen=True)
class Kept:
    """At the top of a module, where pickle finds it."""

    name: str
    sizes: tuple[int, ...] = ()


def classes(decorate: Decorator) -> dict[str, Any]:
    """One class of each kind that the project has, made by a decorator."""

    @decorate(frozen=True)
    class Frozen:
        a: int
        b: str = "b"
        many: list[int] = dataclasses.field(default_factory=list)
        hidden: Any = dataclasses.field(default=None, repr=False, compare=False)
        COUNT: ClassVar[int] = 3

    @decorate
    class Open:
        a: int
        b: str = "b"
        many: list[int] = dataclasses.field(default_factory=list)
        hidden: Any = dataclasses.field(default=None, repr=False, compare=False)

    @decorate(frozen=True, kw_only=True)
    class Named:
        a: int = 0
        b: str
        many: tuple[int, ...] = ()

    @decorate(frozen=True, eq=False)
    class Itself:
        a: int
        b: str

    @decorate(frozen=True)
    class Derived(Frozen):
        c: float = 0.5
        both: str = dataclasses.field(init=False)
        made: dict[str, int] = dataclasses.field(init=False, default_factory=dict)

        def __post_init__(self) -> None:
            object.__setattr__(self, "both", f"{self.a}{self.b}")

    @decorate(frozen=True)
    class Single:
        a: int

    @decorate(frozen=True)
    class Empty:
        pass

    @decorate
    class Own:
        a: int

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    found = (Frozen, Open, Named, Itself, Derived, Single, Empty, Own)
    return {cls.__name__: cls for cls in found}


OURS, THEIRS = classes(dataclass), classes(dataclasses.dataclass)
by_kind = pytest.mark.parametrize("kind", OURS)
values = {
    "a": st.integers(-2, 2),
    "b": st.sampled_from(["b", "x"]),
    "many": st.lists(st.integers(0, 1), max_size=2),
    "hidden": st.none() | st.integers(0, 1),
    "c": st.floats(0, 1),
}


def outcome(call: Callable[[], Any]) -> Any:
    """What a call gives, or the kind of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error)


@st.composite
def arguments(draw: Any) -> dict[str, Any]:
    """Values for some fields, also for too few and for one that nobody knows."""
    names = draw(st.sets(st.sampled_from([*values, "unknown"])))
    return {n: draw(values.get(n, st.none())) for n in sorted(names)}


@by_kind
@given(one=arguments(), other=arguments())
def test_objects_are_made_shown_and_compared_alike(
    kind: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    def facts(cls: Any) -> Any:
        first, second = (outcome(lambda given=given: cls(**given)) for given in (one, other))
        if isinstance(first, type) or isinstance(second, type):
            return first if isinstance(first, type) else None, isinstance(second, type)
        by_value = kind != "Itself"
        return (
            repr(first).replace(cls.__qualname__, kind),
            first == second,
            first == 3,
            outcome(lambda: hash(first) == hash(second)) if by_value else None,
            outcome(lambda: hash(first)) if by_value else None,
            dataclasses.asdict(first),
        )

    assert facts(OURS[kind]) == facts(THEIRS[kind])


@by_kind
def test_positions_and_names_of_arguments_are_the_same(kind: str) -> None:
    def parameters(cls: Any) -> list[tuple[str, Any, bool]]:
        outcome(cls)  # the first call compiles, whether it succeeds or not
        given = inspect.signature(cls).parameters.values()
        return [(p.name, p.kind, p.default is p.empty) for p in given]

    assert parameters(OURS[kind]) == parameters(THEIRS[kind])
    assert outcome(lambda: OURS[kind](1, "x", [], None, 0.1, 2, 3)) is TypeError


@pytest.mark.parametrize("kind", ["Frozen", "Derived", "Itself"])
def test_nothing_of_a_frozen_object_changes(kind: str) -> None:
    made = OURS[kind](1, "x")
    before = repr(made)
    for refused in (lambda: setattr(made, "a", 2), lambda: delattr(made, "a")):
        with pytest.raises(dataclasses.FrozenInstanceError, match="field 'a'"):
            refused()
    assert repr(made) == before


def test_an_open_object_changes() -> None:
    made = OURS["Open"](1)
    made.a = 2
    assert made == OURS["Open"](2)


def test_each_object_has_a_default_of_its_own() -> None:
    one, other = OURS["Frozen"](1), OURS["Frozen"](1)
    one.many.append(5)
    assert other.many == []


def test_an_object_that_holds_itself_is_shown() -> None:
    made = OURS["Open"](1)
    made.many.append(made)
    assert "..." in repr(made)


def test_replace_fields_and_copies_work() -> None:
    made = Kept("x", (1, 2))
    assert dataclasses.replace(made, name="y") == Kept("y", (1, 2))
    assert [f.name for f in dataclasses.fields(Kept)] == ["name", "sizes"]
    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.copy(made) == made
    assert hash(copy.deepcopy(made)) == hash(made)
    match made:
        case Kept(name, sizes):
            assert (name, sizes) == ("x", (1, 2))
