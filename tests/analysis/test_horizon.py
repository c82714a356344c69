"""Horizons by hand."""

import math
from itertools import product

import numpy as np
import pandas as pd

from workflow.statistics.horizon import compute_horizon
from workflow.tables.statistics import compute_horizons

LAGS = np.array([10, 50, 100])


def test_horizon_is_the_largest_lag_that_half_of_the_seeds_solve() -> None:
    outcomes = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 1]])
    assert compute_horizon(outcomes.astype(float), LAGS)[0] == 50  # two of four are half; one of four is not


def test_no_lag_solved_gives_zero() -> None:
    actual = compute_horizon(np.zeros((3, 3)), LAGS)
    assert actual == (0, 0, 0, False)


def test_largest_lag_solved_is_censored() -> None:
    assert compute_horizon(np.ones((3, 3)), LAGS) == (100, 100, 100, True)


def test_one_seed_has_no_interval() -> None:
    actual = compute_horizon(np.array([[1.0, 1.0, 0.0]]), LAGS)
    assert actual.horizon == 50
    assert math.isnan(actual.horizon_low)
    assert math.isnan(actual.horizon_high)


def test_lags_that_were_not_run_are_not_solved() -> None:
    outcomes = np.array([[1.0, np.nan, np.nan], [1.0, 1.0, np.nan]])
    assert compute_horizon(outcomes, LAGS).horizon == 50
    assert not compute_horizon(outcomes, LAGS).horizon_censored


def test_interval_equals_the_enumeration_of_all_resamples() -> None:
    """Three seeds have 27 resamples; the seed's outcomes over all lags stay together."""
    outcomes = np.array([[1, 1, 1], [1, 0, 0], [0, 0, 0]])
    horizons = []
    for sampled in product(range(3), repeat=3):
        solved = outcomes[list(sampled)].sum(axis=0)
        horizons.append(max([0, *LAGS[2 * solved >= 3]]))
    low, high = np.quantile(horizons, [0.025, 0.975], method="inverted_cdf")
    actual = compute_horizon(outcomes.astype(float), LAGS)
    assert actual == (10, low, high, False)
    assert (low, high) == (0, 100)


def test_seeds_are_resampled_whole() -> None:
    """Seeds that solve one lag each, never the same: any resample solves some lag, so 0 is never the horizon.

    Drawn lag by lag instead, a quarter of all resamples would have solved neither.
    """
    outcomes = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert compute_horizon(outcomes, np.array([10, 50])).horizon_low == 10


def test_table_has_one_row_per_series() -> None:
    rows = [
        {
            "device": "cpu",
            "task": "copy",
            "lag": lag,
            "model": model,
            "gradient": "full",
            "seed": seed,
            "solved": solved,
        }
        for model, reach in [("lstm", 50), ("rnn", 10)]
        for lag in (50, 10)
        for seed in (1, 0)
        for solved in [lag <= reach]
    ]
    table = compute_horizons(pd.DataFrame(rows))
    assert table[["model", "horizon", "horizon_censored"]].to_numpy().tolist() == [
        ["lstm", 50, True],
        ["rnn", 10, False],
    ]
