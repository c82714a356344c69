"""The cells against the NumPy oracle and PyTorch's own layers; their sizes, constant gates and ragged starts."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from models.kernels import Kernel
from models.kernels.reference import readout, unroll
from models.network import Network
from tests.models.cases import CELLS, LSTM, RNN, Options, draw_case
from tests.models.experiment import assert_gradients, cell_of, full, make_cell, run_cases
from tests.models.oracle import Errors

# relative; an element may be small by cancellation of terms of order 1, so the last digits of the terms show
VALUES, GRADIENTS = 1e-10, 1e-10

needs_gpu = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU; torch.cuda.is_available() is False"),
]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("options", CELLS, ids=str)
def test_outputs_states_and_gradients_are_those_of_the_equations(options: Options, ragged: bool, device: str) -> None:
    rng = np.random.default_rng(1)
    cases = [draw_case(options, rng, steps=9, ragged=ragged) for _ in range(3)]
    outcome = run_cases(cases, full(cases[0]), device=device)
    for replica, case in enumerate(cases):
        trace = case.forward()
        assert_allclose(outcome.h[replica].cpu(), trace.h[1:], rtol=VALUES, atol=0)
        of_gates = [states[-1] for states in trace.carried.values()]
        expected_states = [trace.h[-1], trace.c[-1], *([np.concatenate(of_gates, axis=1)] if of_gates else [])]
        for state, expected in zip(outcome.state, expected_states, strict=False):
            assert_allclose(state[replica].cpu(), expected, rtol=VALUES, atol=0)
    on_cpu = {name: gradient.cpu() for name, gradient in outcome.gradients.items()}
    outcome = outcome._replace(gradients=on_cpu, of_initial=tuple(s.cpu() for s in outcome.of_initial))
    assert_gradients(outcome, [case.backward() for case in cases], rtol=GRADIENTS)


@pytest.mark.parametrize("options", [RNN, LSTM], ids=str)
def test_outputs_and_gradients_are_those_of_torch(options: Options) -> None:
    rng = np.random.default_rng(2)
    cases = [draw_case(options, rng, steps=11, hidden=5, ragged=False) for _ in range(3)]
    outcome = run_cases(cases, full(cases[0]))
    named = [("weight_ih_l0", "W"), ("weight_hh_l0", "U"), ("bias_ih_l0", "b")]
    order = [""] if options is RNN else ["_i", "_f", "_z", "_o"]  # PyTorch: i f g o
    for replica, case in enumerate(cases):
        make_layer = torch.nn.RNN if options is RNN else torch.nn.LSTM
        layer: torch.nn.Module = make_layer(2, 5, dtype=torch.float64)
        for theirs, kind in named:
            stacked = np.concatenate([case.parameters[kind + gate] for gate in order], axis=-1)
            layer.get_parameter(theirs).data = torch.tensor(stacked.T.copy())
        torch.nn.init.zeros_(layer.get_parameter("bias_hh_l0"))
        initial = [torch.tensor(s[None], requires_grad=True) for s in case.initial]
        h, last = layer(torch.tensor(case.x), initial[0] if options is RNN else tuple(initial))
        torch.testing.assert_close(outcome.h[replica], h.detach(), rtol=VALUES, atol=0)
        loss = (h * torch.tensor(case.errors.h)).sum()
        if options is LSTM:
            torch.testing.assert_close(outcome.state[1][replica], last[1][0].detach(), rtol=VALUES, atol=0)
            loss = loss + (last[1][0] * torch.tensor(case.errors.c_last)).sum()
        weights = [layer.get_parameter(theirs) for theirs, _ in named]
        of_all = torch.autograd.grad(loss, [*weights, *initial])
        for (_, kind), gradient in zip(named, of_all, strict=False):
            for gate, part in zip(order, gradient.tensor_split(len(order)), strict=True):
                expected = part.T if part.ndim == 2 else part
                torch.testing.assert_close(outcome.gradients[kind + gate][replica], expected, rtol=GRADIENTS, atol=0)
        for mine, gradient in zip(outcome.of_initial, of_all[len(named) :], strict=True):
            torch.testing.assert_close(mine[replica], gradient[0], rtol=GRADIENTS, atol=0)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (Options("lstm", input_gate=False), lambda m, n: 3 * n * (m + n + 1)),
        (Options("lstm", output_gate=False, peepholes=True), lambda m, n: 3 * n * (m + n + 1) + 2 * n),
        (Options("lstm", input_activation="identity"), lambda m, n: 4 * n * (m + n + 1)),
        (Options("lstm", coupled_gates=True, peepholes=True), lambda m, n: 3 * n * (m + n + 1) + 2 * n),
        (Options("lstm", gate_recurrence=True), lambda m, n: 4 * n * (m + n + 1) + 9 * n * n),
        (RNN, lambda m, n: n * (m + n + 1)),
        (LSTM, lambda m, n: 4 * n * (m + n + 1)),
        (Options("lstm", forget_gate=False), lambda m, n: 3 * n * (m + n + 1)),
        (Options("lstm", peepholes=True), lambda m, n: 4 * n * (m + n + 1) + 3 * n),
        (Options("lstm", peepholes=True, forget_gate=False), lambda m, n: 3 * n * (m + n + 1) + 2 * n),
    ],
    ids=lambda value: str(value) if isinstance(value, Options) else "",
)
def test_parameter_counts(options: Options, count: Callable[[int, int], int]) -> None:
    for features, hidden, outputs in [(2, 32, 1), (10, 7, 9)]:
        cell = make_cell(options, features=features, hidden_size=hidden)
        assert sum(math.prod(shape) for shape in cell.shapes.values()) == count(features, hidden)
        network = Network(cell, outputs=outputs, kernel=Kernel("reference", unroll, readout))
        assert network.parameters == count(features, hidden) + (hidden + 1) * outputs
        weights = network.initialise(np.random.default_rng(0), sequence_length=10)
        assert weights.shape == (network.parameters,)
        rng = np.random.default_rng(0)
        rng.uniform(size=network.shapes["V"])  # the readout is drawn first
        sampled = cell.initialise(rng, sequence_length=10)
        assert {name: value.shape for name, value in sampled.items()} == dict(cell.shapes)
        for name, view in network.by_symbol(torch.tensor(weights[None])).items():
            assert name not in sampled or np.array_equal(view[0], sampled[name]), name


@pytest.mark.parametrize("peepholes", [False, True])
def test_constant_gates_copy_the_input_and_hold_the_cell(peepholes: bool) -> None:
    """With i = o = 1 and f = 0 each step's output is its own block input; with i = 0 and f = 1 nothing ever changes."""
    case = draw_case(Options("lstm", peepholes), np.random.default_rng(3), steps=50, ragged=False)
    saturated = {name: 0 * value for name, value in case.parameters.items()} | {"W_z": case.parameters["W_z"]}
    gates = {"b_i": 1000.0, "b_f": -1000.0, "b_o": 1000.0}
    copying = case._replace(parameters=saturated | {name: np.full(4, bias) for name, bias in gates.items()})
    z = np.tanh(case.x @ case.parameters["W_z"])
    assert_allclose(run_cases([copying], full(case)).h[0], np.tanh(z), rtol=1e-14, atol=0)
    gates |= {"b_i": -1000.0, "b_f": 1000.0}
    holding = case._replace(parameters=saturated | {name: np.full(4, bias) for name, bias in gates.items()})
    outcome = run_cases([holding], full(case))
    assert np.array_equal(outcome.state[1][0], case.c0)
    assert_allclose(outcome.h[0], np.broadcast_to(np.tanh(case.c0), outcome.h[0].shape), rtol=1e-14, atol=0)


def test_a_gate_that_opens_once_stores_the_input_exactly() -> None:
    case = draw_case(LSTM, np.random.default_rng(4), steps=80, ragged=False)
    x = case.x.copy()
    x[:, :, 1] = 0
    x[5, :, 1] = 1  # the marker
    weights = {name: 0 * value for name, value in case.parameters.items()}
    weights["W_z"][0] = case.parameters["W_z"][0]
    weights["W_i"][1], weights["b_i"][:] = 2000, -1000
    weights["W_f"][1], weights["b_f"][:] = -2000, 1000
    outcome = run_cases([case._replace(parameters=weights, x=x)], full(case))
    z = torch.tanh(torch.tensor(x[5, :, :1] * weights["W_z"][0]))
    assert torch.equal(outcome.state[1][0], z)


def test_a_state_is_held_until_its_sequence_starts() -> None:
    for options in CELLS:
        case = draw_case(options, np.random.default_rng(5), steps=8)._replace(starts=np.array([0, 3, 7]))
        outcome = run_cases([case], full(case))
        for b, start in enumerate(case.starts):
            assert (outcome.h[0, :start, b] == torch.tensor(case.h0[b])).all()
            alone = case._replace(
                x=case.x[start:, b : b + 1],
                starts=np.zeros(1, dtype=np.int64),
                h0=case.h0[b : b + 1],
                c0=case.c0[b : b + 1],
                g0=case.g0[b : b + 1],
                errors=Errors(
                    case.errors.h[start:, b : b + 1], case.errors.c_last[b : b + 1], case.errors.g_last[b : b + 1]
                ),
            )
            own = run_cases([alone], full(case))
            torch.testing.assert_close(outcome.h[0, start:, b], own.h[0, :, 0], rtol=VALUES, atol=0)


def test_the_state_starts_at_zero_and_starts_default_to_zero() -> None:
    for options in CELLS:
        case = draw_case(options, np.random.default_rng(6), ragged=False, initial=False)
        parameters = {name: torch.tensor(value[None]) for name, value in case.parameters.items()}
        h, state = unroll(cell_of(case), parameters, inputs=torch.tensor(case.x[None]), flow=full(case), first_target=2)
        outcome = run_cases([case], full(case))
        assert torch.equal(h, outcome.h[:, 2:])
        assert all(torch.equal(a, b) for a, b in zip(state, outcome.state, strict=True))
