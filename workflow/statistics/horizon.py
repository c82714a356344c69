"""The horizon: the largest lag that at least half of the seeds solve."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from workflow.statistics.intervals import bootstrap_interval


class Horizon(NamedTuple):
    """A horizon, its 95 % interval, and whether the largest lag tested was still solved."""

    horizon: int
    horizon_low: float
    horizon_high: float
    horizon_censored: bool


def compute_horizon(outcomes: NDArray, lags: NDArray) -> Horizon:
    """Return the horizon of one series; 0 when no lag is solved by at least half of the seeds.

    `outcomes` (seeds, lags) is 1 where the seed solved the lag, 0 where not, NaN where it was not run; `lags` ascend.
    The unit of the bootstrap is the seed: its outcomes over all lags are sampled together. One seed has no interval.
    """

    def horizon(sample: NDArray[np.intp]) -> NDArray:
        run = ~np.isnan(outcomes[sample])
        solved = np.nansum(outcomes[sample], axis=-2)
        half = run.any(axis=-2) & (2 * solved >= run.sum(axis=-2))
        return np.where(half, lags, 0).max(axis=-1)

    value = int(horizon(np.arange(len(outcomes))))
    low, high = bootstrap_interval(len(outcomes), horizon, width=len(lags))
    return Horizon(value, low, high, value == lags[-1])
