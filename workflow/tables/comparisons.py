"""Paired comparisons of test accuracy: one row per device, task and pair of (model, gradient).

The pairs are the (lag, seed) that both series ran, each at its chosen learning rate: they saw the same data. Where a
window covers the whole sequence, two gradients are one, and its pairs count too.
"""

from itertools import combinations

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.statistics.comparison import adjust_by_holm, compare_pairs
from workflow.statistics.replicas import list_groups, score_accuracies, select_replicas
from workflow.tables.schema.columns import BASELINE, Frames, count, limits, number, text

NEEDS = ("summary", "statistics")
KEY = ("device", "task", "a_model", "a_gradient", "b_model", "b_gradient")
COLUMNS = {
    "device": BASELINE["device"],
    "task": BASELINE["task"],
    "a_model": text("the model of the first of the pair"),
    "a_gradient": text("its gradient"),
    "b_model": text("the model of the second"),
    "b_gradient": text("its gradient"),
    "lags": text("the lags that both ran, joined by +"),
    "pairs": count("how many (lag, seed) both ran"),
    "mean_difference": number("test accuracy of a minus b, mean over the pairs"),
    **limits(by="bootstrap, seeds resampled within each lag"),
    "p": number("of a sign-flip permutation test"),
    "p_holm": number("the same with Holm's correction over the pairs of a device and task"),
}


def compute(tables: Frames, experiment: Experiment) -> pd.DataFrame:
    """Compare every two series of a task."""
    replicas = select_replicas(tables["summary"], tables["statistics"])
    replicas = replicas.assign(score=score_accuracies(replicas["test_accuracy"]))
    rows = []
    for key, part in list_groups(replicas, ["device", "task"]):
        scores = part.pivot(index=["lag", "seed"], columns=["model", "gradient"], values="score").sort_index()
        for a, b in combinations(sorted(scores.columns), 2):
            differences = (scores[a] - scores[b]).dropna()
            lags = "+".join(str(lag) for lag in sorted(set(differences.index.get_level_values("lag"))))
            strata = [part.to_numpy(dtype=float) for _, part in differences.groupby(level="lag")]
            rows.append([*key.values(), *a, *b, lags, *compare_pairs(strata)])
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_holm"])
    return table.assign(p_holm=table.groupby(["device", "task"])["p"].transform(adjust_by_holm))
