"""One row per condition at the learning rate that validation chose: seeds solved, accuracy, updates, horizon.

Intervals are 95 %: Wilson for the solved fraction, percentile bootstrap over seeds for the mean test accuracy, the
Kaplan-Meier median of the updates to solve, and the horizon. One seed alone has no bootstrap interval (empty). With
five seeds a bootstrap interval covers less than it says (about 85 % for normal data): read it as spread.
"""

from typing import Any

import pandas as pd

from records.condition import Condition
from workflow.experiment.experiment import Experiment
from workflow.statistics.horizon import compute_horizon
from workflow.statistics.intervals import compute_interval, median_time, median_time_interval
from workflow.statistics.replicas import (
    CONDITION,
    REPLICA,
    SERIES,
    choose_learning_rate,
    compute_times_to_solve,
    count_solved,
    list_groups,
    score_accuracies,
    select_replicas,
)
from workflow.tables.baselines import join_baselines
from workflow.tables.schema import columns
from workflow.tables.schema.columns import Frames, count, estimate, flag, limits, number, optional_count

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
    **estimate("accuracy", "mean test accuracy over the seeds"),
    "diverged": count("how many seeds diverged"),
    "updates_to_solve_median": number("Kaplan-Meier median, unsolved seeds censored at the budget; empty: not reached"),
    **limits("updates"),
    "chance_accuracy": columns.CHANCE,
    "horizon": count(
        "the largest lag that at least half of the seeds solve (0: none), of this device, task, model and gradient; a "
        "smaller lag may have failed"
    ),
    **limits("horizon", column=optional_count),
    "horizon_censored": flag("whether the horizon is the largest lag tested"),
    **columns.CONTROLS,
}


def compute(tables: Frames, experiment: Experiment) -> pd.DataFrame:
    """Compute the statistics, with the baselines where the experiment has them."""
    summary = tables["summary"].sort_values(REPLICA, ignore_index=True)
    table = pd.DataFrame([key | _compute_row(replicas) for key, replicas in list_groups(summary, CONDITION)])
    horizons = compute_horizons(select_replicas(summary, table))
    table = table.merge(horizons, on=SERIES, how="left", validate="many_to_one")
    conditions = (Condition(*row) for row in table[CONDITION].itertuples(index=False, name=None))
    models = pd.Series([experiment.restore_model(condition).model for condition in conditions])
    return join_baselines(table, tables.get("baselines"), models=models)


def compute_horizons(replicas: pd.DataFrame) -> pd.DataFrame:
    """Return one row per device, task, model and gradient; `replicas` has one row per condition and seed."""
    rows = []
    for key, series in list_groups(replicas, SERIES):
        outcomes = series.pivot(index="seed", columns="lag", values="solved").sort_index().sort_index(axis="columns")
        solved = outcomes.to_numpy(dtype=float, na_value=float("nan"))
        rows.append(key | compute_horizon(solved, outcomes.columns.to_numpy(dtype=int))._asdict())
    return pd.DataFrame(rows)


def _compute_row(condition: pd.DataFrame) -> dict[str, Any]:
    rate = choose_learning_rate(condition)
    chosen = condition[condition["learning_rate"] == rate]
    reached, times = chosen["solved"].to_numpy(dtype=bool), compute_times_to_solve(chosen)
    scores = score_accuracies(chosen["test_accuracy"])
    return {
        **{name: chosen.iloc[0][name] for name in ("num_steps", "learning_rate", "chance_accuracy")},
        "seeds": len(chosen),
        **count_solved(chosen),
        "solved_on_test": int((reached & (scores >= chosen["success_accuracy"].to_numpy(float))).sum()),
        "accuracy": scores.mean(),
        **compute_interval(scores).to_columns("accuracy"),
        "diverged": int(chosen["diverged"].sum()),
        "updates_to_solve_median": median_time(times, reached=reached),
        **median_time_interval(times, reached=reached).to_columns("updates"),
    }
