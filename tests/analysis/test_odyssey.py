"""The table of variants by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.analysis.searched import make_summary, search_of
from tests.analysis.tables import compute, searching
from workflow.statistics.comparison import compute_welch_p
from workflow.statistics.trials import find_variants, rank_trials
from workflow.tables.odyssey import COLUMNS, compute_best_interval, select_best_tenth
from workflow.tables.schema.columns import CONTROLS
from workflow.tables.schema.csv_files import read_csv, write_csv

ODYSSEY = [name for name in COLUMNS if name not in CONTROLS]
SEARCH = search_of(["vanilla", "nfg", "np"])
SHIFTS = {"vanilla": 0.0, "nfg": -0.2, "np": 0.0}


def accuracy(variant: str, u: float, v: float, seed: int) -> float:
    luck = np.random.default_rng([seed, round(1e6 * (u + 1)), round(1e6 * (v + 1)), len(variant)]).normal()
    return float(np.clip(0.6 + 0.2 * u + 0.1 * v + SHIFTS[variant] + 0.02 * luck, 0, 1))


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    return make_summary(accuracy, variants=SHIFTS, solved_at=0.8)


@pytest.fixture(scope="module")
def table(summary: pd.DataFrame) -> pd.DataFrame:
    return compute("odyssey", summary=summary, experiment=searching(SEARCH))


def row_of(table: pd.DataFrame, *, task: str = "copy", variant: str) -> pd.Series:
    return table[(table["task"] == task) & (table["variant"] == variant)].iloc[0]


def test_rows_and_columns(table: pd.DataFrame, tmp_path) -> None:
    assert list(table.columns) == ODYSSEY
    assert list(table["variant"]) == ["vanilla", "nfg", "np"] * 2
    write_csv(table, tmp_path / "odyssey.csv")
    assert read_csv(tmp_path / "odyssey.csv").equals(table)


def test_best_tenth_is_chosen_by_validation_and_scored_on_test(summary: pd.DataFrame) -> None:
    mixed = summary.copy()
    rng = np.random.default_rng(0)
    mixed["test_accuracy"] = rng.random(len(mixed))  # now test says nothing about validation
    row = row_of(compute("odyssey", summary=mixed, experiment=searching(SEARCH)), variant="nfg")
    part = mixed[(mixed["task"] == "copy") & mixed["model"].str.startswith("nfg.")]
    best = part.sort_values("validation_accuracy", ascending=False).head(10)  # none reaches the criterion
    assert (row["trials"], row["best_trials"]) == (96, 10)
    assert row["best_accuracy"] == pytest.approx(best["test_accuracy"].mean(), rel=1e-12)
    assert row["best_learning_rate"] == best["learning_rate"].iloc[0]
    assert row["best_hidden_size"] == best["hidden_size"].iloc[0]
    assert row["median_accuracy"] == pytest.approx(part["test_accuracy"].median(), rel=1e-12)


def test_above_the_criterion_the_faster_trial_is_better() -> None:
    summary = make_summary(lambda variant, u, v, seed: 0.97 + 0.02 * u, variants=["vanilla"], tasks=["copy"])
    summary["updates_to_solve"] = pd.array(range(1000, 1000 - len(summary), -1), dtype="Int64")
    (last,) = summary.tail(1).to_dict("records")
    row = compute("odyssey", summary=summary, experiment=searching(search_of(["vanilla"]))).iloc[0]
    assert (row["best_learning_rate"], row["best_hidden_size"]) == (last["learning_rate"], last["hidden_size"])


def test_difference_is_paired_by_job(summary: pd.DataFrame, table: pd.DataFrame) -> None:
    part = summary[summary["task"] == "copy"].assign(variant=lambda rows: rows["model"].str.partition(".")[0])
    wide = part.pivot(index=["hidden_size", "seed", "learning_rate"], columns="variant", values="test_accuracy")
    jobs = (wide["nfg"] - wide["vanilla"]).groupby(level=["hidden_size", "seed"]).mean()
    row = row_of(table, variant="nfg")
    assert row["jobs"] == len(jobs) == 12
    assert row["difference"] == pytest.approx(jobs.mean(), rel=1e-12)
    assert row["difference_low"] < -0.19 < row["difference_high"] + 0.01
    assert row["p"] == pytest.approx(2 / 2**12)  # all jobs agree in sign
    assert row["p_holm"] == pytest.approx(2 * row["p"])
    unlike = row_of(table, variant="np")
    assert unlike["difference_low"] < 0 < unlike["difference_high"]
    assert unlike["p"] > 0.05


def test_reference_is_compared_with_nothing(table: pd.DataFrame) -> None:
    row = row_of(table, variant="vanilla")
    assert row["jobs"] == 0
    assert row[["difference", "p", "p_holm", "best_p", "best_p_holm"]].isna().all()


def test_welch_of_the_best_tenths(summary: pd.DataFrame, table: pd.DataFrame) -> None:
    trials = rank_trials(summary[summary["task"] == "copy"], variants=SEARCH["variants"])
    item, other = (
        select_best_tenth(trials[trials["variant"] == name])["score"].to_numpy() for name in ("nfg", "vanilla")
    )
    variance = item.var(ddof=1) / len(item), other.var(ddof=1) / len(other)
    t = (item.mean() - other.mean()) / math.sqrt(sum(variance))
    freedom = sum(variance) ** 2 / sum(v**2 / (n - 1) for v, n in zip(variance, (len(item), len(other)), strict=True))
    assert row_of(table, variant="nfg")["best_p"] == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-9)


def test_welch_of_constants() -> None:
    ones, zeros = np.ones(5), np.zeros(5)
    assert compute_welch_p(ones, ones) == 1
    assert compute_welch_p(ones, zeros) == 0
    assert math.isnan(compute_welch_p(ones[:1], zeros))


def test_interval_of_the_best_tenth_by_an_independent_bootstrap(summary: pd.DataFrame) -> None:
    trials = rank_trials(summary[summary["task"] == "copy"], variants=SEARCH["variants"])
    trials = trials[trials["variant"] == "np"]
    jobs = [job for _, job in trials.groupby(["hidden_size", "seed"])]
    rng = np.random.default_rng(0)
    means = []
    for _ in range(1500):
        sampled = pd.concat([jobs[k] for k in rng.integers(len(jobs), size=len(jobs))])
        means.append(sampled.sort_values("rank")["score"].head(10).mean())
    low, high = np.quantile(means, [0.025, 0.975])
    interval = compute_best_interval(trials)
    assert interval.low == pytest.approx(low, abs=0.01)
    assert interval.high == pytest.approx(high, abs=0.01)
    assert interval.high - interval.low > 0.02


def test_solved_share_has_a_wilson_interval(summary: pd.DataFrame, table: pd.DataFrame) -> None:
    row = row_of(table, variant="vanilla")
    part = summary[(summary["task"] == "copy") & summary["model"].str.startswith("vanilla.")]
    assert 0 < row["solved"] == part["solved"].sum() < 96
    limits = stats.binomtest(row["solved"], 96).proportion_ci(method="wilson")
    assert (row["solved_low"], row["solved_high"]) == pytest.approx((limits.low, limits.high))


def test_baselines_are_those_of_the_variant(summary: pd.DataFrame, table: pd.DataFrame) -> None:
    keys = table[["device", "task", "lag", "variant"]].rename(columns={"variant": "model"})
    baselines = keys.assign(guesses=9, guess_accuracy=0.1, guess_loss=1.0, constant_accuracy=0.1, constant_loss=2.0)
    baselines = baselines.assign(success_accuracy=0.95, easy=False)
    baselines.loc[4, ["guess_accuracy", "easy"]] = [0.96, True]
    joined = compute(
        "odyssey", summary=summary, baselines=baselines.sample(frac=1, random_state=0), experiment=searching(SEARCH)
    )
    assert joined[list(ODYSSEY)].equals(table)
    assert list(joined["guess_accuracy"]) == [0.1, 0.1, 0.1, 0.1, 0.96, 0.1]
    assert list(joined["easy"]) == [False] * 4 + [True, False]
    with pytest.raises(ValueError, match="no baseline of device cpu, task copy, lag 15, model np"):
        compute("odyssey", summary=summary, baselines=baselines.drop(index=5), experiment=searching(SEARCH))


def test_a_lag_or_task_without_the_reference_has_no_difference(summary: pd.DataFrame) -> None:
    lacking = summary[~((summary["task"] == "copy") & summary["model"].str.startswith("vanilla."))]
    table = compute("odyssey", summary=lacking, experiment=searching(SEARCH))
    assert table.loc[table["task"] == "copy", "difference"].isna().all()
    assert table.loc[table["task"] == "adding", "difference"].notna().sum() == 2


def test_order_of_the_rows_does_not_matter(summary: pd.DataFrame, table: pd.DataFrame) -> None:
    shuffled = summary.sample(frac=1, random_state=3)
    assert compute("odyssey", summary=shuffled, experiment=searching(SEARCH)).equals(table)


def test_models_that_were_not_sampled_are_left_out(summary: pd.DataFrame, table: pd.DataFrame) -> None:
    other = summary[summary["model"] == "np.h10"].assign(model="rnn")
    both = pd.concat([summary, other], ignore_index=True)
    assert compute("odyssey", summary=both, experiment=searching(SEARCH)).equals(table)
    assert find_variants(both, names=set(SHIFTS)) == SEARCH["variants"]
