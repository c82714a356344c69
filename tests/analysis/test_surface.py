"""The truncation surface against windows that are listed, floors that are simulated, and rows computed by hand."""

import numpy as np
import pandas as pd
import pytest

from models.gradient_flow import GradientFlow
from tasks.task import load_task
from tests.analysis.tables import compute
from workflow.tables.surface import COLUMNS, compute_reach, compute_reach_law, name_window

WINDOWS = [(10, 10), (1, 10), (5, 10), (3, 10), (7, 25), (25, 25), (1, 1), (14, 14)]


@pytest.mark.parametrize(("k1", "k2"), WINDOWS)
@pytest.mark.parametrize("lag", [1, 5, 9, 10, 12, 24, 25])
def test_reach_is_the_share_of_scored_steps_whose_window_holds_the_lag(k1: int, k2: int, lag: int) -> None:
    length, scored = 60, 10
    windows = GradientFlow(frozenset(), k1, k2).windows(length)
    held = [
        any(w.losses <= step < w.end and w.start <= step - lag for w in windows)
        for step in range(length - scored, length)
    ]
    assert compute_reach(lag, k1=k1, k2=k2, scored_steps=scored) == np.mean(held)


@pytest.mark.parametrize(("k1", "k2"), WINDOWS)
@pytest.mark.parametrize("lag", [1, 9, 12])
def test_the_reach_law_is_that_of_windows_at_a_random_place(k1: int, k2: int, lag: int) -> None:
    rng, draws = np.random.default_rng(0), 20_000
    length = 200
    held = 0
    ends = rng.integers(60, length, draws)  # where the dependency ends, far from the ends of the sequence
    windows = GradientFlow(frozenset(), k1, k2).windows(length)
    starts = np.zeros(length, int)
    for window in windows:
        starts[window.losses : window.end] = window.start
    held = np.mean(starts[ends] <= ends - lag)
    error = 4 * np.sqrt(0.25 / draws) + k1 / (length - 60)  # the last, incomplete turn of the phase
    assert abs(held - compute_reach_law(lag, k1=k1, k2=k2)) < error


def test_the_reach_law_is_exact_over_whole_turns() -> None:
    for k1, k2 in WINDOWS:
        for lag in range(1, 30):
            assert compute_reach_law(lag, k1=k1, k2=k2) == pytest.approx(
                compute_reach(lag, k1=k1, k2=k2, scored_steps=6 * k1)
            )
    assert compute_reach_law(9, k1=None, k2=None) == compute_reach(9, k1=None, k2=None, scored_steps=3) == 1.0


def test_kinds_of_windows_are_named() -> None:
    kinds = {(None, None): "whole", (9, 9): "aligned", (1, 9): "every_step", (5, 10): "half", (4, 9): "other"}
    assert {window: name_window(*window) for window in kinds} == kinds
    assert name_window(1, 1) == "aligned"


@pytest.fixture(scope="module")
def runs(run_of, settings_of) -> list[dict]:
    """Copy at lag 15 and adding at lag 25, two seeds, under four windows each."""
    computed = []
    for task, lag in (("copy", 15), ("adding", 25)):
        exact = load_task("copy", lag=15, options={"loss": "recall"})
        for name, k1, k2 in (("full", None, None), ("a", 20, 20), ("b", 1, 20), ("c", 10, 20)):
            settings = settings_of(task=task, lag=lag, model="lstm", gradient=name, seeds=[0, 1], rates=[0.01])
            settings["gradient"] |= {"k1": k1, "k2": k2}
            run = run_of(settings)
            if task == "copy":
                run["chance"] = exact.chance._asdict()
                run["floor"] = exact.floor(k2 or exact.sequence_length)._asdict()
            for replica, (accuracy, loss) in zip(run["replicas"], [(0.5, 0.9), (0.7, 0.5)], strict=True):
                replica |= {"test_accuracy": accuracy, "test_loss": loss}
            computed.append(run)
    return computed


@pytest.fixture(scope="module")
def surface(runs, tables_of) -> pd.DataFrame:
    table: pd.DataFrame = tables_of(runs).needs["surface"]
    return table


def row_of(surface: pd.DataFrame, **where: object) -> pd.Series:
    for name, value in where.items():
        surface = surface[surface[name] == value]
    assert len(surface) == 1
    return surface.iloc[0]


def test_rows_are_those_computed_by_hand(surface: pd.DataFrame) -> None:
    assert list(surface.columns) == list(COLUMNS)
    assert len(surface) == 8
    aligned = row_of(surface, task="copy", windowing="aligned")
    assert aligned["reach"] == 0.5  # r + 15 < 20 for r = 0 ... 4 of 10
    assert aligned["reach_law"] == 0.25  # (20 - 15) / 20
    assert aligned["floor_accuracy"] == pytest.approx(0.5 + 0.5 / 8, abs=0, rel=1e-14)
    assert aligned["floor_loss"] == pytest.approx(0.5 * np.log(8), abs=0, rel=1e-14)
    assert aligned["accuracy"] == pytest.approx(0.6)
    assert aligned["excess_accuracy"] == pytest.approx(0.6 - 0.5625)
    assert (aligned["excess_accuracy_low"], aligned["excess_accuracy_high"]) == pytest.approx((-0.0625, 0.1375))
    assert aligned["excess_loss"] == pytest.approx(0.5 * np.log(8) - 0.7)
    assert (aligned["loss_low"], aligned["loss_high"]) == (0.5, 0.9)
    every = row_of(surface, task="copy", windowing="every_step")
    assert (every["reach"], every["reach_law"], every["floor_accuracy"], every["floor_loss"]) == (1, 1, 1, 0)
    half = row_of(surface, task="copy", windowing="half")
    assert (half["reach"], half["reach_law"]) == (0.5, 0.5)
    whole = row_of(surface, task="copy", windowing="whole")
    assert (whole["reach"], whole["floor_accuracy"]) == (1, 1)
    assert whole["excess_accuracy"] == pytest.approx(-0.4)
    assert pd.isna(whole["num_steps"])


def test_where_one_step_is_scored_the_floor_is_that_of_the_record_and_windows_reach_alike(surface, runs) -> None:
    windows = surface[(surface["task"] == "adding") & (surface["windowing"] != "whole")]
    assert set(windows["reach"]) == {0.0}
    assert set(windows["floor_accuracy"]) == {runs[5]["floor"]["accuracy"]}
    assert set(windows["floor_loss"]) == {runs[5]["floor"]["loss"]}


@pytest.mark.parametrize("loss", ["recall", "all"])
def test_the_floor_of_aligned_windows_is_that_of_the_task(loss: str, settings_of, run_of, tables_of) -> None:
    """The mixture by reach, and the task's own closed form, derived apart from each other."""
    task = load_task("copy", lag=15, options={"loss": loss})
    for steps in (1, 5, 10, 15, 16, 19, 24, 25, 40):
        settings = settings_of(task="copy", lag=15, model="lstm", gradient="tbptt", seeds=[0], rates=[0.01])
        settings["gradient"] |= {"k1": steps, "k2": steps}
        run = run_of(settings) | {"chance": task.chance._asdict(), "floor": task.floor(steps)._asdict()}
        row = tables_of([run]).needs["surface"].iloc[0]
        assert row["floor_accuracy"] == pytest.approx(task.floor(steps).accuracy, abs=1e-15)
        assert row["floor_loss"] == pytest.approx(task.floor(steps).loss, abs=1e-15)


def test_a_diverged_replica_scores_nothing_and_leaves_the_loss_empty(run_of, settings_of, tables_of) -> None:
    run = run_of(settings_of(task="copy", lag=20, model="lstm", gradient="full", seeds=[0, 1], rates=[0.01]))
    run["replicas"][0] |= {"test_accuracy": None, "test_loss": None, "diverged": True}
    run["replicas"][1] |= {"test_accuracy": 0.8, "test_loss": 0.2}
    row = tables_of([run]).needs["surface"].iloc[0]
    assert row["accuracy"] == 0.4
    assert np.isnan(row["loss"])
    assert np.isnan(row["excess_loss_low"])


def test_guesses_stand_beside_the_accuracy(surface: pd.DataFrame) -> None:
    assert row_of(surface, task="copy", windowing="half")["guess_accuracy"] == pytest.approx(0.145)
    assert not surface["easy"].any()


def test_a_missing_baseline_is_an_error(runs, tables_of) -> None:
    tables = tables_of(runs)
    with pytest.raises(ValueError, match="no baseline of device cpu, task adding"):
        compute(
            "surface",
            summary=tables.summary,
            statistics=tables.statistics,
            baselines=tables.needs["baselines"].iloc[1:],
        )
