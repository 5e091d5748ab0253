"""Aggregated Jaccard index against the paper's algorithm written down with sets of pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from made_predictions import KINDS, nuclei_pictures, predicted

from segcore.metrics import aggregated_jaccard, count_overlaps

small_maps = hnp.arrays(np.int64, (9, 11), elements=st.integers(0, 5))


def keys_of(ids, c=1):
    return np.where(ids > 0, (c << 32) + ids, 0)


def directly(truth, prediction, aside):
    """Algorithm 1 of Kumar et al. 2017 with boolean masks; `aside` is outside of everything."""
    t, p = np.where(aside, 0, truth), np.where(aside, 0, prediction)
    guesses = {n: p == n for n in np.unique(p).tolist() if n}
    shared = union = 0
    used = set()
    for n in np.unique(t).tolist():
        if not n:
            continue
        g = t == n
        best, partner = 0.0, None
        for m, s in guesses.items():
            iou = (g & s).sum() / (g | s).sum()
            if iou > best:
                best, partner = iou, m
        if partner is None:
            union += g.sum()
            continue
        shared += (g & guesses[partner]).sum()
        union += (g | guesses[partner]).sum()
        used.add(partner)
    union += sum(s.sum() for m, s in guesses.items() if m not in used)
    return shared / union if union else math.nan


@pytest.mark.parametrize("kind", KINDS)
def test_the_index_of_spoilt_nuclei_is_that_of_the_papers_algorithm(shared_data, kind):
    pictures, _ = nuclei_pictures(shared_data)
    rng = np.random.default_rng(KINDS.index(kind))
    for picture in pictures[:4]:
        guess = predicted(picture, kind, rng)
        found = aggregated_jaccard(
            count_overlaps(picture.keys(), guess.keys()), [1], picture.crowd_keys
        )
        nuclei = [
            np.isin(x.ids, [n for n, c in x.category.items() if c == 1]) for x in (picture, guess)
        ]
        expected = directly(
            np.where(nuclei[0], picture.ids, 0),
            np.where(nuclei[1], guess.ids, 0),
            (picture.ids == 0) | np.isin(picture.ids, sorted(picture.crowd)),
        )
        assert found[0] == pytest.approx(expected, abs=1e-12)
        assert 0 < found[0] <= 1


@given(small_maps, small_maps, st.booleans(), st.sets(st.integers(1, 5)))
def test_the_index_of_any_maps_is_that_of_the_papers_algorithm(t, p, void, crowd):
    # A ground of another class, or void, where the truth has no object.
    ground = np.where(t > 0, 0, 2 << 32) if not void else 0
    overlaps = count_overlaps(keys_of(t) + ground, keys_of(p))
    found = aggregated_jaccard(overlaps, [1, 7], {(1 << 32) + n for n in crowd})
    aside = ((t == 0) & void) | np.isin(t, sorted(crowd))
    assert found[0] == pytest.approx(directly(t, p, aside), abs=1e-12, nan_ok=True)
    assert 0 <= found[0] <= 1 or math.isnan(found[0])
    assert math.isnan(found[1])


@given(small_maps)
def test_objects_have_index_one_against_themselves(ids):
    found = aggregated_jaccard(count_overlaps(keys_of(ids), keys_of(ids)), [1])
    assert found[0] == 1 if ids.any() else math.isnan(found[0])


@given(small_maps, small_maps, st.permutations(range(1, 6)))
def test_other_numbers_for_the_same_objects_change_nothing(t, p, order):
    # Of two partners that fit equally well the lower number is taken, so equal fits are left out.
    renumber = np.array([0, *order])
    before = count_overlaps(keys_of(t), keys_of(p))
    area = before.prediction_area - before.void
    iou = before.pixels / (before.truth_area[before.rows] + area[before.columns] - before.pixels)
    pairs = list(zip(before.rows.tolist(), iou.tolist(), strict=True))
    best = {r: max(v for q, v in pairs if q == r) for r, _ in pairs}
    if any(sum(q == r and v == best[r] for q, v in pairs) > 1 for r in best):
        return
    after = count_overlaps(keys_of(t), keys_of(renumber[p]))
    np.testing.assert_array_equal(aggregated_jaccard(before, [1]), aggregated_jaccard(after, [1]))


def test_a_merge_and_a_split_both_cost():
    truth = np.zeros((4, 8), int)
    truth[:, :4], truth[:, 4:] = 1, 2
    merged, split = np.ones((4, 8), int), truth.copy()
    split[2:, :4] = 3
    assert aggregated_jaccard(count_overlaps(keys_of(truth), keys_of(merged)), [1])[0] == 0.5
    # The first object keeps half (8 of 16), the second is whole, and 8 pixels are left over.
    found = aggregated_jaccard(count_overlaps(keys_of(truth), keys_of(split)), [1])[0]
    assert found == (8 + 16) / (16 + 16 + 8)
