"""The figures of the findings: readable, reproducible, and at the values of their tables."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tests.analysis.readable import assert_readable
from tests.analysis.tables import select_lags
from training.gradients.constructed import compute_rows
from workflow.figures.style.look import Labels, Tables, choose_colours, save
from workflow.tables.derivatives import COLUMNS

MODELS = ("rnn", "lstm", "lstm_no_forget", "lstm_forget_0", "lstm_forget_1", "lstm_forget_5", "lstm_peephole")
FLOWS = ("full", "truncated_1997", "cell_and_gates", "cell_and_block_input", "cell_and_peepholes")


def derivatives(*, models: tuple[str, ...], seeds: range) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        {"task": task, "lag": lag, "model": model, "flow": flow, "seed": seed}
        | {
            name: 0.0 if flow == "truncated_1997" and name == "added" else rng.uniform(0.01, 1)
            for name in list(COLUMNS)[5:]
        }
        | ({"added": np.nan} if model == "rnn" else {})
        for task in ("adding", "copy")
        for lag in (10, 40)
        for model in models
        for flow in (FLOWS if model == "lstm_peephole" else FLOWS[:1] if model == "rnn" else FLOWS[:-1])
        for seed in seeds
    ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def tables() -> Tables:
    empty, labels = pd.DataFrame(), Labels(MODELS, FLOWS, ("adding", "copy"))
    needs = {
        "constructed": pd.DataFrame(compute_rows({"seeds": range(3)})),
        "derivatives": derivatives(models=MODELS, seeds=range(3)),
    }
    return Tables(empty, empty, select_lags(empty), labels, needs)


def draw(name: str, tables: Tables) -> Figure:
    figure: Figure = importlib.import_module(f"workflow.figures.{name}").draw(tables)
    return figure


@pytest.mark.parametrize("name", ["constructed_network", "derivative_by_path"])
def test_figures_are_readable_and_reproduce_byte_for_byte(name: str, tables: Tables, tmp_path: Path) -> None:
    figure = draw(name, tables)
    assert_readable(figure)
    shuffled = {key: table.sample(frac=1, random_state=1) for key, table in tables.needs.items()}
    save(figure, tmp_path / "first" / name)
    save(draw(name, tables._replace(needs=shuffled)), tmp_path / "second" / name)
    for kind in ("pdf", "svg", "png"):
        assert (tmp_path / "first" / f"{name}.{kind}").read_bytes() == (
            tmp_path / "second" / f"{name}.{kind}"
        ).read_bytes()


@pytest.mark.parametrize("models", [("lstm",), ("rnn",), ("rnn", "lstm")])
def test_few_models_and_one_seed_are_no_obstacle(models: tuple[str, ...], tables: Tables) -> None:
    needs = {**tables.needs, "derivatives": derivatives(models=models, seeds=range(1))}
    assert_readable(draw("derivative_by_path", tables._replace(needs=needs)))


def test_curves_stand_at_the_medians_and_gates_at_their_openings(tables: Tables) -> None:
    above, below = draw("constructed_network", tables).axes
    table = tables.needs["constructed"]
    curves = [np.asarray(line.get_ydata(), dtype=float) for line in above.get_lines()]
    expected = [
        table[table["flow"] == flow].groupby("u")[name].median().to_numpy()
        for name in ("of_cell", "term")
        for flow in ("full", "truncated_1997")
    ]
    np.testing.assert_array_equal(curves, expected)
    opened = np.asarray(below.collections[0].get_array()).reshape(3, 16)
    labels = [label.get_text() for label in below.get_yticklabels()]
    assert labels == ["output gate", "forget gate", "input gate"]
    assert (opened[0].argmax(), opened[1].argmin(), opened[2].argmax()) == (0, 11, 11)


def test_models_keep_their_colours_and_stand_at_their_medians(tables: Tables) -> None:
    left, middle, _ = draw("derivative_by_path", tables).axes
    colours, table = choose_colours(tables.labels), tables.needs["derivatives"]
    rows = table[(table["model"] == "lstm_peephole") & (table["flow"] == "full") & (table["lag"] == 40)]
    expected = np.exp(np.log(rows["factor_per_step"]).groupby(rows["seed"]).mean()).median()
    (heights,) = (
        line.get_ydata()
        for line in middle.get_lines()
        if to_hex(line.get_color()) == to_hex(colours["lstm_peephole"]) and line.get_marker() != "None"
    )
    assert heights[1] == pytest.approx(expected)
    assert [label.get_text() for label in left.get_xticklabels()] == ["gates", "block\ninput", "peep-\nholes", "all"]
    plotted = [line for line in left.get_lines() if np.isfinite(line.get_ydata()).any()]
    assert to_hex(colours["rnn"]) not in {to_hex(line.get_color()) for line in plotted}
