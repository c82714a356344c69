"""The network built by hand does what its docstring says, and its gradient is what the construction gives."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

from training.gradients.constructed import (
    BEFORE,
    CLOSED,
    DISTANCE,
    GAIN,
    STEPS,
    UNITS,
    VALUE,
    build_weights,
    compute_rows,
    run,
    sample_inputs,
)

SEEDS = range(4)


def compute_outputs(weights, inputs):
    return run(weights, inputs).states[-1][0].mean(dim=-1)[0]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.DataFrame(compute_rows({"seeds": SEEDS}))


def test_the_output_is_the_input_eleven_steps_back_squashed_twice():
    rng = np.random.default_rng(0)
    weights, inputs = build_weights(rng), sample_inputs(rng, 64)
    stored = inputs[0, -1 - DISTANCE, :, VALUE]
    assert DISTANCE == CLOSED + 1 == 11
    assert_allclose(compute_outputs(weights, inputs), torch.tanh(torch.tanh(stored)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("step", range(STEPS))
def test_no_other_input_matters(step):
    rng = np.random.default_rng(1)
    weights, inputs = build_weights(rng), sample_inputs(rng, 8)
    changed = inputs.clone()
    changed[:, step, :, VALUE] += 1
    difference = (compute_outputs(weights, changed) - compute_outputs(weights, inputs)).abs()
    assert (difference > 0.05).all() if step == BEFORE else (difference < 1e-5).all()


@pytest.mark.parametrize("flow", ["full", "truncated_1997"])
def test_the_term_eleven_steps_back_is_the_block_inputs_and_the_later_ones_are_shut_out(table, flow):
    for seed in SEEDS:
        curve = table[(table["flow"] == flow) & (table["seed"] == seed)].set_index("u")
        v = curve.loc[11, "value"]
        z = np.tanh(v)
        of_net = (1 - np.tanh(z) ** 2) * (1 - z**2) / UNITS  # of one unit; sources: the value, the marker, the bias
        assert_allclose(curve.loc[11, "term"], np.sqrt(UNITS) * of_net * np.sqrt(v**2 + 2), rtol=1e-5)
        assert_allclose(curve.loc[11, "of_value"], UNITS * of_net, rtol=1e-5)
        assert curve.loc[11, "term"] >= 0.05 * np.exp(GAIN) * curve.loc[:10, "term"].max()
        assert curve.loc[11, "term"] >= 1e3 * curve["term"].drop(11).max()
        assert_allclose(curve.loc[:11, "of_cell"], curve.loc[0, "of_cell"], rtol=1e-5)
        assert curve.loc[12:, "of_cell"].max() < 1e-5 * curve.loc[0, "of_cell"]


def test_the_two_flows_differ_though_little(table):
    full, truncated = (table[table["flow"] == flow].reset_index() for flow in ("full", "truncated_1997"))
    assert (truncated.loc[truncated["u"] > 0, "of_hidden"] == 0).all()
    assert (full["of_hidden"] > 0).all()


def test_gates_open_where_the_docstring_says(table):
    opened = table[table["flow"] == "full"].groupby("u")[["input_gate", "forget_gate", "output_gate"]].mean() > 0.5
    assert opened.index[opened["input_gate"]].tolist() == [11]
    assert opened.index[~opened["forget_gate"]].tolist() == [11]
    assert opened.index[opened["output_gate"]].tolist() == [0]
