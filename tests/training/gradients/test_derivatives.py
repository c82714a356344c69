"""The exact derivatives of one step against finite differences of the equations, and the known answers of all steps."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

from models.gradient_flow import GradientFlow
from models.lstm_1997 import LSTM1997Cell
from tests.models.cases import LSTMS, Options, draw_case
from tests.models.experiment import cell_of
from tests.settings import job_settings, online_settings, select_network
from training.gradients.derivatives import compute_forget_gates, compute_rows, step_jacobian


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def next_cell(
    p: dict[str, np.ndarray], c: np.ndarray, x: np.ndarray, h: np.ndarray, x_before: np.ndarray
) -> np.ndarray:
    """Return c(t) as a function of c(t-1), with h(t-1) = o(t-1) tanh(c(t-1)) of the h(t-2) that is given."""
    p = {**{name: np.zeros(4) for name in ("p_i", "p_f", "p_o")}, **p}
    o = sigmoid(x_before @ p["W_o"] + h @ p["U_o"] + p["p_o"] * c + p["b_o"])
    h = o * np.tanh(c)
    i = sigmoid(x @ p["W_i"] + h @ p["U_i"] + p["p_i"] * c + p["b_i"])
    z = np.tanh(x @ p["W_z"] + h @ p["U_z"] + p["b_z"])
    f = sigmoid(x @ p["W_f"] + h @ p["U_f"] + p["p_f"] * c + p["b_f"]) if "W_f" in p else 1.0
    return f * c + i * z


@pytest.mark.parametrize("options", LSTMS, ids=str)
def test_one_step_along_all_paths_agrees_with_finite_differences(options: Options):
    case = draw_case(options, np.random.default_rng(0), steps=3, batch=2, ragged=False)
    cell, trace = cell_of(case), case.forward()
    parameters = {symbol: torch.tensor(value[None]) for symbol, value in case.parameters.items()}
    state = tuple(torch.tensor(of_step[None]) for of_step in (trace.h[1], trace.c[1]))
    inputs = torch.tensor(case.x[None, 1:])
    J = step_jacobian(cell, parameters, inputs=inputs, state=state, flow=GradientFlow(options.paths))[0]
    c, size = trace.c[2], 1e-5
    for j in range(4):
        shift = size * np.eye(4)[j]
        ends = [next_cell(case.parameters, c + s, case.x[2], trace.h[1], case.x[1]) for s in (shift, -shift)]
        assert_allclose(J[:, :, j], (ends[0] - ends[1]) / (2 * size), rtol=1e-5, atol=1e-10)
    along_cell = step_jacobian(cell, parameters, inputs=inputs, state=state, flow=GradientFlow(frozenset({"cell"})))[0]
    gates = trace.gates["f"][2] if options.forget_gate else np.ones_like(c)
    assert_allclose(along_cell, torch.diag_embed(torch.tensor(gates)), rtol=1e-14, atol=0)
    last = tuple(torch.tensor(of_step[None]) for of_step in (trace.h[2], c))
    assert_allclose(
        compute_forget_gates(cell, parameters, inputs=inputs[:, 1], state=last)[0], gates, rtol=1e-14, atol=0
    )


@pytest.mark.parametrize("variant", [{}, {"coupled_gates": True}, {"gate_recurrence": True}, {"output_gate": False}])
def test_along_the_cell_every_variant_gives_its_forget_gate(variant: dict[str, bool]):
    table = measured(peepholes=True, **variant)
    assert (table.loc["truncated_1997", "deviation_from_gate"] < 1e-14).all()
    assert (table.loc["truncated_1997", "deviation_from_one"] > 0.1).all()
    assert (table["sum_deviation"] < 1e-12).all()


def measured(**model: Any) -> pd.DataFrame:
    settings = job_settings(seeds=[0, 1], learning_rates=[0.01], task="temporal_order", lag=8, hidden_size=6)
    options = {**settings["model"]["options"], **model}
    return compute_table({**settings, "model": {**settings["model"], "options": options}})


def compute_table(settings: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(compute_rows(select_network(settings))).set_index("flow")


def test_the_table_holds_the_known_answers():
    without = measured(forget_gate=False)
    assert (without.loc["truncated_1997", ["deviation_from_one", "deviation_from_gate", "added"]] == 0).all(axis=None)
    assert (without.loc["truncated_1997", "factor_per_step"] == 1).all()
    assert (without.loc["full", "deviation_from_one"] > 1e-3).all()
    with_gate = measured(peepholes=True)
    assert (with_gate.loc["truncated_1997", "deviation_from_one"] > 0.1).all()
    assert (with_gate["deviation_from_gate"].loc["truncated_1997"] < 1e-14).all()
    assert (with_gate.loc["cell_and_output_peephole", "added"] < 1e-14).all()  # it only matters with a path from h
    assert (with_gate.loc["cell_and_peepholes", "added"] > 1e-6).all()
    assert (with_gate["sum_deviation"] < 1e-12).all()
    assert set(with_gate.index) == {
        "full", "truncated_1997", "cell_and_gates", "cell_and_block_input", "cell_and_peepholes",
        "cell_and_output_peephole",
    }  # fmt: skip


def test_a_forget_gate_that_is_nearly_shut_leaves_nothing_of_the_lag():
    shut, open_ = measured(forget_bias=-8), measured(forget_bias=8)
    for name in ("factor_per_step", "lag_over_largest", "beyond_lag"):
        assert (shut.loc["truncated_1997", name] < 0.05 * open_.loc["truncated_1997", name]).all(), name
    assert_allclose(shut.loc["truncated_1997", "factor_per_step"], sigmoid(np.array(-8.0)), rtol=0.5)


def test_a_cell_without_a_cell_path_has_terms_and_no_cell_derivative():
    settings = job_settings(seeds=[0], learning_rates=[0.01], cell="rnn")
    ((flow, row),) = compute_table(settings).iterrows()
    assert flow == "full"
    assert np.isnan(row["added"])
    assert 0 < row["factor_per_step"] < 1.5


@pytest.mark.parametrize("task", ["adding", "long_lag"])
def test_the_network_of_1997_keeps_its_error_along_the_cell(task: str):
    """Its factor is exactly 1; its other paths add to it; symbols as inputs change nothing of it."""
    settings = online_settings(task=task)
    table = compute_table(settings)
    assert (table.loc["truncated_1997", ["deviation_from_one", "deviation_from_gate", "added"]] == 0).all(axis=None)
    assert (table.loc["truncated_1997", "factor_per_step"] == 1).all()
    assert (table.loc[["full", "cell_and_gates", "cell_and_block_input"], "added"] > 1e-6).all()
    assert (table["sum_deviation"] < 1e-12).all()


def test_a_cell_whose_second_state_is_not_c_has_terms_and_no_cell_derivative(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(LSTM1997Cell, "state_symbols", ("h", "gates", "s"))
    table = compute_table(online_settings())
    assert table["added"].isna().all()
    assert (table["sum_deviation"] < 1e-12).all()


def test_an_lstm_reads_symbols_too():
    settings = job_settings(seeds=[0], learning_rates=[0.01], task="temporal_order", lag=8)
    settings["task"] |= {"task": "long_lag", "options": {"symbols": 3}}
    table = compute_table(settings)
    assert (table.loc["truncated_1997", "deviation_from_gate"] < 1e-14).all()
    assert (table["sum_deviation"] < 1e-12).all()
