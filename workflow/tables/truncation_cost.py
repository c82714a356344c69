"""What the truncated gradient of 1997 costs against the full one, in accuracy and in updates to solve."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.tables.columns import TRUNCATION_COST
from workflow.tables.comparisons import compare, holm
from workflow.tables.statistics import chosen_replicas, scored, waiting_times
from workflow.tables.summary import typed

FULL, TRUNCATED = "full", "truncated_1997"
ALL = "all"
CONDITION = ["task", "lag", "model"]


def truncation_table(summary: pd.DataFrame, statistics: pd.DataFrame) -> pd.DataFrame:
    """Make the table of costs, one row per device, measure and condition, and per group of conditions.

    The groups are a task's model at all lags, all models of a task, all tasks of a model, and everything; what a row is
    a mean over is called `all`, and `lags` names its lags. The pairs are the seeds of the conditions that were trained
    under both gradients, each at its chosen learning rate: they saw the same data and began with the same weights.
    `measure`: `test_accuracy`, or `updates_to_solve`, which is restricted to the budget: a seed that does not solve the
    task counts with the updates of its budget, a lower bound of its time; `censored` counts the pairs of which one or
    both are such. `difference` is the mean of truncated minus full, `low` and `high` its bootstrap interval, seeds
    resampled within each condition; p by sign flips, `p_holm` corrected over the conditions of a device and measure.
    """
    replicas = chosen_replicas(summary, statistics)
    replicas = replicas.assign(
        test_accuracy=scored(replicas["test_accuracy"]), updates_to_solve=waiting_times(replicas)
    )
    rows: list[list] = []
    for device, of_device in replicas.groupby("device", sort=True):
        for measure in ("test_accuracy", "updates_to_solve"):
            pairs = _pairs(of_device, measure=measure)
            costs = [_cost(part) for _, part in pairs.groupby(CONDITION, sort=True)]
            adjusted = holm([cost[-2] for cost in costs])
            for rank, (task, model, part) in enumerate(_parts(pairs)):
                p_holm = adjusted[rank] if rank < len(adjusted) else np.nan
                *cost, censored = _cost(part)
                lags = "+".join(str(lag) for lag in sorted(set(part["lag"])))
                rows.append([device, task, lags, model, measure, *cost, p_holm, censored])
    return typed(pd.DataFrame(rows, columns=TRUNCATION_COST))


def _pairs(replicas: pd.DataFrame, *, measure: str) -> pd.DataFrame:
    """Return one row per task, lag, model and seed that has both gradients: `full`, `truncated` and `censored`."""
    key = [*CONDITION, "seed"]
    both = replicas[replicas["gradient"].isin([FULL, TRUNCATED])]
    wide = both.pivot(index=key, columns="gradient", values=[measure, "solved"]).dropna()
    if not {(measure, FULL), (measure, TRUNCATED)} <= set(wide.columns):
        return pd.DataFrame(columns=[*key, "full", "truncated", "censored"])
    solved = wide["solved", FULL].astype(bool) & wide["solved", TRUNCATED].astype(bool)
    columns = {"full": wide[measure, FULL], "truncated": wide[measure, TRUNCATED], "censored": ~solved}
    return pd.DataFrame(columns).astype({"full": float, "truncated": float}).reset_index()


def _parts(pairs: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield the task, the model and the pairs of each row of the table, the single conditions first."""
    for names in (CONDITION, ["task", "model"], ["task"], ["model"]):
        for _, part in pairs.groupby(names, sort=True):
            task, model = (str(part[name].iloc[0]) if name in names else ALL for name in ("task", "model"))
            yield task, model, part
    if len(pairs):
        yield ALL, ALL, pairs


def _cost(part: pd.DataFrame) -> list[float]:
    differences = part["truncated"] - part["full"]
    strata: list[NDArray] = [
        differences[rows.index].to_numpy(dtype=float) for _, rows in part.groupby(CONDITION, sort=True)
    ]
    pairs, mean, low, high, p = compare(strata)
    return [pairs, part["full"].mean(), part["truncated"].mean(), mean, low, high, p, int(part["censored"].sum())]
