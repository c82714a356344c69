"""One row per condition at the learning rate that validation chose: seeds solved, accuracy, updates, horizon.

Intervals are 95 %: Wilson for the solved fraction, percentile bootstrap over seeds for the mean test accuracy, the
Kaplan-Meier median of the updates to solve, and the horizon. One seed alone has no bootstrap interval (empty). With
five seeds a bootstrap interval covers less than it says (about 85 % for normal data): read it as spread.
"""

from collections.abc import Mapping

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.statistics.horizon import compute_horizon
from workflow.statistics.intervals import mean_interval, median_time, median_time_interval, wilson_interval
from workflow.statistics.replicas import (
    CONDITION,
    REPLICA,
    SERIES,
    choose_learning_rate,
    compute_times_to_solve,
    score_accuracies,
    select_replicas,
)
from workflow.statistics.trials import find_variants
from workflow.tables.baselines import join_baselines
from workflow.tables.schema import columns
from workflow.tables.schema.columns import count, flag, limits, number, optional_count

NEEDS = ("summary",)
OPTIONAL = ("baselines",)
KEY = tuple(CONDITION)
COLUMNS = {
    **columns.CONDITION,
    "num_steps": columns.WINDOW,
    "learning_rate": number(
        "chosen by validation over the seeds: most seeds solved, then mean accuracy up to the criterion, then fewest "
        "updates; all rates stay in `summary.csv`"
    ),
    **columns.SOLVED,
    "solved_on_test": count(
        "how many of these reach the criterion on test data too: stopping at a threshold favours lucky evaluations"
    ),
    "accuracy": number("mean test accuracy over the seeds"),
    **limits("accuracy_low", "accuracy_high"),
    "diverged": count("how many seeds diverged"),
    "updates_to_solve_median": number("Kaplan-Meier median, unsolved seeds censored at the budget; empty: not reached"),
    **limits("updates_low", "updates_high"),
    "chance_accuracy": columns.CHANCE,
    "horizon": count(
        "the largest lag that at least half of the seeds solve (0: none), of this device, task, model and gradient; a "
        "smaller lag may have failed"
    ),
    **limits("horizon_low", "horizon_high", column=optional_count),
    "horizon_censored": flag("whether the horizon is the largest lag tested"),
    **columns.CONTROLS,
}


def compute(tables: Mapping[str, pd.DataFrame], experiment: Experiment) -> pd.DataFrame:
    """Compute the statistics, with the baselines where the experiment has them."""
    summary = tables["summary"].sort_values(REPLICA, ignore_index=True)
    rows = [
        dict(zip(CONDITION, key, strict=True)) | _compute_row(condition)
        for key, condition in summary.groupby(CONDITION, sort=True)
    ]
    table = pd.DataFrame(rows)
    horizons = compute_horizons(select_replicas(summary, table))
    table = table.merge(horizons, on=SERIES, how="left", validate="many_to_one")
    if "baselines" not in tables:
        return table
    variants = find_variants(summary, names=set(tables["baselines"]["model"]))
    return join_baselines(table, tables["baselines"], variants=variants)


def compute_horizons(replicas: pd.DataFrame) -> pd.DataFrame:
    """Return one row per device, task, model and gradient; `replicas` has one row per condition and seed."""
    rows = []
    for key, series in replicas.groupby(SERIES, sort=True):
        outcomes = series.pivot(index="seed", columns="lag", values="solved").sort_index().sort_index(axis="columns")
        solved = outcomes.to_numpy(dtype=float, na_value=float("nan"))
        rows.append([*key, *compute_horizon(solved, outcomes.columns.to_numpy(dtype=int))])
    return pd.DataFrame(rows, columns=[*SERIES, "horizon", "horizon_low", "horizon_high", "horizon_censored"])


def _compute_row(condition: pd.DataFrame) -> dict:
    rate = choose_learning_rate(condition)
    chosen = condition[condition["learning_rate"] == rate]
    first = chosen.iloc[0]
    reached = chosen["solved"].to_numpy(dtype=bool)
    solved, seeds = int(reached.sum()), len(chosen)
    scores, times = score_accuracies(chosen["test_accuracy"]), compute_times_to_solve(chosen)
    fraction, accuracy = wilson_interval(solved, seeds), mean_interval(scores)
    updates = median_time_interval(times, reached=reached)
    return {
        "num_steps": first["num_steps"],
        "learning_rate": rate,
        "seeds": seeds,
        "solved": solved,
        "solved_fraction": solved / seeds,
        "solved_low": fraction.low,
        "solved_high": fraction.high,
        "solved_on_test": int((reached & (scores >= chosen["success_accuracy"].to_numpy(float))).sum()),
        "accuracy": scores.mean(),
        "accuracy_low": accuracy.low,
        "accuracy_high": accuracy.high,
        "diverged": int(chosen["diverged"].sum()),
        "updates_to_solve_median": median_time(times, reached=reached),
        "updates_low": updates.low,
        "updates_high": updates.high,
        "chance_accuracy": first["chance_accuracy"],
    }
