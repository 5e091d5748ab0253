"""The search for parameters."""

from __future__ import annotations

import math

import numpy as np

from segcore.refine import AUTHORS, DEEPLAB, CrfParams
from segcore.refine.parameters import TABLE
from segcore.refine.tuning import search


def near(params: CrfParams) -> float:
    """Best, 0, at appearance_weight 2 and appearance_colour 6."""
    return -abs(math.log(params.appearance_weight / 2)) - abs(
        math.log(params.appearance_colour / 6)
    )


def test_it_finds_better_parameters_than_those_of_the_papers() -> None:
    found = search(near, trials=80, seed=1)
    assert [t.score for t in found] == sorted((t.score for t in found), reverse=True)
    assert len(found) == 80
    assert {AUTHORS, DEEPLAB} <= {t.params for t in found}
    assert found[0].score > 0.25 * max(near(AUTHORS), near(DEEPLAB))


def test_the_same_seed_tries_the_same_and_stays_in_the_ranges() -> None:
    found = search(near, trials=40, seed=3)
    assert found == search(near, trials=40, seed=3)
    assert found != search(near, trials=40, seed=4)
    for trial in found:
        for row in TABLE:
            if row.searched is not None:
                low, high = row.searched
                assert low <= getattr(trial.params, row.name) <= high


def test_no_new_trial_begins_when_the_time_is_over() -> None:
    ticks = iter(np.arange(0, 1000, 10.0))
    assert len(search(near, trials=50, seconds=35, clock=lambda: float(next(ticks)))) == 4


def test_what_has_no_score_is_never_the_best() -> None:
    found = search(lambda p: math.nan if p == AUTHORS else 0.1, trials=3)
    assert math.isnan(found[-1].score)
    assert found[0].score == 0.1
