"""One row per variant, task and lag of a random search: its best tenth, and its distance to the reference.

As in Greff et al. 2017. A trial is a replica: one sampled hidden size, learning rate and seed. The trials of a (hidden
size, seed) share initial weights and data and differ in the learning rate alone; they are a job, the unit of every
interval and of the sign-flip test. All variants have the same trials, so that the difference to the reference is
paired. Holm's correction is over the variants of a device, task, lag and gradient. Where the experiment has baselines
they are those of the variant at the `hidden_size` of the config.
"""

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.experiment.experiment import Experiment
from workflow.statistics.comparison import adjust_by_holm, compare_pairs, compute_welch_p
from workflow.statistics.intervals import Interval, bootstrap_interval
from workflow.statistics.replicas import count_solved, list_groups
from workflow.statistics.trials import JOB, SEARCHED, TRIAL, rank_trials
from workflow.tables.baselines import join_baselines
from workflow.tables.schema import columns
from workflow.tables.schema.columns import Frames, count, limits, number, text

NEEDS = ("summary",)
REQUIRES = "search"
OPTIONAL = ("baselines",)
KEY = tuple(SEARCHED)
COLUMNS = {
    "device": columns.BASELINE["device"],
    "task": columns.BASELINE["task"],
    "lag": columns.BASELINE["lag"],
    "variant": text("the model whose hidden size and rate were searched (in `summary.csv`: `<variant>.h<size>`)"),
    "gradient": columns.CONDITION["gradient"],
    "trials": count("how many trials it has"),
    "best_trials": count("how many are its best tenth by validation: accuracy up to the criterion, updates, loss"),
    "best_accuracy": number("their mean test accuracy"),
    **limits("best", by="bootstrap over jobs, with the best chosen anew"),
    "best_hidden_size": count("of the best trial"),
    "best_learning_rate": number("of the best trial"),
    "median_accuracy": number("median test accuracy of all trials"),
    "solved": count("how many trials solved the task"),
    "solved_fraction": number("their share"),
    **limits("solved", by="Wilson, as if trials were independent"),
    "diverged": count("how many trials diverged"),
    "jobs": count("how many jobs are compared with those of the reference"),
    "difference": number("test accuracy minus that of the reference, mean over all trials, paired"),
    **limits("difference", by="bootstrap over jobs"),
    "p": number("of a sign-flip test over jobs"),
    "p_holm": number("the same with Holm's correction"),
    "best_p": number(
        "of Welch's test between the best tenth and that of the reference, as in the paper; it takes trials for "
        "independent and ignores that they were chosen: read it as the paper's yardstick"
    ),
    "best_p_holm": number("the same with Holm's correction"),
    "chance_accuracy": columns.CHANCE,
    **columns.CONTROLS,
}
FAMILY = [name for name in SEARCHED if name != "variant"]


def compute(tables: Frames, experiment: Experiment) -> pd.DataFrame:
    """Compute the table of variants, each next to its reference, with the baselines where the experiment has them."""
    search, rows = experiment.config["search"], []
    trials = rank_trials(tables["summary"], variants=search["variants"])
    for _, family in list_groups(trials, FAMILY):
        reference = family[family["variant"] == search["reference"]]
        for key, variant in list_groups(family, SEARCHED):
            rows.append(key | _compute_row(variant) | _compare(variant, reference))
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name not in columns.CONTROLS])
    for name in ("p", "best_p"):
        table[f"{name}_holm"] = table.groupby(FAMILY)[name].transform(adjust_by_holm)
    return join_baselines(table, tables.get("baselines"), models=table["variant"])


def select_best_tenth(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the best tenth of a variant's trials by validation, rounded up."""
    return trials[trials["rank"] < math.ceil(len(trials) / 10)]


def compute_best_interval(trials: pd.DataFrame) -> Interval:
    """Return the bootstrap interval of the mean of the best tenth: jobs are sampled, then the best trials chosen."""
    scores = trials.sort_values("rank")["score"].to_numpy(float)
    count, last = len(select_best_tenth(trials)), len(trials)
    ranks = trials.assign(place=trials.groupby(JOB).cumcount()).pivot(index=JOB, columns="place", values="rank")
    ranks_of_jobs = ranks.fillna(last).to_numpy(int)  # a job of fewer trials is filled up with rank `last`

    def statistic(sample: NDArray[np.intp]) -> NDArray[np.float64]:
        best = np.sort(ranks_of_jobs[sample].reshape(*sample.shape[:-1], -1), axis=-1)[..., :count]
        return np.append(scores, np.nan)[best].mean(axis=-1)

    return bootstrap_interval(len(ranks_of_jobs), statistic)


def _compute_row(trials: pd.DataFrame) -> dict[str, Any]:
    first, best = trials.iloc[0], select_best_tenth(trials)
    return {
        "trials": len(trials),
        "best_trials": len(best),
        "best_accuracy": best["score"].mean(),
        **compute_best_interval(trials).to_columns("best"),
        "best_hidden_size": first["hidden_size"],
        "best_learning_rate": first["learning_rate"],
        "median_accuracy": trials["score"].median(),
        **count_solved(trials),
        "diverged": int(trials["diverged"].sum()),
        "chance_accuracy": first["chance_accuracy"],
    }


def _compare(trials: pd.DataFrame, reference: pd.DataFrame) -> dict[str, Any]:
    """Compare a variant with the reference; the reference itself, or one that did not run, gives nothing."""
    comparison, best_p = compare_pairs([]), math.nan
    if not reference.empty and trials["variant"].iloc[0] != reference["variant"].iloc[0]:
        paired = trials.set_index(TRIAL)["score"] - reference.set_index(TRIAL)["score"]
        comparison = compare_pairs([paired.groupby(level=JOB, sort=True).mean().to_numpy(float)])
        best_p = compute_welch_p(*(select_best_tenth(part)["score"].to_numpy(float) for part in (trials, reference)))
    names = ("jobs", "difference", "difference_low", "difference_high", "p", "best_p")
    return dict(zip(names, (*comparison, best_p), strict=True))
