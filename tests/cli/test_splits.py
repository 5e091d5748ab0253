"""Groups and held-out items: whole groups, the same on every machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segcore.projects.splits import BadSplit, HoldOut, groups_of, held_out

NAMES = st.lists(st.text("abcXYZ0123_-", min_size=1, max_size=8), unique=True, max_size=40)


@given(NAMES, st.floats(0, 0.99), st.randoms(use_true_random=False))
def test_whole_groups_are_held_out_whatever_the_order(names, fraction, random) -> None:
    groups = {name: name[0] for name in names}
    chosen = held_out(groups, HoldOut(fraction))
    shuffled = list(names)
    random.shuffle(shuffled)
    assert held_out({name: name[0] for name in shuffled}, HoldOut(fraction)) == chosen
    assert {groups[n] for n in chosen}.isdisjoint(groups[n] for n in set(names) - chosen)
    if fraction and len(set(groups.values())) > 1:
        assert 0 < len(chosen) < len(names)
    else:
        assert not chosen


@given(st.integers(20, 300), st.floats(0.05, 0.5))
def test_single_items_come_near_to_the_share(count, fraction) -> None:
    names = [f"item {number}" for number in range(count)]
    chosen = held_out(groups_of(names, None), HoldOut(fraction))
    assert len(chosen) == max(1, int(fraction * count))


def test_the_choice_never_changes() -> None:
    groups = groups_of([f"case{n}_{s}" for n in range(8) for s in "ab"], r"case\d+")
    # A constant: another choice would put items of old projects' runs on the other side.
    assert sorted(held_out(groups, HoldOut(0.25))) == ["case2_a", "case2_b", "case5_a", "case5_b"]


def test_the_group_is_the_parenthesis_or_the_whole_match() -> None:
    assert groups_of(["a1_x", "b22_x"], r"([a-z])\d+") == {"a1_x": "a", "b22_x": "b"}
    assert groups_of(["a1_x", "b22_x"], r"^[^_]+") == {"a1_x": "a1", "b22_x": "b22"}


def test_a_name_that_the_expression_misses_is_named() -> None:
    with pytest.raises(BadSplit, match="the first one is c"):
        groups_of(["a1", "c"], r"\d")
    with pytest.raises(BadSplit, match="is not a regular expression"):
        groups_of(["a1"], "(")


def test_a_pattern_holds_out_the_groups_of_the_items_it_names() -> None:
    groups = groups_of(["a_1", "a_2", "b_1"], "^[^_]+")
    assert held_out(groups, HoldOut.parse("a_1")) == {"a_1", "a_2"}
    with pytest.raises(BadSplit, match="No item is named like"):
        held_out(groups, HoldOut.parse("z*"))
    with pytest.raises(BadSplit, match="holds out every item"):
        held_out(groups, HoldOut.parse("*_1"))


@pytest.mark.parametrize("text", ["1", "1.5", "-0.1", "nan"])
def test_a_share_that_is_none_is_refused(text) -> None:
    with pytest.raises(BadSplit, match="cannot be held out"):
        HoldOut.parse(text)


def test_none_holds_out_nothing() -> None:
    assert held_out({"a": "a", "b": "b"}, HoldOut.parse("none")) == frozenset()
