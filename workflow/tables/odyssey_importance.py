"""Which hyperparameter matters: the variance of the test accuracy over the trials of a random search, shared out.

A polynomial chaos expansion. With both hyperparameters mapped to [-1, 1] so that the search draws them uniformly (u of
the learning rate, v of the hidden size, each on its logarithmic scale), accuracy is regressed on products of Legendre
polynomials, which are orthonormal there:

    y = sum over (j, k) of a_jk P_j(u) P_k(v) + e,   E[P_j P_l] = 1 if j = l else 0

so that the squared coefficients are variances and their sums the Sobol indices (Sudret 2008): a_j0 of the learning
rate, a_0k of the hidden size, a_jk of both together (interaction), and the variance of e is the rest: seeds, and what
no polynomial of the basis follows. The degrees are those of least leave-one-out error (Blatman & Sudret 2010). The
square of an estimated coefficient is too large by its variance, which is taken off. Greff et al. 2017 ask the same of
a random forest (fANOVA, Hutter et al. 2014).
"""

import math
from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from workflow.statistics.intervals import LEVEL, RESAMPLES, SEED
from workflow.statistics.trials import SEARCHED, trials_of
from workflow.tables.columns import IMPORTANCE, SHARES
from workflow.tables.statistics import scored
from workflow.tables.summary import typed

RATE_DEGREES, SIZE_DEGREES = range(1, 8), range(1, 4)
HIGHEST = max(*RATE_DEGREES, *SIZE_DEGREES)
TRIALS_PER_TERM = 3  # a basis of more terms than a third of the trials would fit their noise
MAMMEN_HIGH, MAMMEN_LOW = (1 + math.sqrt(5)) / 2, (1 - math.sqrt(5)) / 2
MAMMEN_PROBABILITY = (math.sqrt(5) - 1) / (2 * math.sqrt(5))  # of the high value

Array = NDArray[np.floating[Any]]
Terms = list[tuple[int, int]]


class Expansion(NamedTuple):
    """A regression of values on the terms of a basis."""

    terms: Terms
    basis: Array  # (trials, terms)
    solve: Array  # (terms, trials), from values to coefficients
    leverage: Array  # (trials,)

    def residuals(self, values: Array) -> Array:
        """Return what the terms leave of values (trials, ...)."""
        return values - self.basis @ (self.solve @ values)


def importance_table(summary: pd.DataFrame, search: Mapping[str, Any]) -> pd.DataFrame:
    """Make the table of shares, one row per device, task, lag, variant and gradient, with 95 % bootstrap intervals."""
    size, rate = search["hidden_size"], search["learning_rate"]
    rows = []
    for key, trials in trials_of(summary, variants=search["variants"]).groupby(SEARCHED, sort=False):
        u = scale(trials["learning_rate"].to_numpy(float), low=rate["from"], high=rate["to"])
        v = scale(trials["hidden_size"].to_numpy(float), low=size["from"] - 0.5, high=size["to"] + 0.5)
        values = scored(trials["test_accuracy"])
        row = dict(zip(SEARCHED, key, strict=True)) | {"trials": len(trials), "deviation": values.std(ddof=1)}
        rows.append(row | shares_with_intervals(values, u=u, v=v))
    return typed(pd.DataFrame(rows, columns=IMPORTANCE))


def scale(values: Array, *, low: float, high: float) -> Array:
    """Map a log-uniform variable to [-1, 1], uniformly."""
    return 2 * np.log(values / low) / np.log(high / low) - 1


def shares_with_intervals(values: Array, *, u: Array, v: Array) -> dict[str, float]:
    """Return the shares of u, v, their interaction and the rest, each with its interval; NaN if nothing varies.

    The intervals are of a wild bootstrap: the draws of u and v stay, and each trial keeps its own residual, of unit
    leverage, times a factor of mean 0, variance 1 and skewness 1 (Mammen 1993), since trials near the ceiling vary less
    than others. In made-up searches of 96 trials they covered the truth in 80 to 95 %, less where accuracy jumps (the
    rest then holds what no polynomial follows), for an interaction too small to be seen in the noise, and for the rest
    at its ends: 75 % where all is noise, 38 % where almost none is.
    """
    names = [name for share in SHARES for name in (share, f"{share}_low", f"{share}_high")]
    if np.ptp(values) == 0:
        return dict.fromkeys(names, float("nan"))
    found = expansion(values, u=u, v=v)
    residuals = found.residuals(values)
    scaled = residuals / np.sqrt(np.maximum(1 - found.leverage, 1e-3))
    rare = np.random.default_rng(SEED).random((len(values), RESAMPLES)) < MAMMEN_PROBABILITY
    factors = np.where(rare, MAMMEN_HIGH, MAMMEN_LOW)
    resampled = shares(found, (values - residuals)[:, None] + scaled[:, None] * factors)
    tail = (1 - LEVEL) / 2
    limits = np.quantile(resampled, [tail, 1 - tail], axis=1, method="inverted_cdf")
    columns = np.stack([shares(found, values[:, None])[:, 0], *limits], axis=1)
    return dict(zip(names, columns.ravel().tolist(), strict=True))


def expansion(values: Array, *, u: Array, v: Array) -> Expansion:
    """Return the regression of least leave-one-out error over all degrees."""
    candidates = [
        _regression(terms, u=u, v=v)
        for terms in map(_terms, product(RATE_DEGREES, SIZE_DEGREES))
        if TRIALS_PER_TERM * len(terms) <= len(values)
    ]
    if not candidates:
        raise ValueError(f"expected at least {TRIALS_PER_TERM * 3} trials of a variant; came {len(values)}")

    def left_out(candidate: Expansion) -> float:
        """Return the sum of squares of the errors at trials left out one by one (Allen's PRESS)."""
        return float(np.square(candidate.residuals(values) / np.maximum(1 - candidate.leverage, 1e-3)).sum())

    return min(candidates, key=left_out)


def shares(found: Expansion, values: Array) -> Array:
    """Return the shares (4, columns) of the variance of each column of values (trials, columns)."""
    noise = np.square(found.residuals(values)).sum(axis=0) / (len(values) - len(found.terms))
    variances = np.square(found.solve @ values) - np.square(found.solve).sum(axis=1)[:, None] * noise
    kinds = np.array([(j > 0) + 2 * (k > 0) for j, k in found.terms])
    parts = [np.maximum(variances[kinds == kind].sum(axis=0), 0) for kind in (1, 2, 3)]
    whole = np.stack([*parts, noise])
    return whole / whole.sum(axis=0)


def _terms(degrees: tuple[int, int]) -> Terms:
    """Return the degrees (j, k) below the line from the degree of u to that of v."""
    a, b = degrees
    return [(j, k) for j in range(a + 1) for k in range(b + 1) if j * b + k * a <= a * b]


def _regression(terms: Terms, *, u: Array, v: Array) -> Expansion:
    rates, sizes = (legvander(x, HIGHEST) * np.sqrt(2 * np.arange(HIGHEST + 1) + 1) for x in (u, v))
    basis = np.stack([rates[:, j] * sizes[:, k] for j, k in terms], axis=1)
    solve = np.linalg.pinv(basis)
    return Expansion(terms, basis, solve, np.einsum("nt,tn->n", basis, solve))
