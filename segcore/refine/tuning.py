"""Tuning: parameters of a dense CRF that score best where the truth is known.

Half of the trials are drawn at random (log-uniform in the ranges of the table), half change one
parameter of the best so far; the paper searches a grid. Pure: it is told how to score.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from segcore.base.dataclass import dataclass
from segcore.refine.parameters import PRESETS, TABLE, CrfParams

_DIGITS = 3


@dataclass(frozen=True)
class Trial:
    """Parameters and their score; more is better."""

    params: CrfParams
    score: float


def search(
    score: Callable[[CrfParams], float],
    *,
    trials: int,
    seconds: float | None = None,
    seed: int = 0,
    start: Sequence[CrfParams] = tuple(PRESETS.values()),
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Trial]:
    """Try parameters; the best first, of equal ones the earlier.

    Parameters
    ----------
    score : of parameters; undefined is NaN and counts as the worst.
    trials : how many are tried at most, those of `start` included.
    seconds : no new trial begins after that; None for no limit. The first is always done.
    seed : the same one tries the same parameters.
    start : tried first.
    """
    rng = np.random.default_rng(seed)
    began = clock()
    done: list[Trial] = []
    while len(done) < trials:
        if done and seconds is not None and clock() - began > seconds:
            break
        number = len(done)
        if number < len(start):
            params = start[number]
        elif number < (trials + len(start)) // 2:
            params = _drawn(rng)
        else:
            params = _beside(max(done, key=_worth).params, rng)
        done.append(Trial(params, score(params)))
        if progress is not None:
            progress(len(done), trials)
    return sorted(done, key=_worth, reverse=True)


def _worth(trial: Trial) -> float:
    return -np.inf if np.isnan(trial.score) else trial.score


def _drawn(rng: np.random.Generator) -> CrfParams:
    values: dict[str, Any] = {
        row.name: _rounded(float(np.exp(rng.uniform(*np.log(row.searched)))))
        for row in TABLE
        if row.searched is not None
    }
    return CrfParams(**values)


def _beside(params: CrfParams, rng: np.random.Generator) -> CrfParams:
    """The same but for one parameter, up to twice or half of what it was."""
    rows = [row for row in TABLE if row.searched is not None]
    row = rows[int(rng.integers(len(rows)))]
    assert row.searched is not None
    value = getattr(params, row.name) * 2 ** rng.uniform(-1, 1)
    changed: dict[str, Any] = {row.name: _rounded(float(np.clip(value, *row.searched)))}
    return replace(params, **changed)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
