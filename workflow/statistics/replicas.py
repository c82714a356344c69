"""Replicas of a condition: which learning rate validation chooses, how accurate they are, how long they took to solve.

A diverged replica is a failure, and scores the accuracy that was recorded for it. Where none could be recorded (null)
it scores 0: an output that is not a number is never right. It stays in every mean, fraction and count, and waits to
solve the task until the end of its budget, not until the update at which it diverged.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from records.condition import Condition
from workflow.statistics.intervals import wilson_interval

CONDITION = list(Condition._fields)
SERIES = [name for name in CONDITION if name != "lag"]
REPLICA = [*CONDITION, "seed", "learning_rate"]


def choose_learning_rate(condition: pd.DataFrame) -> float:
    """Return the best rate of one condition by validation over its seeds; the test data have no say.

    The rate that solves most seeds; then the higher mean validation accuracy, counted up to the success criterion, at
    which training stops (above it there is only the noise of the last evaluation); then the fewer mean updates to
    solve, the budget where a seed did not; then the lower mean validation loss (a null loss is infinite); then the
    smaller rate.
    """
    ranked = []
    for rate, replicas in condition.groupby("learning_rate", sort=True):
        scores = score_accuracies(replicas["validation_accuracy"])
        accuracies = np.minimum(scores, replicas["success_accuracy"].to_numpy(float))
        loss = replicas["validation_loss"].fillna(np.inf).to_numpy(dtype=float).mean()
        times = compute_times_to_solve(replicas).mean()
        ranked.append((-int(replicas["solved"].sum()), -accuracies.mean(), times, loss, float(rate)))  # type: ignore[arg-type]
    return min(ranked)[-1]


def select_replicas(summary: pd.DataFrame, statistics: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table of replicas or curves at the rate chosen for their condition, sorted."""
    chosen = statistics[[*CONDITION, "learning_rate"]]
    rows = summary.merge(chosen, on=[*CONDITION, "learning_rate"], how="inner", validate="many_to_one")
    order = [*REPLICA, "update"] if "update" in rows.columns else REPLICA
    return rows.sort_values(order, ignore_index=True)


def list_groups(table: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield the rows that agree in some columns, and in what they do, in the order of their first rows."""
    for key, rows in table.groupby([*names], sort=False):
        yield dict(zip(names, key, strict=True)), rows


def count_solved(replicas: pd.DataFrame) -> dict[str, Any]:
    """Return how many replicas solved their task, and their share with its interval."""
    solved, count = int(replicas["solved"].sum()), len(replicas)
    return {"solved": solved, "solved_fraction": solved / count, **wilson_interval(solved, count).to_columns("solved")}


def score_accuracies(accuracies: pd.Series) -> NDArray[np.float64]:
    """Return accuracies as numbers; one that could not be computed is 0."""
    return accuracies.fillna(0.0).to_numpy(dtype=float)


def compute_budgets(replicas: pd.DataFrame) -> NDArray[np.float64]:
    """Return the updates that the budget of each replica allows."""
    allowed = replicas["budget"].to_numpy(dtype=float) // replicas["batch_size"].to_numpy(dtype=float)
    return np.maximum(allowed, replicas["updates"].to_numpy(dtype=float))


def compute_times_to_solve(replicas: pd.DataFrame) -> NDArray[np.float64]:
    """Return the updates to solve, or those of the whole budget where a replica did not."""
    times = replicas["updates_to_solve"].to_numpy(dtype=float, na_value=np.nan)
    return np.where(replicas["solved"].to_numpy(dtype=bool), times, compute_budgets(replicas))
