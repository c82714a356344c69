"""Means, rivals, verdicts and lost points, from a table whose numbers are known."""

import math

import pandas as pd
import pytest

from benchmarks import ratios, targets
from benchmarks.points import Contestant, Point

POINT = Point(8, 64, 32, 100)
SMALL = Point(8, 8, 32, 100)
MICROSECONDS = {
    ("cpu", "lstm_peephole", "full"): 10.0,
    ("cpu", "lstm", "full"): 8.0,
    ("cpu", "lstm_peephole", "truncated_1997"): 5.0,
    ("cpu", "lstm_peephole", "tbptt"): 7.0,
    ("cpu", "rnn", "full"): 4.0,
    ("torch_threads", "lstm", "full"): 40.0,
    ("torch_processes", "lstm", "full"): 30.0,
    ("torch_threads", "rnn", "full"): 24.0,
    ("torch_processes", "rnn", "full"): 28.0,
    ("jax", "lstm", "full"): 60.0,
    ("jax", "rnn", "full"): 2.0,
}


def measurements(changed: dict[Point, dict[tuple[str, str, str], float]]) -> pd.DataFrame:
    """Return three rounds of the microseconds above, 10 % around them, with those of a point changed."""
    return pd.DataFrame(
        [
            point._asdict()
            | Contestant(*name)._asdict()
            | {"calls": 3, "microseconds": factor * change.get(name, usual)}
            for point, change in changed.items()
            for name, usual in MICROSECONDS.items()
            for factor in (1.1, 0.9, 1.0)
        ]
    )


@pytest.fixture
def table() -> pd.DataFrame:
    changed = {POINT: {}, SMALL: {("torch_threads", "lstm", "full"): 7.5}}
    return ratios.summarise(measurements(changed), peaks={1: 100.0, 2: 150.0})


def row(table: pd.DataFrame, point: Point, *name: str) -> pd.Series:
    keys = point._asdict() | Contestant(*name)._asdict()
    return table.set_index([*ratios.POINT, *ratios.CONTESTANT]).loc[tuple(keys.values())]


def test_geometric_mean_of_known_ratios():
    assert ratios.geometric_mean([1.0, 4.0, 16.0]) == pytest.approx(4.0)
    assert ratios.geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    assert math.isnan(ratios.geometric_mean([]))


def test_rows_hold_median_and_quartiles_of_their_rounds(table):
    fastest = row(table, POINT, "torch_processes", "lstm", "full")
    assert (fastest["repeats"], fastest["calls"]) == (3, 3)
    assert fastest[["low_quartile", "microseconds", "high_quartile"]].tolist() == pytest.approx([28.5, 30.0, 31.5])


def test_ratios_are_over_our_kernel_of_the_same_cell(table):
    assert row(table, POINT, "torch_processes", "lstm", "full")["ratio"] == pytest.approx(3.0)
    assert row(table, POINT, "jax", "rnn", "full")["ratio"] == pytest.approx(0.5)
    assert row(table, POINT, "cpu", "lstm_peephole", "truncated_1997")["ratio"] == pytest.approx(0.5)


def test_the_faster_way_to_run_torch_is_the_rival_point_by_point(table):
    lstm = ratios.ratios_of(table, rival="torch", cell="lstm")
    assert sorted(lstm) == pytest.approx([0.75, 3.0])
    assert row(table, POINT, "torch_threads", "lstm", "full")["rival"] == ""
    assert row(table, SMALL, "torch_processes", "lstm", "full")["rival"] == ""
    assert row(table, POINT, "torch_threads", "rnn", "full")["rival"] == "torch"


def test_share_of_peak_counts_forward_and_twice_as_much_backward(table):
    fastest = row(table, POINT, "cpu", "lstm_peephole", "full")
    assert fastest["gflops"] == pytest.approx(3 * 2 * 4 * 64 * 67 * 32 / 10e-6 / 1e9)
    assert fastest["share_of_peak"] == pytest.approx(fastest["gflops"] / 150)
    assert math.isnan(row(table, POINT, "cpu", "lstm_peephole", "tbptt")["gflops"])


def test_one_replica_is_compared_with_the_peak_of_one_thread():
    alone = POINT._replace(replicas=1)
    fastest = row(ratios.summarise(measurements({alone: {}}), peaks={1: 100.0, 2: 150.0}), alone, "cpu", "rnn", "full")
    assert fastest["peak_threads"] == 1
    assert fastest["share_of_peak"] == pytest.approx(fastest["gflops"] / 100)


def test_lost_points_are_those_where_a_rival_is_faster_the_worst_first(table):
    lost = ratios.lost_points(table)
    assert list(lost[["hidden_size", "implementation", "model"]].itertuples(index=False, name=None)) == [
        (64, "jax", "rnn"),
        (8, "jax", "rnn"),
        (8, "torch_threads", "lstm"),
    ]


def test_verdicts(table):
    table_of_targets = targets.to_table(targets.speed_targets(table)).set_index("target")
    assert table_of_targets.loc["nn.LSTM over our LSTM with peepholes, geometric mean", "measured"] == pytest.approx(
        1.5
    )
    assert table_of_targets.loc["nn.LSTM over our LSTM with peepholes, geometric mean", "verdict"] == "missed"
    assert table_of_targets.loc["nn.RNN over our RNN, geometric mean", "verdict"] == "met"
    assert table_of_targets.loc["JAX LSTM over our LSTM with peepholes, geometric mean", "verdict"] == "met"
    assert table_of_targets.loc["JAX RNN over our RNN, geometric mean", "verdict"] == "missed"
    assert table_of_targets.loc["eager torch over our LSTM, geometric mean", "verdict"] == "not measured"
    assert table_of_targets.loc["with peepholes over without, worst", "measured"] == pytest.approx(1.25)
    assert table_of_targets.loc["truncated_1997 over full, worst", "verdict"] == "met"
    assert table_of_targets.loc["tbptt over full, worst", "verdict"] == "missed"


def test_verdict_at_the_demanded_number_is_met():
    assert targets.Target("", ">=", 3, 3.0).verdict == "met"
    assert targets.Target("", "<=", 3, 3.0).verdict == "met"
    assert targets.Target("", "<=", 3, 3.1).verdict == "missed"
    assert targets.Target("", "", math.nan, 3.1).verdict == "reported"


def test_memory_that_bends_is_not_linear():
    rows = [{"axis": "batch", "value": n, "bytes": n**3, "documented": 100.0} for n in (1, 2, 4, 8)]
    table_of_targets = targets.to_table(targets.memory_targets(pd.DataFrame(rows), 2.6e9)).set_index("target")
    assert table_of_targets.loc["memory linear in T, R and B, worst r squared", "verdict"] == "missed"
    assert table_of_targets["verdict"].iloc[0] == "missed"
