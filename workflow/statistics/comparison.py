"""Paired comparison: the mean difference with its interval, a test by sign flips, and Holm's correction."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from workflow.statistics.intervals import RESAMPLES, SEED, batch_of, stratified_mean_interval


def compare_pairs(strata: Sequence[NDArray[np.float64]]) -> tuple[int, float, float, float, float]:
    """Return the number of paired differences, their mean, its interval and the two-sided p; one stratum per lag.

    The test is exact where all sign flips can be counted (13 pairs or fewer). No pair at all gives NaN.
    """
    if not strata:
        return (0, *[float("nan")] * 4)  # type: ignore[return-value]
    differences = np.concatenate(strata)
    low, high = stratified_mean_interval(strata)
    return len(differences), float(differences.mean()), low, high, compute_sign_flip_p(differences)


def compute_sign_flip_p(differences: NDArray[np.float64]) -> float:
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


def adjust_by_holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted by Holm's step-down method (1979); NaN stays NaN and is not counted."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]
    adjusted = np.full(p.shape, np.nan)
    adjusted[order] = np.maximum.accumulate(np.minimum(1.0, np.arange(len(order), 0, -1) * p[order]))
    return adjusted


def compute_welch_p(values: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Return the two-sided p of Welch's test; equal constants do not differ, and one value alone has no p."""
    if min(len(values), len(others)) < 2:
        return float("nan")
    if np.ptp(values) == np.ptp(others) == 0:
        return 1.0 if values[0] == others[0] else 0.0
    return float(stats.ttest_ind(values, others, equal_var=False).pvalue)
