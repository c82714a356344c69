"""Paired comparisons of test accuracy between every two series of a task, with Holm's correction."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from workflow.statistics.intervals import RESAMPLES, SEED, batch_of, stratified_mean_interval
from workflow.tables.columns import COMPARISONS
from workflow.tables.statistics import chosen_replicas, scored
from workflow.tables.summary import typed


def comparisons_table(summary: pd.DataFrame, statistics: pd.DataFrame) -> pd.DataFrame:
    """Make the table of paired comparisons, one row per device, task and pair of (model, gradient).

    The pairs are the (lag, seed) that both series ran, each at its chosen learning rate: they saw the same data.
    `lags` names their lags: the mean is over these, also where a window covers the whole sequence and two gradients
    are one. `mean_difference` is test accuracy of a minus b; `low` and `high` its bootstrap interval, seeds resampled
    within each lag; `p` is that of a sign-flip permutation test; `p_holm` corrects over the pairs of a device and task.
    """
    replicas = chosen_replicas(summary, statistics)
    replicas = replicas.assign(score=scored(replicas["test_accuracy"]))
    rows = []
    for (device, task), part in replicas.groupby(["device", "task"], sort=True):
        scores = part.pivot(index=["lag", "seed"], columns=["model", "gradient"], values="score").sort_index()
        family = []
        for a, b in combinations(sorted(scores.columns), 2):
            differences = (scores[a] - scores[b]).dropna()
            lags = "+".join(str(lag) for lag in sorted(set(differences.index.get_level_values("lag"))))
            strata = [part.to_numpy(dtype=float) for _, part in differences.groupby(level="lag")]
            family.append([device, task, *a, *b, lags, *compare(strata)])
        adjusted = holm([row[-1] for row in family])
        rows += [[*row, p] for row, p in zip(family, adjusted, strict=True)]
    return typed(pd.DataFrame(rows, columns=COMPARISONS))


def compare(strata: Sequence[NDArray[np.float64]]) -> tuple[int, float, float, float, float]:
    """Return the number of paired differences, their mean, its interval and the two-sided p; one stratum per lag.

    The test is exact where all sign flips can be counted (13 pairs or fewer). No pair at all gives NaN.
    """
    if not strata:
        return (0, *[float("nan")] * 4)  # type: ignore[return-value]
    differences = np.concatenate(strata)
    low, high = stratified_mean_interval(strata)
    return len(differences), float(differences.mean()), low, high, sign_flip_p(differences)


def sign_flip_p(differences: NDArray[np.float64]) -> float:
    """Return the two-sided p of the hypothesis that each paired difference is as likely negative as positive."""
    if len(differences) < 2:
        return 1.0  # both signs of one difference are equally extreme, and scipy wants two
    test = stats.permutation_test(
        (differences,),
        lambda flipped, axis: flipped.sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=batch_of(len(differences)),
        rng=np.random.default_rng(SEED),
    )
    return float(test.pvalue)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted by Holm's step-down method (1979); NaN stays NaN and is not counted."""
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    order = [index for index in np.argsort(p, kind="stable") if not np.isnan(p[index])]
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p[index]))
        adjusted[index] = running
    return adjusted
