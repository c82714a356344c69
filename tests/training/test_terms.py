"""One backward pass taken apart: its terms add up to the gradient, its errors are those of the NumPy equations."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from models.gradient_flow import GradientFlow
from models.kernels.reference import unroll
from tests.models.cases import CELLS, LSTMS, Case, Options, draw_case
from tests.models.experiment import cell_of
from training.terms import Parts, take_apart, unroll_apart


def parts_of(case: Case, paths: frozenset[str]) -> Parts:
    unrolled = unroll_apart(
        cell_of(case), parameters_of(case), inputs=torch.tensor(case.x[None]), flow=GradientFlow(paths),
        starts=torch.tensor(case.starts[None]),
    )  # fmt: skip
    return take_apart(unrolled, lambda h: (h * torch.tensor(case.errors.h[-1])[None]).sum(dim=(1, 2)))


def parameters_of(case: Case) -> dict[str, Tensor]:
    return {symbol: torch.tensor(value[None]) for symbol, value in case.parameters.items()}


def last_step_case(options: Options, *, ragged: bool) -> Case:
    case = draw_case(options, np.random.default_rng(3), steps=9, ragged=ragged)
    return case._replace(**{name: np.zeros_like(getattr(case, name)) for name in ("h0", "c0", "g0")})


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("options", CELLS, ids=str)
def test_the_terms_add_up_to_the_gradient_of_the_reference_kernel(options: Options, ragged: bool):
    case = last_step_case(options, ragged=ragged)
    for paths in (
        frozenset[str](),
        frozenset({min(options.paths)}),
        frozenset({"cell"}) & options.paths,
        options.paths,
    ):
        parameters = {symbol: value.requires_grad_() for symbol, value in parameters_of(case).items()}
        hidden, _ = unroll(
            cell_of(case), parameters, inputs=torch.tensor(case.x[None]), flow=GradientFlow(paths),
            starts=torch.tensor(case.starts[None]),
        )  # fmt: skip
        (hidden[:, -1] * torch.tensor(case.errors.h[-1])).sum().backward()
        for symbol, terms in parts_of(case, paths).terms.items():
            gradient = parameters[symbol].grad
            assert gradient is not None
            distance, size = (terms.sum(dim=1) - gradient).norm(), gradient.norm()
            assert distance <= 1e-12 * size, (symbol, paths)


@pytest.mark.parametrize("options", LSTMS, ids=str)
def test_along_the_cell_the_error_is_the_product_of_the_forget_gates(options: Options):
    """H&S 1997, eq. 41, and Gers et al. 2000: the same at every step without a forget gate, to the last bit."""
    case = last_step_case(options, ragged=False)
    of_cell = parts_of(case, frozenset({"cell"})).of_states[1][0]
    if not options.forget_gate:
        assert torch.equal(of_cell, of_cell[-1:].expand_as(of_cell))
        return
    gates = case.forward().gates["f"]
    for u in range(1, 9):
        product = gates[9 - u :].prod(axis=0)
        assert_allclose(of_cell[8 - u], of_cell[8].numpy() * product, rtol=1e-12, atol=0)


def test_constant_gates_give_exactly_the_gate_per_step():
    case = last_step_case(Options("lstm"), ragged=False)
    zero = {symbol: 0 * value for symbol, value in case.parameters.items()}
    zero["b_f"] += 1.0
    of_cell = parts_of(case._replace(parameters=zero), frozenset({"cell", "gates", "block_input"})).of_states[1][0]
    assert_allclose(of_cell[:-1] / of_cell[1:], 1 / (1 + np.exp(-1.0)), rtol=1e-14, atol=0)


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_the_error_of_an_input_agrees_with_finite_differences(options: Options):
    case = last_step_case(options, ragged=False)
    of_inputs = parts_of(case, options.paths).of_inputs[0]

    def cost(x: np.ndarray) -> float:
        return float((case.forward(x=x).h[-1] * case.errors.h[-1]).sum())

    for t in (0, 4, 8):
        shift = np.zeros_like(case.x)
        shift[t, 1, 0] = 1e-5
        numeric = (cost(case.x + shift) - cost(case.x - shift)) / 2e-5
        assert_allclose(of_inputs[t, 1, 0], numeric, rtol=1e-4, atol=0)
