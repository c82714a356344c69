"""Statistics of a condition by hand, and the rules that keep them honest."""

import math

import pandas as pd
import pytest

from tests.analysis.tables import compute, compute_of
from workflow.statistics.replicas import choose_learning_rate
from workflow.tables.schema.csv_files import write_csv

STATISTICS_COLUMNS = (
    "device task lag model gradient num_steps learning_rate seeds solved solved_fraction solved_low solved_high "
    "solved_on_test "
    "accuracy accuracy_low accuracy_high diverged updates_to_solve_median updates_low updates_high chance_accuracy "
    "horizon horizon_low horizon_high horizon_censored"
)


@pytest.fixture
def table_of(settings_of, run_of):
    """Return a function that makes a summary of one condition from rows (seed, rate, changes)."""

    def build(*rows: tuple[int, float, dict]) -> pd.DataFrame:
        seeds, rates = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
        run = run_of(settings_of(task="copy", lag=10, model="lstm", gradient="full", seeds=seeds, rates=rates))
        blank = {"solved": False, "updates_to_solve": None, "updates": 2000, "validation_loss": 1.0}
        for replica in run["replicas"]:
            for seed, rate, changes in rows:
                if (replica["seed"], replica["learning_rate"]) == (seed, rate):
                    replica |= blank | changes
        return compute_of("summary", [run])

    return build


def test_learning_rate_is_chosen_by_validation_and_never_by_test(table_of) -> None:
    table = table_of(
        (0, 0.001, {"validation_accuracy": 0.9, "test_accuracy": 0.1}),
        (1, 0.001, {"validation_accuracy": 0.7, "test_accuracy": 0.1}),
        (0, 0.01, {"validation_accuracy": 0.8, "test_accuracy": 0.99}),
        (1, 0.01, {"validation_accuracy": 0.75, "test_accuracy": 0.99}),
    )
    (row,) = compute("statistics", summary=table).to_dict("records")
    assert row["learning_rate"] == 0.001
    assert row["accuracy"] == pytest.approx(0.1)


def test_a_rate_that_solves_more_seeds_wins_whatever_the_noise_above_the_criterion(table_of) -> None:
    """Rate 0.001 stops at 0.991 five times; rate 0.01 at 0.998 four times, and fails once at 0.985."""
    quick = {"solved": True, "updates_to_solve": 300, "updates": 300, "validation_accuracy": 0.991}
    late = {"solved": True, "updates_to_solve": 1900, "updates": 1900, "validation_accuracy": 0.998}
    rows = [(seed, 0.001, quick) for seed in range(5)] + [(seed, 0.01, late) for seed in range(4)]
    assert choose_learning_rate(table_of(*rows, (4, 0.01, {"validation_accuracy": 0.985}))) == 0.001
    assert choose_learning_rate(table_of(*rows, (4, 0.01, late))) == 0.001  # both solve all: the quicker one


@pytest.mark.parametrize(
    ("small", "large", "chosen"),
    [
        ({"solved": True, "updates_to_solve": 900}, {}, 0.001),
        ({}, {"solved": True, "updates_to_solve": 900}, 0.01),
        ({"validation_loss": 0.5}, {"validation_loss": 0.4}, 0.01),
        ({"validation_loss": 0.4}, {"validation_loss": None}, 0.001),
        ({}, {}, 0.001),
        ({"validation_accuracy": None}, {"validation_accuracy": 0.01}, 0.01),
    ],
)
def test_ties_go_to_solved_then_loss_then_the_smaller_rate(table_of, small, large, chosen: float) -> None:
    equal = {"validation_accuracy": 0.8}
    assert choose_learning_rate(table_of((0, 0.001, equal | small), (0, 0.01, equal | large))) == chosen


def test_one_condition_by_hand(table_of) -> None:
    solved = {"solved": True, "test_accuracy": 1.0, "validation_accuracy": 1.0}
    failed = {"test_accuracy": 0.5, "validation_accuracy": 0.5}
    table = table_of(
        (0, 0.01, solved | {"updates_to_solve": 300, "updates": 300}),
        (1, 0.01, solved | {"updates_to_solve": 100, "updates": 100}),
        (2, 0.01, failed),
        (3, 0.01, solved | {"updates_to_solve": 200, "updates": 200, "test_accuracy": 0.98}),
    )
    result = compute("statistics", summary=table)
    assert " ".join(result.columns) == STATISTICS_COLUMNS
    (row,) = result.to_dict("records")
    assert (row["seeds"], row["solved"], row["solved_fraction"], row["diverged"]) == (4, 3, 0.75, 0)
    assert row["solved_on_test"] == 2
    assert row["accuracy"] == pytest.approx(0.87)
    assert row["updates_to_solve_median"] == 200  # S is 0.75 at 100 and 0.5 at 200
    assert (row["horizon"], row["horizon_censored"]) == (10, True)
    assert (row["chance_accuracy"], row["learning_rate"]) == (0.125, 0.01)
    assert pd.isna(row["num_steps"])


def test_a_diverged_replica_is_a_failure_with_the_accuracy_it_had(table_of) -> None:
    table = table_of(
        (0, 0.01, {"solved": True, "updates_to_solve": 100, "test_accuracy": 1.0, "validation_accuracy": 1.0}),
        (1, 0.01, {"diverged": True, "updates": 10, "test_accuracy": 0.3, "validation_accuracy": 0.3}),
        (2, 0.01, {"diverged": True, "updates": 10, "test_accuracy": None, "validation_accuracy": None}),
    )
    (row,) = compute("statistics", summary=table).to_dict("records")
    assert (row["seeds"], row["solved"], row["diverged"]) == (3, 1, 2)
    assert row["accuracy"] == pytest.approx((1.0 + 0.3 + 0.0) / 3)
    # waits to the end of the budget: dropped out at update 10 instead, it would leave a median of 100
    assert math.isnan(row["updates_to_solve_median"])


def test_one_seed_has_no_bootstrap_interval(table_of) -> None:
    (row,) = compute("statistics", summary=table_of((0, 0.01, {"solved": True, "updates_to_solve": 100}))).to_dict(
        "records"
    )
    empty = "accuracy_low accuracy_high updates_low updates_high horizon_low horizon_high".split()  # noqa: SIM905
    assert all(pd.isna(row[name]) for name in empty)
    assert row["solved_low"] == pytest.approx(0.2065, abs=5e-5)


def test_order_of_rows_does_not_matter_and_bytes_repeat(full_tables, tmp_path) -> None:
    part = full_tables.summary[full_tables.summary["task"] == "copy"]
    write_csv(compute("statistics", summary=part), tmp_path / "first.csv")
    write_csv(compute("statistics", summary=part.sample(frac=1, random_state=3)), tmp_path / "second.csv")
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "second.csv").read_bytes()


def test_a_condition_does_not_depend_on_which_others_are_there(full_tables) -> None:
    alone = full_tables.summary[(full_tables.summary["task"] == "copy") & (full_tables.summary["model"] == "lstm")]
    among = full_tables.statistics
    among = among[(among["task"] == "copy") & (among["model"] == "lstm")].reset_index(drop=True)
    pd.testing.assert_frame_equal(compute("statistics", summary=alone), among)


def test_intervals_hold_their_estimates(full_tables) -> None:
    table = full_tables.statistics
    for value, low, high in [
        ("accuracy", "accuracy_low", "accuracy_high"),
        ("solved_fraction", "solved_low", "solved_high"),
        ("updates_to_solve_median", "updates_low", "updates_high"),
        ("horizon", "horizon_low", "horizon_high"),
    ]:
        assert not (table[value] < table[low]).any(), value
        assert not (table[value] > table[high]).any(), value
    assert table.groupby(["device", "task", "model", "gradient"])["horizon"].nunique().eq(1).all()
