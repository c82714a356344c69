"""Intervals against hand-computed values and against other computations of the same thing."""

import math

import numpy as np
import pytest
from scipy import stats

from workflow.statistics.comparison import compute_sign_flip_p
from workflow.statistics.intervals import (
    RESAMPLES,
    batch_of,
    bootstrap_interval,
    compute_interval,
    median_time,
    median_time_interval,
    wilson_interval,
)


def wilson_by_formula(successes: int, trials: int) -> tuple[float, float]:
    z, p = 1.959963984540054, successes / trials
    centre = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return centre - half, centre + half


def test_wilson_of_five_out_of_five() -> None:
    assert wilson_interval(5, 5).low == pytest.approx(0.5655, abs=5e-5)
    assert wilson_interval(5, 5).high == 1.0


@pytest.mark.parametrize(("successes", "trials"), [(0, 3), (1, 3), (2, 5), (5, 5), (17, 20)])
def test_wilson_equals_its_formula(successes: int, trials: int) -> None:
    assert wilson_interval(successes, trials) == pytest.approx(wilson_by_formula(successes, trials), abs=1e-12)


def test_bootstrap_of_two_values_is_their_range() -> None:
    # means of two draws from {0, 1}: 0 and 1 each with probability 1/4, more than the 2.5 % of a tail
    assert compute_interval(np.array([0.0, 1.0])) == (0.0, 1.0)


def test_bootstrap_of_a_rare_value_reaches_its_binomial_quantiles() -> None:
    # the mean of 20 draws from 10 zeros and 10 ones is binomial: quantiles of B(20, 0.5) / 20
    limits = compute_interval(np.repeat([0.0, 1.0], 10))
    assert limits == pytest.approx(tuple(stats.binom.ppf([0.025, 0.975], 20, 0.5) / 20))


def test_bootstrap_agrees_with_numpy_alone() -> None:
    values = np.random.default_rng(1).random(12)
    sampled = np.random.default_rng(5).integers(12, size=(200_000, 12))
    expected = np.quantile(values[sampled].mean(axis=1), [0.025, 0.975])
    assert compute_interval(values) == pytest.approx(tuple(expected), abs=0.01)


def test_degenerate_samples() -> None:
    assert compute_interval(np.array([0.1, 0.1, 0.1])) == (np.mean([0.1] * 3),) * 2
    assert all(math.isnan(limit) for limit in compute_interval(np.array([0.7])))
    assert all(math.isnan(limit) for limit in bootstrap_interval(0, lambda sampled: sampled))


def test_bootstrap_is_the_same_in_every_call() -> None:
    values = np.random.default_rng(0).normal(size=7)
    assert compute_interval(values) == compute_interval(values)


@pytest.mark.parametrize("at_once", [20, 700, 10_000_000])
def test_resamples_do_not_depend_on_how_many_are_in_memory(monkeypatch, at_once: int) -> None:
    values = np.random.default_rng(4).normal(0.2, 1, 20)
    whole = compute_interval(values), compute_sign_flip_p(values)
    monkeypatch.setattr("workflow.statistics.intervals.AT_ONCE", at_once)
    assert batch_of(20) == min(RESAMPLES, at_once // 20)
    assert (compute_interval(values), compute_sign_flip_p(values)) == whole


def test_kaplan_meier_median_by_hand() -> None:
    # five at risk: S falls to 0.8 at 100, 0.6 at 300, 0.4 at 400; the two others never finish
    times = np.array([400.0, 100, 2000, 300, 2000])
    assert median_time(times, reached=times < 2000) == 400
    # of four, two: S is exactly 0.5 at 300
    times = np.array([100.0, 300, 2000, 2000])
    assert median_time(times, reached=times < 2000) == 300


def test_kaplan_meier_median_with_censoring_in_between_by_hand() -> None:
    # at risk 6, 5, 3, 2: S = 5/6, 4/6 (then one is lost at 250), 4/6 * 2/3 = 0.444 at 300
    times = np.array([100.0, 200, 250, 300, 400, 500])
    reached = np.array([True, True, False, True, True, False])
    assert median_time(times, reached=reached) == 300


def test_median_that_is_not_reached_is_empty() -> None:
    times = np.array([100.0, 2000, 2000])
    assert math.isnan(median_time(times, reached=times < 2000))
    limits = median_time_interval(times, reached=times < 2000)
    assert limits.low == 100  # both of two draws of three: 7/27 of the resamples
    assert math.isnan(limits.high)
    assert math.isnan(median_time(times, reached=np.zeros(3, dtype=bool)))
    assert all(math.isnan(limit) for limit in median_time_interval(times, reached=np.zeros(3, dtype=bool)))


def test_solved_at_the_last_update_counts_as_solved() -> None:
    times, reached = np.array([2000.0, 2000, 2000]), np.array([True, True, False])
    assert median_time(times, reached=reached) == 2000
    assert median_time_interval(times, reached=reached).low == 2000


def test_interval_of_an_even_median_by_the_binomial_distribution() -> None:
    # of six, the median is the third smallest: it is 600 if four or more of six draws hit the sixth (0.9 %, above the
    # interval), at most 100 if three or more hit the first (6.2 %, inside)
    times = np.array([100.0, 200, 300, 400, 500, 600])
    assert stats.binom.sf(3, 6, 1 / 6) < 0.025 < stats.binom.sf(2, 6, 1 / 6)
    assert median_time_interval(times, reached=np.ones(6, dtype=bool)) == (100, 500)


@pytest.mark.parametrize("seed", range(20))
def test_resampled_medians_are_kaplan_meier_medians(seed: int) -> None:
    """The order statistic that the bootstrap uses equals the Kaplan-Meier median, resample by resample."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 9))
    reached = rng.random(count) < 0.6
    times = np.where(reached, rng.integers(1, 40, size=count) * 50, 2000).astype(float)
    medians = []
    for sampled in rng.integers(count, size=(4000, count)):
        median = median_time(times[sampled], reached=reached[sampled])
        medians.append(math.inf if math.isnan(median) else median)
    low, high = np.quantile(medians, [0.025, 0.975], method="inverted_cdf")
    limits = median_time_interval(times, reached=reached)
    order = sorted({*times[reached], math.inf})
    for mine, theirs in [(limits.low, low), (limits.high, high)]:
        mine = math.inf if math.isnan(mine) else mine
        assert abs(order.index(mine) - order.index(theirs)) <= 1  # two sets of resamples, the same quantile
