"""Measurements to tables, what truncation costs, and the figures of both."""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tests.analysis.conftest import LABELS, SERIES
from tests.analysis.readable import assert_readable, texts_of
from tests.analysis.tables import EXPERIMENT, compute, compute_of
from workflow.figures.style.look import Tables, select_rows
from workflow.statistics.comparison import adjust_by_holm
from workflow.statistics.replicas import select_replicas
from workflow.tables.schema.computing import load_table
from workflow.tables.schema.csv_files import read_csv, write_csv

FIGURES = ["gradient_versus_lag", "path_shares", "gradient_alignment", "truncation_cost"]
PATHS = {
    "rnn": ["recurrent"],
    "lstm": ["cell", "gates", "block_input"],
    "lstm_peephole": ["cell", "gates", "block_input", "peepholes", "output_peephole"],
}
MEASURED = ("snapshots", "gradient_versus_lag", "path_shares", "attribution", "alignment")
MOMENTS = ("initial", "half_way", "solved")


def measurement(run: dict) -> dict[str, Any]:
    """Make the measurement of a run: norms fall by 0.8 per step and more off the cell path, shares are equal."""
    settings = run["settings"]
    model, lag, seeds = settings["model"]["name"], settings["task"]["lag"], settings["seeds"]
    paths, steps = PATHS[model], [0, 1, 2, 4, lag, 2 * lag - 1]
    details = [
        {"seed": seed, "snapshot": moment, "update": 50 * place, "solved": moment == "solved"}
        for seed in seeds
        for place, moment in enumerate(MOMENTS)
    ]
    flows = {"full": 0.95, "truncated_1997": 0.8} if model != "rnn" else {"full": 0.6}
    quantities = ["h", "c", "W_i", "U_i"] if model != "rnn" else ["h", "W", "U"]
    rank = [seeds.index(row["seed"]) + 1 for row in details]
    shares = [[1 / len(paths)] * (len(steps) - 1)] * len(details)
    along = [
        {"seed": seed, "snapshot": "evaluation", "update": update, "solved": False}
        for seed in seeds
        for update in (0, 50, 150)
    ]
    return {
        "settings": settings,
        "sources": run["sources"],
        "u": steps,
        "snapshots": details,
        "flows": [
            {"flow": flow, "quantity": quantity, "norm": [[r * f**u for u in steps] for r in rank]}
            for flow, f in flows.items()
            for quantity in quantities
        ],
        "paths": [
            {"path": path, "quantity": "c" if model != "rnn" else "eps_h", "norm": shares, "share": shares}
            for path in paths
        ],
        "attribution": [
            {
                "kind": "shapley",
                "paths": path,
                "quantity": "c" if model != "rnn" else "h",
                "norm": shares,
                "share": shares,
            }
            for path in paths
        ],
        "alignment": [
            row | {"quantity": quantity, "cosine": 0.9 - lag / 1000, "norm_ratio": 0.7, "norm": 1.0}
            for row in details + along
            for quantity in ("W_i", "all")
            if model != "rnn"
        ],
        "seeds": set(seeds),
    }


def tables_with(tables: Tables, runs: list[dict]) -> Tables:
    measurements = [measurement(run) for run in runs]
    computed = {name: compute_of(name, measurements) for name in MEASURED}
    computed["truncation_cost"] = compute("truncation_cost", summary=tables.summary, statistics=tables.statistics)
    return tables._replace(needs=computed)


def draw(name: str, tables: Tables) -> Figure:
    figure: Figure = importlib.import_module(f"workflow.figures.{name}").draw(tables)
    return figure


SHAPES: dict[str, dict[str, Any]] = {
    "main": {"tasks": ["adding", "temporal_order"], "lags": [10, 100]},
    "one seed and lag": {"tasks": ["adding"], "seeds": [4], "lags": [10]},
    "one model, two devices": {
        "tasks": ["adding"],
        "lags": [10, 40],
        "devices": ["cpu", "cuda"],
        "series": [("lstm", "full"), ("lstm", "truncated_1997")],
    },
}


@pytest.fixture(scope="module", params=SHAPES)
def sampled(request: pytest.FixtureRequest, tables_of: Any, runs_of: Any) -> Tables:
    runs = runs_of(**({"series": [item for item in SERIES if item[1] != "tbptt"]} | SHAPES[request.param]))
    return tables_with(tables_of(runs), runs)


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_readable(name: str, sampled: Tables) -> None:
    figure = draw(name, sampled)
    assert_readable(figure)
    texts = " ".join(text for text, _ in texts_of(figure))
    models = set(sampled.summary["model"])
    assert "n = " in texts
    assert models <= set(texts.split()) | {"rnn"}
    assert name in ("path_shares", "gradient_alignment", "truncation_cost") or models <= set(texts.split())


def test_lines_stand_at_the_medians_of_the_table(runs_of: Any, tables_of: Any) -> None:
    runs = runs_of(tasks=["adding"], lags=[10, 40], series=[("lstm", "full"), ("lstm", "truncated_1997")])
    figure = draw("gradient_versus_lag", tables_with(tables_of(runs), runs))
    assert len(figure.axes) == 3 * 2  # moments, flows
    for column, factor in enumerate((0.95, 0.8)):
        axes = figure.axes[column]
        (line,) = [line for line in axes.get_lines() if line.get_gid() is None]
        assert list(line.get_xdata()) == [0, 1, 2, 4, 40, 79]
        np.testing.assert_allclose(line.get_ydata(), factor ** np.array([0, 1, 2, 4, 40, 79]), rtol=1e-12)
        (lag,) = [line for line in axes.get_lines() if line.get_gid() == "lag"]
        assert list(lag.get_xdata()) == [40, 40]


def test_tables_hold_every_number_once_and_survive_their_file(runs_of: Any, tmp_path: Path) -> None:
    runs = runs_of(tasks=["adding"], lags=[10], seeds=[0, 3], series=[("rnn", "full"), ("lstm_peephole", "full")])
    measurements = [measurement(run) for run in runs]
    tables = {name: compute_of(name, measurements) for name in MEASURED}
    for name, table in tables.items():
        assert list(table.columns) == list(load_table(name).COLUMNS)
        assert not table.duplicated(list(load_table(name).KEY)).any()
    lag = tables["gradient_versus_lag"]
    assert len(lag) == 2 * 3 * 6 * (3 * 1 + 4 * 2)  # seeds, moments, u; quantities and flows of both models
    (item,) = select_rows(
        lag, model="lstm_peephole", flow="truncated_1997", quantity="W_i", seed=3, snapshot="solved", u=4
    )["norm"]
    assert item == 2 * 0.8**4
    assert set(tables["path_shares"]["u"]) == {1, 2, 4, 10, 19}
    assert list(dict.fromkeys(lag["snapshot"])) == list(MOMENTS)
    for name, table in tables.items():
        write_csv(table, tmp_path / f"{name}.csv")
        pd.testing.assert_frame_equal(read_csv(tmp_path / f"{name}.csv"), table)


def test_cost_is_the_paired_difference_with_the_budget_for_what_was_not_solved(runs_of: Any) -> None:
    runs = runs_of(tasks=["adding"], lags=[10, 50], rates=[0.01], seeds=range(4),
                   series=[("lstm", "full"), ("lstm", "truncated_1997"), ("rnn", "full")])  # fmt: skip
    for run in runs:
        truncated = run["settings"]["gradient"]["name"] == "truncated_1997"
        for replica in run["replicas"]:
            seed = replica["seed"]
            unsolved = truncated and run["settings"]["task"]["lag"] == 50 and seed == 0
            replica |= {"test_accuracy": 0.9 - 0.1 * truncated - 0.01 * seed * truncated, "solved": not unsolved}
            replica |= {"updates_to_solve": None if unsolved else 100 + 50 * truncated * seed, "diverged": False}
    summary = compute_of("summary", runs)
    table = compute("truncation_cost", summary=summary, statistics=compute("statistics", summary=summary))
    assert set(table["model"]) == {"lstm", "all"}  # the RNN has no truncated gradient
    accuracy = select_rows(table, measure="test_accuracy", task="adding", model="lstm")
    assert list(accuracy["lags"]) == ["10", "50", "10+50"]
    assert list(accuracy["pairs"]) == [4, 4, 8]
    np.testing.assert_allclose(accuracy["difference"], -0.115, rtol=1e-12)
    assert (accuracy["low"] >= -0.13 - 1e-12).all()
    assert (accuracy["high"] <= -0.1 + 1e-12).all()
    updates = select_rows(table, measure="updates_to_solve", task="adding", model="lstm").set_index("lags")
    assert updates["difference"].to_dict() == {"10": 75.0, "50": (1900 + 50 + 100 + 150) / 4, "10+50": 312.5}
    assert updates["censored"].to_dict() == {"10": 0, "50": 1, "10+50": 1}
    np.testing.assert_allclose(accuracy["p_holm"], [*adjust_by_holm(accuracy["p"].iloc[:2]), np.nan])
    replicas = select_rows(
        select_replicas(summary, compute("statistics", summary=summary)), gradient="truncated_1997", lag=10
    )
    assert accuracy["truncated"].iloc[0] == replicas["test_accuracy"].mean()


def test_no_truncated_gradient_no_cost(full_tables: Tables) -> None:
    summary = full_tables.summary[full_tables.summary["gradient"] != "truncated_1997"]
    assert compute("truncation_cost", summary=summary, statistics=compute("statistics", summary=summary)).empty
    assert set(LABELS.tasks) < set(
        compute("truncation_cost", summary=full_tables.summary, statistics=full_tables.statistics)["task"]
    )


def test_the_two_gradients_are_found_by_their_flows_whatever_their_labels(full_tables: Tables) -> None:
    tables = {"summary": full_tables.summary, "statistics": full_tables.statistics}
    expected = compute("truncation_cost", **tables)
    names = {"full": "all", "truncated_1997": "mine", "tbptt": "full"}
    renamed = {name: table.assign(gradient=table["gradient"].map(names)) for name, table in tables.items()}
    experiment = SimpleNamespace(config={"gradients": dict.fromkeys(names.values())}, registry=EXPERIMENT.registry)
    pd.testing.assert_frame_equal(compute("truncation_cost", experiment=experiment, **renamed), expected)


@pytest.mark.parametrize("name", ["path_shares", "gradient_alignment", "truncation_cost"])
def test_a_model_that_cannot_be_measured_is_named_in_the_note(name: str, runs_of: Any, tables_of: Any) -> None:
    series = [("rnn", "full"), ("lstm", "full"), ("lstm", "truncated_1997")]
    runs = runs_of(tasks=["adding"], lags=[10, 40], seeds=[0, 1], rates=[0.01], series=series)
    texts = " ".join(text for text, _ in texts_of(draw(name, tables_with(tables_of(runs), runs))))
    assert ": rnn" in " ".join(texts.split())
