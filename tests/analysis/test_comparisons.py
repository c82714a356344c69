"""Paired comparisons by hand and by enumeration."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest

from tests.analysis.tables import compute, compute_of
from workflow.statistics.comparison import adjust_by_holm, compare_pairs, compute_sign_flip_p
from workflow.tables.schema.csv_files import write_csv

COLUMNS = "device task a_model a_gradient b_model b_gradient lags pairs mean_difference low high p p_holm"


def test_holm_by_hand() -> None:
    # sorted 0.01 0.02 0.03 0.04: times 4, 3, 2, 1 is 0.04 0.06 0.06 0.04, and never below the one before
    assert adjust_by_holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert adjust_by_holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert adjust_by_holm([0.02, math.nan, 0.5]) == pytest.approx([0.04, math.nan, 0.5], nan_ok=True)


@pytest.mark.parametrize("seed", range(5))
def test_sign_flip_p_equals_the_enumeration_of_all_flips(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.3, 1, size=7)
    flips = np.array(list(product([1, -1], repeat=7))) @ differences
    one_sided = min((flips >= differences.sum() - 1e-12).mean(), (flips <= differences.sum() + 1e-12).mean())
    assert compute_sign_flip_p(differences) == pytest.approx(min(1.0, 2 * one_sided))


def test_sign_flip_p_of_the_smallest_samples() -> None:
    assert compute_sign_flip_p(np.array([0.4])) == 1.0
    assert compute_sign_flip_p(np.array([0.4, 0.4])) == 0.5  # both flips of all signs, of four
    assert compute_sign_flip_p(np.zeros(5)) == 1.0
    assert compare_pairs([])[0] == 0
    assert all(math.isnan(value) for value in compare_pairs([])[1:])


def test_the_interval_resamples_seeds_within_each_lag() -> None:
    """Lags that differ from each other, and seeds that do not: no spread at all."""
    pairs, mean, low, high, _ = compare_pairs([np.full(5, 0.1), np.full(5, 0.5)])
    assert pairs == 10
    assert low == pytest.approx(mean) == pytest.approx(high) == pytest.approx(0.3)
    values = [np.random.default_rng(0).normal(size=40), np.random.default_rng(1).normal(5, 1, size=40)]
    _, mean, low, high, _ = compare_pairs(values)
    deviation = np.sqrt(sum(part.var() * 40 for part in values)) / 80
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.05)
    assert all(math.isnan(limit) for limit in compare_pairs([np.array([0.1]), np.array([0.2, 0.3])])[2:4])


def test_pairs_are_lag_and_seed_at_the_chosen_rates(runs_of) -> None:
    runs = runs_of(series=[("lstm", "full"), ("rnn", "full")], tasks=["copy"], lags=[10, 50], seeds=[0, 1])
    summary = compute_of("summary", runs)
    statistics = compute("statistics", summary=summary)
    table = compute("comparisons", summary=summary, statistics=statistics)
    assert " ".join(table.columns) == COLUMNS
    (row,) = table.to_dict("records")
    assert (row["a_model"], row["b_model"], row["pairs"]) == ("lstm", "rnn", 4)
    rates = {(s.lag, s.model): s.learning_rate for s in statistics.itertuples()}
    score = {
        (r.lag, r.seed, r.model): r.test_accuracy
        for r in summary.itertuples()
        if r.learning_rate == rates[r.lag, r.model]
    }
    differences = [score[lag, seed, "lstm"] - score[lag, seed, "rnn"] for lag in (10, 50) for seed in (0, 1)]
    assert row["mean_difference"] == pytest.approx(np.mean(differences))
    assert row["lags"] == "10+50"
    assert row["p"] == row["p_holm"] == pytest.approx(compute_sign_flip_p(np.array(differences)))
    assert row["low"] <= row["mean_difference"] <= row["high"]


def test_every_pair_is_compared_and_corrected_within_its_task(full_comparisons: pd.DataFrame) -> None:
    assert len(full_comparisons) == 3 * 28
    for _, family in full_comparisons.groupby(["device", "task"]):
        assert family["p_holm"].to_numpy() == pytest.approx(adjust_by_holm(family["p"]))
        assert (family["p_holm"] >= family["p"]).all()


def test_series_without_a_common_lag_are_named_and_left_empty(runs_of) -> None:
    runs = runs_of(series=[("lstm", "full")], tasks=["copy"], lags=[10], seeds=[0, 1])
    runs += runs_of(series=[("rnn", "full")], tasks=["copy"], lags=[50], seeds=[0, 1])
    summary = compute_of("summary", runs)
    (row,) = compute("comparisons", summary=summary, statistics=compute("statistics", summary=summary)).to_dict(
        "records"
    )
    assert row["pairs"] == 0
    assert math.isnan(row["p"])
    assert math.isnan(row["p_holm"])


def test_a_replica_without_accuracy_is_compared_as_zero(runs_of) -> None:
    runs = runs_of(series=[("lstm", "full"), ("rnn", "full")], tasks=["copy"], lags=[10], seeds=[0, 1], rates=[0.01])
    runs[0]["replicas"][0] |= {"test_accuracy": None, "diverged": True}
    summary = compute_of("summary", runs)
    (row,) = compute("comparisons", summary=summary, statistics=compute("statistics", summary=summary)).to_dict(
        "records"
    )
    scores = summary.set_index(["model", "seed"])["test_accuracy"]
    expected = (0 - scores["rnn", 0] + scores["lstm", 1] - scores["rnn", 1]) / 2
    assert row["pairs"] == 2
    assert row["mean_difference"] == pytest.approx(expected)


def test_order_of_rows_does_not_matter_and_bytes_repeat(full_tables, tmp_path) -> None:
    summary = full_tables.summary[full_tables.summary["task"] == "copy"]
    statistics = full_tables.statistics[full_tables.statistics["task"] == "copy"]
    write_csv(compute("comparisons", summary=summary, statistics=statistics), tmp_path / "first.csv")
    shuffled = compute(
        "comparisons",
        summary=summary.sample(frac=1, random_state=1),
        statistics=statistics.sample(frac=1, random_state=2),
    )
    write_csv(shuffled, tmp_path / "second.csv")
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "second.csv").read_bytes()
