"""One backward pass of the cells in tests/models/cases.py: known answers, and finite differences of their equations."""

import itertools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from tests.models.cases import CELLS, LSTMS, Case, Options, draw_case
from tests.models.experiment import cell_of
from training.gradients.backward import BackwardStep, run_backward, run_cell


def backward_of(case: Case, paths: frozenset[str]) -> list[BackwardStep]:
    """Return the steps from the last to the first."""
    forward = run_cell(
        cell_of(case),
        {symbol: torch.tensor(value[None]) for symbol, value in case.parameters.items()},
        inputs=torch.tensor(case.x[None]),
        starts=torch.tensor(case.starts[None]),
        cost=lambda h: (h * torch.tensor(case.errors.h[-1])[None]).sum(dim=(1, 2)),
    )
    return list(run_backward(forward, [paths]))


def last_step_case(options: Options) -> Case:
    case = draw_case(options, np.random.default_rng(3), steps=9, ragged=False)
    return case._replace(**{name: np.zeros_like(getattr(case, name)) for name in ("h0", "c0", "g0")})


@pytest.mark.parametrize("options", LSTMS, ids=str)
def test_along_the_cell_the_error_is_the_product_of_the_forget_gates(options: Options):
    """H&S 1997, eq. 41, and Gers et al. 2000: the same at every step without a forget gate, to the last bit."""
    case = last_step_case(options)
    of_cell = [step.at[1][0, 0] for step in backward_of(case, frozenset({"cell"}))]
    if not options.forget_gate:
        assert all(torch.equal(error, of_cell[0]) for error in of_cell)
        return
    gates = case.forward().gates["f"]
    for u in range(1, 9):
        product = gates[9 - u :].prod(axis=0)
        assert_allclose(of_cell[u], of_cell[0].numpy() * product, rtol=1e-12, atol=0)


def test_constant_gates_give_exactly_the_gate_per_step():
    case = last_step_case(Options("lstm"))
    zero = {symbol: 0 * value for symbol, value in case.parameters.items()}
    zero["b_f"] += 1.0
    steps = backward_of(case._replace(parameters=zero), frozenset({"cell", "gates", "block_input"}))
    for later, earlier in itertools.pairwise(steps):
        assert_allclose(earlier.at[1] / later.at[1], 1 / (1 + np.exp(-1.0)), rtol=1e-14, atol=0)


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_the_error_of_an_input_agrees_with_finite_differences(options: Options):
    case = last_step_case(options)
    steps = backward_of(case, options.paths)[::-1]

    def cost(x: np.ndarray) -> float:
        return float((case.forward(x=x).h[-1] * case.errors.h[-1]).sum())

    for t in (0, 4, 8):
        shift = np.zeros_like(case.x)
        shift[t, 1, 0] = 1e-5
        numeric = (cost(case.x + shift) - cost(case.x - shift)) / 2e-5
        of_input = steps[t].input
        assert of_input is not None
        assert_allclose(of_input[0, 0, 1, 0], numeric, rtol=1e-4, atol=0)
