"""The statistics of every condition: chosen learning rate, solved fraction, accuracy, updates to solve, horizon.

A diverged replica is a failure, and scores the accuracy that was recorded for it. Where none could be recorded (null)
it scores 0: an output that is not a number is never right. It stays in every mean, fraction and count, and waits to
solve the task until the end of its budget, not until the update at which it diverged.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.statistics.horizon import horizon_table
from workflow.statistics.intervals import mean_interval, median_time, median_time_interval, wilson_interval
from workflow.tables.columns import CONDITION, HORIZON, REPLICA, SERIES, STATISTICS
from workflow.tables.summary import typed


def statistics_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Make the table of statistics, one row per condition, each at the learning rate that validation chose.

    Intervals are 95 %: Wilson for the solved fraction, percentile bootstrap over seeds for the mean test accuracy, the
    Kaplan-Meier median of the updates to solve, and the horizon. One seed alone has no bootstrap interval (empty).
    """
    ordered = summary.sort_values(REPLICA, ignore_index=True)
    rows = [
        dict(zip(CONDITION, key, strict=True)) | _condition_statistics(condition)
        for key, condition in ordered.groupby(CONDITION, sort=True)
    ]
    table = pd.DataFrame(rows, columns=[name for name in STATISTICS if name not in HORIZON])
    horizons = horizon_table(chosen_replicas(ordered, table))
    return typed(table.merge(horizons, on=SERIES, how="left", validate="many_to_one")[STATISTICS])


def chosen_learning_rate(condition: pd.DataFrame) -> float:
    """Return the best rate of one condition by validation over its seeds; the test data have no say.

    The rate that solves most seeds; then the higher mean validation accuracy, counted up to the success criterion, at
    which training stops (above it there is only the noise of the last evaluation); then the fewer mean updates to
    solve, the budget where a seed did not; then the lower mean validation loss (a null loss is infinite); then the
    smaller rate.
    """
    ranked = []
    for rate, replicas in condition.groupby("learning_rate", sort=True):
        accuracies = np.minimum(scored(replicas["validation_accuracy"]), replicas["success_accuracy"].to_numpy(float))
        loss = replicas["validation_loss"].fillna(np.inf).to_numpy(dtype=float).mean()
        waited = waiting_times(replicas).mean()
        ranked.append((-int(replicas["solved"].sum()), -accuracies.mean(), waited, loss, float(rate)))  # type: ignore[arg-type]
    return min(ranked)[-1]


def chosen_replicas(summary: pd.DataFrame, statistics: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table of replicas or curves at the rate chosen for their condition, sorted."""
    chosen = statistics[[*CONDITION, "learning_rate"]]
    rows = summary.merge(chosen, on=[*CONDITION, "learning_rate"], how="inner", validate="many_to_one")
    order = [*REPLICA, "update"] if "update" in rows.columns else REPLICA
    return rows.sort_values(order, ignore_index=True)


def scored(accuracies: pd.Series) -> NDArray[np.float64]:
    """Return accuracies as numbers; one that could not be computed is 0."""
    return accuracies.fillna(0.0).to_numpy(dtype=float)


def budget_updates(replicas: pd.DataFrame) -> NDArray[np.float64]:
    """Return the updates that the budget of each replica allows."""
    allowed = replicas["budget"].to_numpy(dtype=float) // replicas["batch_size"].to_numpy(dtype=float)
    return np.maximum(allowed, replicas["updates"].to_numpy(dtype=float))


def waiting_times(replicas: pd.DataFrame) -> NDArray[np.float64]:
    """Return the updates to solve, or those of the whole budget where a replica did not."""
    times = replicas["updates_to_solve"].to_numpy(dtype=float, na_value=np.nan)
    return np.where(replicas["solved"].to_numpy(dtype=bool), times, budget_updates(replicas))


def _condition_statistics(condition: pd.DataFrame) -> dict:
    rate = chosen_learning_rate(condition)
    chosen = condition[condition["learning_rate"] == rate]
    first = chosen.iloc[0]
    solved, seeds = int(chosen["solved"].sum()), len(chosen)
    fraction = wilson_interval(solved, seeds)
    scores = scored(chosen["test_accuracy"])
    solved_replicas = chosen["solved"].to_numpy(dtype=bool)
    accuracy = mean_interval(scores)
    times = waiting_times(chosen)
    updates = median_time_interval(times, reached=solved_replicas)
    return {
        "num_steps": first["num_steps"],
        "learning_rate": rate,
        "seeds": seeds,
        "solved": solved,
        "solved_fraction": solved / seeds,
        "solved_low": fraction.low,
        "solved_high": fraction.high,
        "solved_on_test": int((solved_replicas & (scores >= chosen["success_accuracy"].to_numpy(float))).sum()),
        "accuracy": scores.mean(),
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "diverged": int(chosen["diverged"].sum()),
        "updates_to_solve_median": median_time(times, reached=solved_replicas),
        "updates_low": updates.low,
        "updates_high": updates.high,
        "chance_accuracy": first["chance_accuracy"],
    }
