"""The baselines beside an accuracy: which lag is easy, the join, and the refusal of what is stale."""

from pathlib import Path

import pandas as pd
import pytest

from tests.analysis.readable import assert_readable
from tests.analysis.tables import compute_of
from workflow.figures.accuracy_versus_lag import draw
from workflow.tables.baselines import COLUMNS, join_baselines
from workflow.tables.schema.columns import CONTROLS
from workflow.tables.schema.csv_files import read_csv, write_csv


def record(*, lag: int, accuracy: float | None, model: str = "lstm") -> dict:
    best = None if accuracy is None else {"test_accuracy": accuracy, "test_loss": 0.3, "validation_accuracy": 1.0}
    return {
        "settings": {
            "device": "cpu",
            "task": {"name": "copy", "lag": lag},
            "model": {"name": model},
            "guessing": {"guesses": 500},
        },
        "sources": "7" * 64,
        "success_accuracy": 0.99,
        "chance": {"loss": 2.0, "accuracy": 0.125},
        "best": best,
    }


def test_a_lag_is_easy_from_the_success_criterion_on_by_test_data_alone(tmp_path: Path) -> None:
    table = compute_of(
        "baselines", [record(lag=30, accuracy=0.9899), record(lag=20, accuracy=0.99), record(lag=40, accuracy=None)]
    )
    assert list(table.columns) == list(COLUMNS)
    assert table["lag"].tolist() == [20, 30, 40]
    assert table["easy"].tolist() == [True, False, False]
    assert table["guess_accuracy"].tolist() == [0.99, 0.9899, 0.0]
    assert table["guess_loss"].isna().tolist() == [False, False, True]
    assert set(table["constant_accuracy"]) == {0.125}
    write_csv(table, tmp_path / "baselines.csv")
    pd.testing.assert_frame_equal(read_csv(tmp_path / "baselines.csv"), table)


def test_the_join_goes_by_device_task_lag_and_model() -> None:
    baselines = compute_of(
        "baselines",
        [record(lag=20, accuracy=1.0), record(lag=20, accuracy=0.2, model="rnn"), record(lag=30, accuracy=0.4)],
    )
    accuracies = pd.DataFrame(
        [["cpu", "copy", 30, "lstm", "full", 0.7], ["cpu", "copy", 20, "rnn", "full", 0.6]]
        + [["cpu", "copy", 20, "lstm", name, 0.5] for name in ("full", "tbptt")],
        columns=["device", "task", "lag", "model", "gradient", "accuracy"],
    )
    joined = join_baselines(accuracies, baselines)
    assert list(joined.columns) == [*accuracies.columns, *CONTROLS]
    assert joined["guess_accuracy"].tolist() == [0.4, 0.2, 1.0, 1.0]
    assert joined["easy"].tolist() == [False, False, True, True]
    assert joined["easy"].dtype == bool
    sampled = accuracies.assign(model=accuracies["model"] + ".h8")
    assert join_baselines(sampled, baselines, models=accuracies["model"]).equals(joined.assign(model=sampled["model"]))
    with pytest.raises(
        ValueError, match=r"^no baseline of device cpu, task copy, lag 30, model lstm; run the workflow"
    ):
        join_baselines(accuracies, baselines[baselines["lag"] == 20])


def test_the_figure_of_accuracies_draws_the_best_guess_and_marks_easy_lags(runs_of, tables_of) -> None:
    runs = runs_of(series=[("rnn", "full"), ("lstm", "full")], tasks=["copy"], lags=[10, 50, 100], seeds=[0, 1])
    tables = tables_of(runs)
    baselines = tables.needs["baselines"].copy()  # lag 10 is easy there
    baselines.loc[(baselines["lag"] == 50) & (baselines["model"] == "rnn"), "guess_accuracy"] = 0.4
    with_guesses = tables._replace(statistics=join_baselines(tables.statistics, baselines))
    figure = draw(with_guesses)
    assert_readable(figure)
    (axes,) = figure.axes
    (guesses,) = [line for line in axes.get_lines() if line.get_gid() == "guess"]
    assert list(guesses.get_ydata()) == [1.0, 0.4, pytest.approx(0.145)]  # of the better model
    (band,) = [patch for patch in axes.patches if patch.get_gid() == "easy"]
    left, right = band.get_x(), band.get_x() + band.get_width()
    assert left < 10 < right < 50
    legend = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert {"best of random weight guessing", "easy: guessing solves this lag"} <= set(legend)
    assert not [line for line in draw(tables).axes[0].get_lines() if line.get_gid() == "guess"]
