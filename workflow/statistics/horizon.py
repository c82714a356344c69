"""The horizon: the largest lag that at least half of the seeds solve."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.statistics.intervals import bootstrap_interval
from workflow.tables.columns import HORIZON, SERIES


class Horizon(NamedTuple):
    """A horizon, its 95 % interval, and whether the largest lag tested was still solved."""

    horizon: int
    low: float
    high: float
    censored: bool


def horizon_of(outcomes: NDArray, lags: NDArray) -> Horizon:
    """Return the horizon of one series; 0 when no lag is solved by at least half of the seeds.

    `outcomes` (seeds, lags) is 1 where the seed solved the lag, 0 where not, NaN where it was not run; `lags` ascend.
    The unit of the bootstrap is the seed: its outcomes over all lags are drawn together. One seed has no interval.
    """

    def horizon(drawn: NDArray[np.intp]) -> NDArray:
        run = ~np.isnan(outcomes[drawn])
        solved = np.nansum(outcomes[drawn], axis=-2)
        half = run.any(axis=-2) & (2 * solved >= run.sum(axis=-2))
        return np.where(half, lags, 0).max(axis=-1)

    value = int(horizon(np.arange(len(outcomes))))
    low, high = bootstrap_interval(len(outcomes), horizon, width=len(lags))
    return Horizon(value, low, high, value == lags[-1])


def horizon_table(replicas: pd.DataFrame) -> pd.DataFrame:
    """Make the table of horizons, one row per device, task, model and gradient.

    `replicas` holds one row per condition and seed: the summary at the chosen learning rates.
    """
    rows = []
    for key, series in replicas.groupby(SERIES, sort=True):
        outcomes = series.pivot(index="seed", columns="lag", values="solved").sort_index().sort_index(axis="columns")
        found = horizon_of(outcomes.to_numpy(dtype=float, na_value=np.nan), outcomes.columns.to_numpy(dtype=int))
        rows.append([*key, *found])
    return pd.DataFrame(rows, columns=[*SERIES, *HORIZON])
