"""Shares of variance against functions whose Sobol indices are known."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.analysis.searched import make_summary, search_of
from tests.analysis.tables import compute, searching
from workflow.statistics.variance_shares import compute_shares, fit_expansion, map_to_unit, share_variance
from workflow.tables.odyssey_importance import COLUMNS, SHARES
from workflow.tables.schema.csv_files import read_csv, write_csv


def plan(sizes: int, rates: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw u and v as a search does: v in groups, u in strata within each."""
    rng = np.random.default_rng(seed)
    v = 2 * (np.arange(sizes) + rng.random(sizes)) / sizes - 1
    u = 2 * (np.arange(rates) + rng.random((sizes, rates))) / rates - 1
    return u.ravel(), np.repeat(v, rates)


def shares_of(values: np.ndarray, u: np.ndarray, v: np.ndarray) -> list[float]:
    return compute_shares(fit_expansion(values, u=u, v=v), values[:, None])[:, 0].tolist()


def test_polynomials_have_the_shares_that_their_coefficients_say() -> None:
    # variances under U[-1, 1]: u 1/3, v^2 4/45, u v 1/9
    u, v = plan(8, 8)
    whole = 1 / 3 + 4 / 45 + 1 / 9
    actual = shares_of(u + v**2 + u * v, u, v)
    assert actual == pytest.approx([1 / 3 / whole, 4 / 45 / whole, 1 / 9 / whole, 0], abs=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        lambda u, v: np.sin(math.pi * u) * (1 + 0.1 * (math.pi * v) ** 2),  # as Ishigami's third term, with a square
        lambda u, v: np.sin(math.pi * u) + 2 * np.sin(math.pi * v / 2) ** 2,  # additive
        lambda u, v: np.tanh(2 * u + v),
        lambda u, v: 1 / (1 + np.exp(4 * (u - 0.3 * v))),
    ],
)
def test_smooth_functions_have_scipys_sobol_indices(function) -> None:
    """scipy's estimator samples the function itself (Saltelli 2010) and knows no polynomials."""
    uniform = stats.uniform(-1, 2)
    names = stats.sobol_indices(
        func=lambda x: function(*x)[None], n=2**15, dists=[uniform, uniform], rng=np.random.default_rng(0)
    )
    first = names.first_order.ravel()
    u, v = plan(16, 16)
    actual = shares_of(function(u, v), u, v)
    assert actual[:3] == pytest.approx([*first, 1 - first.sum()], abs=0.02)
    assert actual[3] < 0.03


@pytest.mark.parametrize("noise", [0.1, 0.5])
def test_what_seeds_vary_is_the_rest(noise: float) -> None:
    """Over many searches the mean of each share is the true one: the noise in the coefficients is taken off."""
    actual = []
    for seed in range(60):
        u, v = plan(8, 12, seed=seed)
        values = u + 0.5 * u * v + noise * np.random.default_rng(seed).normal(size=len(u))
        actual.append(shares_of(values, u, v))
    whole = 1 / 3 + 0.25 / 9 + noise**2
    truth = [1 / 3 / whole, 0, 0.25 / 9 / whole, noise**2 / whole]
    assert np.mean(actual, axis=0) == pytest.approx(truth, abs=0.02)


def test_pure_noise_belongs_to_no_hyperparameter() -> None:
    u, v = plan(8, 12)
    actual = [shares_of(np.random.default_rng(seed).normal(size=96), u, v) for seed in range(40)]
    assert np.mean(actual, axis=0) == pytest.approx([0, 0, 0, 1], abs=0.06)


def test_intervals_cover_the_truth_and_shrink_with_the_noise() -> None:
    covered, widths = [], {}
    for noise in (0.1, 0.3):
        whole = 1 / 3 + noise**2
        for seed in range(25):
            u, v = plan(6, 8, seed=seed)
            values = u + noise * np.random.default_rng(seed).normal(size=len(u))
            row = share_variance(values, u=u, v=v)
            covered.append(row["u"][1] <= 1 / 3 / whole <= row["u"][2])
            widths.setdefault(noise, []).append(row["u"][2] - row["u"][1])
    assert np.mean(covered) > 0.75
    assert np.mean(widths[0.1]) < 0.5 * np.mean(widths[0.3])


def test_equal_values_have_no_shares_and_too_few_trials_are_refused() -> None:
    u, v = plan(4, 4)
    assert all(math.isnan(value) for value in np.ravel([*share_variance(np.ones(16), u=u, v=v).values()]))
    with pytest.raises(ValueError, match="expected at least 9 trials of a variant; came 8"):
        share_variance(np.arange(8.0), u=u[:8], v=v[:8])


def test_map_to_unit_maps_the_range_of_the_search_to_minus_one_and_one() -> None:
    assert map_to_unit(np.array([0.001, 0.01, 0.1]), low=0.001, high=0.1) == pytest.approx([-1, 0, 1])


def test_table_has_a_row_per_variant_and_task_and_survives_its_file(tmp_path) -> None:
    summary = make_summary(lambda variant, u, v, seed: 0.5 + 0.2 * (u if variant == "vanilla" else v))
    search = search_of(["vanilla", "nfg"])
    table = compute("odyssey_importance", summary=summary, experiment=searching(search))
    assert list(table.columns) == list(COLUMNS)
    assert list(zip(table["task"], table["variant"], strict=True)) == [
        (task, variant) for task in ("adding", "copy") for variant in ("vanilla", "nfg")
    ]
    assert set(table["trials"]) == {96}
    assert table[list(SHARES)].sum(axis="columns").tolist() == pytest.approx([1] * 4)
    assert table["learning_rate_share"].tolist() == pytest.approx([1, 0, 1, 0], abs=1e-9)
    assert table["hidden_size_share"].tolist() == pytest.approx([0, 1, 0, 1], abs=1e-9)
    write_csv(table, tmp_path / "odyssey_importance.csv")
    assert read_csv(tmp_path / "odyssey_importance.csv").equals(table)
    again = compute("odyssey_importance", summary=summary.sample(frac=1, random_state=1), experiment=searching(search))
    assert again.equals(table)
