"""The variants of a random search: the best tenth of each, and its distance to the reference, as in Greff et al. 2017.

The unit of every interval and test is the job, a (hidden size, seed): its trials share initial weights and data, and
differ in the learning rate alone. All variants have the same trials, so that the difference to the reference is paired.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from workflow.statistics.intervals import Interval, bootstrap_interval, wilson_interval
from workflow.statistics.trials import JOB, SEARCHED, TRIAL, trials_of
from workflow.tables.baselines import with_baselines
from workflow.tables.columns import ODYSSEY
from workflow.tables.comparisons import compare, holm
from workflow.tables.summary import typed

FAMILY = [name for name in SEARCHED if name != "variant"]


def odyssey_table(summary: pd.DataFrame, search: Mapping[str, Any]) -> pd.DataFrame:
    """Make the table of variants, one row per device, task, lag, variant and gradient.

    `best_accuracy` is the mean test accuracy of the best tenth of the trials by validation. Two comparisons with the
    reference: `difference` over all trials, paired, with a sign-flip test; and `best_p`, Welch's test between the two
    best tenths, as in the paper. Holm's correction is over the variants of a device, task, lag and gradient.
    """
    trials = trials_of(summary, variants=search["variants"])
    rows: list[dict[str, Any]] = []
    for _, family in trials.groupby(FAMILY, sort=False):
        reference = family[family["variant"] == search["reference"]]
        found = [
            dict(zip(SEARCHED, variant[SEARCHED].iloc[0], strict=True)) | _row(variant) | _compared(variant, reference)
            for _, variant in family.groupby("variant", sort=False)
        ]
        for name in ("p", "best_p"):
            for row, p in zip(found, holm([row[name] for row in found]), strict=True):
                row[f"{name}_holm"] = p
        rows += found
    return typed(pd.DataFrame(rows, columns=ODYSSEY))


def beside_baselines(table: pd.DataFrame, baselines: pd.DataFrame) -> pd.DataFrame:
    """Return the table of variants with the baselines of each, which are those of the model as it is configured."""
    joined = with_baselines(table.rename(columns={"variant": "model"}), baselines)
    return joined.rename(columns={"model": "variant"})


def best_tenth(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the best tenth of a variant's trials by validation, rounded up."""
    return trials[trials["rank"] < math.ceil(len(trials) / 10)]


def best_tenth_interval(trials: pd.DataFrame) -> Interval:
    """Return the bootstrap interval of the mean of the best tenth: jobs are drawn, then the best trials chosen."""
    scores = trials.sort_values("rank")["score"].to_numpy(float)
    jobs = [job["rank"].to_numpy(int) for _, job in trials.groupby(JOB, sort=True)]
    count, last = len(best_tenth(trials)), len(trials)
    ranks = np.full((len(jobs), max(map(len, jobs))), last)  # a job of fewer trials is filled up with rank `last`
    for row, job in zip(ranks, jobs, strict=True):
        row[: len(job)] = job

    def statistic(drawn: NDArray[np.intp]) -> NDArray[np.float64]:
        best = np.sort(ranks[drawn].reshape(*drawn.shape[:-1], -1), axis=-1)[..., :count]
        return np.append(scores, np.nan)[best].mean(axis=-1)

    return bootstrap_interval(len(jobs), statistic)


def welch_p(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the two-sided p of Welch's test; equal constants do not differ, and one value alone tells nothing."""
    if min(len(one), len(other)) < 2:
        return float("nan")
    if np.ptp(one) == np.ptp(other) == 0:
        return 1.0 if one[0] == other[0] else 0.0
    return float(stats.ttest_ind(one, other, equal_var=False).pvalue)


def _row(trials: pd.DataFrame) -> dict[str, Any]:
    first, best = trials.iloc[0], best_tenth(trials)
    solved = int(trials["solved"].sum())
    interval, fraction = best_tenth_interval(trials), wilson_interval(solved, len(trials))
    return {
        "trials": len(trials),
        "best_trials": len(best),
        "best_accuracy": best["score"].mean(),
        "best_low": interval.low,
        "best_high": interval.high,
        "best_hidden_size": first["hidden_size"],
        "best_learning_rate": first["learning_rate"],
        "median_accuracy": trials["score"].median(),
        "solved": solved,
        "solved_fraction": solved / len(trials),
        "solved_low": fraction.low,
        "solved_high": fraction.high,
        "diverged": int(trials["diverged"].sum()),
        "chance_accuracy": first["chance_accuracy"],
    }


def _compared(trials: pd.DataFrame, reference: pd.DataFrame) -> dict[str, Any]:
    """Compare a variant with the reference; the reference itself, or one that did not run, gives nothing."""
    if reference.empty or trials["variant"].iloc[0] == reference["variant"].iloc[0]:
        jobs, difference, low, high, p = compare([])
        return dict(zip(_DIFFERENCE, (jobs, difference, low, high, p, float("nan")), strict=True))
    paired = trials.set_index(TRIAL)["score"] - reference.set_index(TRIAL)["score"]
    by_job = paired.groupby(level=JOB, sort=True).mean().to_numpy(float)
    best_p = welch_p(*(best_tenth(part)["score"].to_numpy(float) for part in (trials, reference)))
    return dict(zip(_DIFFERENCE, (*compare([by_job]), best_p), strict=True))


_DIFFERENCE = ("jobs", "difference", "difference_low", "difference_high", "p", "best_p")
