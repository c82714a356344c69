"""Published numbers of training sequences beside ours: one row per number, flow of error and learning rate.

The paper prints a mean over n trials. Ours are m seeds, with mean x and standard deviation s. If its trials came from
the distribution of our seeds, its mean would lie in x -+ t s sqrt(1/n + 1/m) in 95 % of cases, t the 97.5 % quantile
of Student's t with m - 1 degrees of freedom: exact for normal times, and roughly so for means of 10 or 20 skewed ones.
The verdict is `inside` or `outside` this interval. It is `censored` where there is no mean, as a seed did not solve the
task within the budget (or only one seed ran). Each row is judged by itself: of 20 rows, one is outside by chance.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from workflow.statistics.intervals import (
    LEVEL,
    NOTHING,
    Interval,
    mean_interval,
    median_time,
    median_time_interval,
    wilson_interval,
)
from workflow.tables.columns import PUBLISHED
from workflow.tables.statistics import scored, waiting_times
from workflow.tables.summary import typed


class Verdict(NamedTuple):
    """What becomes of a published mean beside our seeds, and the interval in which it was to be."""

    predicted: Interval
    verdict: str


def verdict_on(paper: float, *, times: NDArray, reached: NDArray[np.bool_], trials: int) -> Verdict:
    """Judge a published mean over `trials` by the times of our seeds, those not `reached` being censored."""
    if len(times) < 2 or not reached.all():
        return Verdict(NOTHING, "censored")
    spread = float(np.std(times, ddof=1)) * np.sqrt(1 / trials + 1 / len(times))
    half = float(stats.t.ppf((1 + LEVEL) / 2, df=len(times) - 1)) * spread
    low, high = float(np.mean(times)) - half, float(np.mean(times)) + half
    return Verdict(Interval(max(low, 0.0), high), "inside" if low <= paper <= high else "outside")


def published_table(summary: pd.DataFrame, published: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make the table, in the order of the published rows; `published` is that section of the configuration."""
    rows = [found for number in published for found in _rows(summary, number)]
    return typed(pd.DataFrame(rows, columns=PUBLISHED))


def _rows(summary: pd.DataFrame, number: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    ran = summary[(summary["task"] == number["task"]) & (summary["lag"] == number["lag"])]
    ran = ran[ran["model"] == number["model"]]
    for (device, gradient, rate), replicas in ran.groupby(["device", "gradient", "learning_rate"], sort=True):
        yield (
            {"device": device, "gradient": gradient, "learning_rate": rate}
            | {name: number[name] for name in ("table", "experiment", "task", "lag", "model", "trials", "notes")}
            | {f"paper_{name}": number[name] for name in ("learning_rate", "sequences", "wrong", "weights")}
            | _ours(replicas, number)
        )


def _ours(replicas: pd.DataFrame, number: Mapping[str, Any]) -> dict[str, Any]:
    first, seeds = replicas.iloc[0], len(replicas)
    reached, times = replicas["solved"].to_numpy(dtype=bool), waiting_times(replicas)
    solved = int(reached.sum())
    fraction, median = wilson_interval(solved, seeds), median_time_interval(times, reached=reached)
    mean = mean_interval(times) if solved == seeds else NOTHING
    predicted, verdict = verdict_on(number["sequences"], times=times, reached=reached, trials=number["trials"])
    wrong = np.round((1 - scored(replicas["test_accuracy"])) * first["test_sequences"])
    return {
        "parameters": first["parameters"],
        "weights_agree": bool(first["parameters"] == number["weights"]),
        "seeds": seeds,
        "solved": solved,
        "solved_fraction": solved / seeds,
        "solved_low": fraction.low,
        "solved_high": fraction.high,
        "diverged": int(replicas["diverged"].sum()),
        "sequences_mean": times.mean() if solved == seeds else np.nan,
        "sequences_low": mean.low,
        "sequences_high": mean.high,
        "sequences_median": median_time(times, reached=reached),
        "median_low": median.low,
        "median_high": median.high,
        "error_median": _median_of(replicas, "sequences_to_error"),
        "streak_median": _median_of(replicas, "sequences_to_streak"),
        "predicted_low": predicted.low,
        "predicted_high": predicted.high,
        "verdict": verdict,
        "wrong": wrong.mean(),
        "test_sequences": first["test_sequences"],
        "budget": first["budget"],
        "chance_accuracy": first["chance_accuracy"],
    }


def _median_of(replicas: pd.DataFrame, half: str) -> float:
    """Return the Kaplan-Meier median of the sequences until one half of the stop rule held."""
    times = replicas[half].to_numpy(dtype=float, na_value=np.nan)
    reached = ~np.isnan(times)
    return median_time(np.where(reached, times, replicas["updates"].to_numpy(dtype=float)), reached=reached)
