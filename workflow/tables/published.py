"""Published numbers of training sequences next to ours: one row per number, gradient and learning rate.

The paper prints a mean over n trials until a published stop rule held (protocol `online`). Ours are m seeds, with mean
x and standard deviation s. If its trials came from the distribution of our seeds, its mean would lie in x -+ t s
sqrt(1/n + 1/m) in 95 % of cases, t the 97.5 % quantile of Student's t with m - 1 degrees of freedom: exact for normal
times, and roughly so for means of 10 or 20 skewed ones. Of 20 rows that hold, one is outside by chance.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from workflow.experiment.experiment import Experiment
from workflow.statistics.intervals import (
    LEVEL,
    NOTHING,
    Interval,
    compute_interval,
    median_time,
    median_time_interval,
)
from workflow.statistics.replicas import CONDITION, compute_times_to_solve, count_solved, list_groups, score_accuracies
from workflow.tables.baselines import join_baselines
from workflow.tables.schema import columns
from workflow.tables.schema.columns import Frames, count, flag, limits, number, optional_count, text

NEEDS = ("summary",)
REQUIRES = "published"
OPTIONAL = ("baselines",)
KEY = ("table", "experiment", *CONDITION, "learning_rate")
COLUMNS = {
    "table": text("where the paper prints the number"),
    "experiment": text("what it is of"),
    **columns.CONDITION,
    "learning_rate": number("ours"),
    "paper_learning_rate": number("the paper's"),
    "paper_sequences": count("the paper's training sequences, mean over its trials"),
    "paper_wrong": optional_count("the paper's wrong test sequences"),
    "trials": count("the paper's trials"),
    "paper_weights": count("the paper's weights"),
    "parameters": count("weights of our network, readout included"),
    "weights_agree": flag("whether they are as many as the paper's"),
    **columns.SOLVED,
    "diverged": count("how many seeds became infinite"),
    "sequences_mean": number("mean over the seeds; empty unless all solved the task"),
    **limits("sequences"),
    "predicted_low": number("where 95 % of means of as many trials as the paper's would lie, lower end"),
    "predicted_high": number("the upper end"),
    "verdict": text(
        "whether the paper's mean is `inside` or `outside`; `censored`: a seed did not solve the task within the "
        "budget, or only one seed ran"
    ),
    "sequences_median": number("Kaplan-Meier median, unsolved seeds censored at the budget"),
    **limits("median"),
    "error_median": number(
        "the same of one half of the stop rule, mean error below its threshold; empty: fewer than half of the seeds, "
        "or no such half"
    ),
    "streak_median": number("the same of the other half, the last so many sequences right"),
    "wrong": number("wrong test sequences, mean over the seeds, solved or not"),
    "test_sequences": count("of how many"),
    "budget": count("sequences after which training was given up"),
    "chance_accuracy": columns.CHANCE,
    "notes": text("what was tried where ours differ"),
    **columns.CONTROLS,
}


def judge_mean(paper: float, *, times: NDArray, reached: NDArray[np.bool_], trials: int) -> tuple[Interval, str]:
    """Judge a published mean over `trials` by the times of our seeds, those not `reached` being censored.

    Return the interval in which it was to be, and the verdict.
    """
    if len(times) < 2 or not reached.all():
        return NOTHING, "censored"
    spread = float(np.std(times, ddof=1)) * np.sqrt(1 / trials + 1 / len(times))
    half = float(stats.t.ppf((1 + LEVEL) / 2, df=len(times) - 1)) * spread
    low, high = float(np.mean(times)) - half, float(np.mean(times)) + half
    return Interval(max(low, 0.0), high), "inside" if low <= paper <= high else "outside"


def compute(tables: Frames, experiment: Experiment) -> pd.DataFrame:
    """Compute the table, in the order of the published rows, with the baselines where the experiment has them."""
    rows = [row for number in experiment.config["published"] for row in _compute_rows(tables["summary"], number)]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name not in columns.CONTROLS])
    return join_baselines(table, tables.get("baselines"))


def _compute_rows(summary: pd.DataFrame, number: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    paper = {f"paper_{name}": number[name] for name in ("learning_rate", "sequences", "wrong", "weights")}
    names = ["task", "lag", "model"]
    ran = summary[(summary[names] == [number[name] for name in names]).all(axis="columns")]
    for key, replicas in list_groups(ran, ["device", "gradient", "learning_rate"]):
        yield {**number, **paper, **key, **_compute_ours(replicas, number)}


def _compute_ours(replicas: pd.DataFrame, number: Mapping[str, Any]) -> dict[str, Any]:
    first, reached, times = replicas.iloc[0], replicas["solved"].to_numpy(dtype=bool), compute_times_to_solve(replicas)
    predicted, verdict = judge_mean(number["sequences"], times=times, reached=reached, trials=number["trials"])
    wrong = np.round((1 - score_accuracies(replicas["test_accuracy"])) * first["test_sequences"])
    return {
        **{name: first[name] for name in ("parameters", "test_sequences", "budget", "chance_accuracy")},
        "weights_agree": bool(first["parameters"] == number["weights"]),
        "seeds": len(replicas),
        **count_solved(replicas),
        "diverged": int(replicas["diverged"].sum()),
        "sequences_mean": times.mean() if reached.all() else np.nan,
        **(compute_interval(times) if reached.all() else NOTHING).to_columns("sequences"),
        "sequences_median": median_time(times, reached=reached),
        **median_time_interval(times, reached=reached).to_columns("median"),
        "error_median": _compute_median(replicas, "sequences_to_error"),
        "streak_median": _compute_median(replicas, "sequences_to_streak"),
        **predicted.to_columns("predicted"),
        "verdict": verdict,
        "wrong": wrong.mean(),
    }


def _compute_median(replicas: pd.DataFrame, half: str) -> float:
    """Return the Kaplan-Meier median of the sequences until one half of the stop rule held."""
    times = replicas[half].to_numpy(dtype=float, na_value=np.nan)
    reached = ~np.isnan(times)
    return median_time(np.where(reached, times, replicas["updates"].to_numpy(dtype=float)), reached=reached)
