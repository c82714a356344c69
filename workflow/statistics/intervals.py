"""The 95 % intervals that every table and figure uses; scipy does the work."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
RESAMPLES = 9999
AT_ONCE = 4_000_000
"""Numbers of all resamples that are in memory together: of thousands of lags, all would take several GB."""
SEED = 19971115  # any constant would do: the issue of Neural Computation that printed the LSTM


class Interval(NamedTuple):
    """The limits of an interval; NaN where a limit does not exist."""

    low: float
    high: float

    def to_columns(self, name: str) -> dict[str, float]:
        """Return the limits as the two columns of a table."""
        return {f"{name}_low": self.low, f"{name}_high": self.high}


NOTHING = Interval(float("nan"), float("nan"))


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return the Wilson score interval of a proportion."""
    limits = stats.binomtest(successes, trials).proportion_ci(confidence_level=LEVEL, method="wilson")
    return Interval(float(limits.low), float(limits.high))


def take_limits(resamples: NDArray) -> NDArray:
    """Return the ends of the percentile interval (2, ...) of resamples (..., resamples), values that one took."""
    tail = (1 - LEVEL) / 2
    return np.quantile(resamples, [tail, 1 - tail], axis=-1, method="inverted_cdf")


def batch_of(size: int) -> int:
    """Return how many resamples of so many numbers are drawn at once; the numbers drawn do not depend on it."""
    return max(1, min(RESAMPLES, AT_ONCE // max(size, 1)))


def bootstrap_interval(units: int, statistic: Callable[[NDArray[np.intp]], NDArray], *, width: int = 1) -> Interval:
    """Return the percentile bootstrap interval of a statistic of `units` exchangeable units.

    `statistic` maps indices of drawn units (..., units) to values (...); `width` is how many numbers a unit has. The
    resamples are the same in every call, and one unit alone has no interval.
    """
    if units < 2:
        return NOTHING
    result = stats.bootstrap(
        (np.arange(units),),
        lambda indices, axis: np.asarray(statistic(indices.astype(np.intp)), dtype=float),
        n_resamples=RESAMPLES,
        batch=batch_of(units * width),
        confidence_level=LEVEL,
        method="percentile",
        vectorized=True,
        axis=-1,
        rng=np.random.default_rng(SEED),
    )
    return Interval(*take_limits(result.bootstrap_distribution).tolist())


def compute_interval(values: NDArray, statistic: Callable[..., Any] = np.mean) -> Interval:
    """Return the bootstrap interval of a mean or another statistic; equal values give that value, one gives nothing."""
    if len(values) > 1 and np.all(values == values[0]):
        return Interval(*[float(statistic(values))] * 2)
    return bootstrap_interval(len(values), lambda sample: statistic(values[sample], axis=-1))


def stratified_mean_interval(strata: Sequence[NDArray]) -> Interval:
    """Return the bootstrap interval of the mean of all values, each stratum resampled by itself.

    A stratum of one value has no spread of its own: with one there is no interval.
    """
    if not strata or min(map(len, strata)) < 2:
        return NOTHING
    rng = np.random.default_rng(SEED)
    total = sum(len(values) for values in strata)
    sums = sum(rng.choice(values, size=(RESAMPLES, len(values))).sum(axis=1) for values in strata)
    return Interval(*take_limits(sums / total).tolist())


def median_time(times: NDArray, *, reached: NDArray[np.bool_]) -> float:
    """Return the Kaplan-Meier median: the first time at which at most half are still waiting; NaN if there is none.

    Where `reached` is false, the time is the one at which the waiting was given up (censored on the right).
    """
    if not reached.any():
        return float("nan")
    survival = stats.ecdf(stats.CensoredData(uncensored=times[reached], right=times[~reached])).sf
    half = survival.quantiles[survival.probabilities <= 0.5 + 1e-9]
    return float(half[0]) if len(half) else float("nan")


def median_time_interval(times: NDArray, *, reached: NDArray[np.bool_]) -> Interval:
    """Return the bootstrap interval of the Kaplan-Meier median; a limit that is not reached in time is NaN.

    Holds for one common end of waiting, which no reached time exceeds: there the median is an order statistic, in
    which the censored units come last.
    """
    never = float(np.max(times, initial=0)) + 1
    ordered = np.where(reached, times, never)
    middle = (len(ordered) - 1) // 2
    limits = bootstrap_interval(len(ordered), lambda sample: np.sort(ordered[sample], axis=-1)[..., middle])
    return Interval(*(limit if limit < never else float("nan") for limit in limits))
