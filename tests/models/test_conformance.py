"""What every cell on disk promises, whatever its equations: shapes, gradients, cuts, windows, replicas of their own."""

import itertools
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cell import Cell, cell_names, load_cell
from models.gradient_flow import GradientFlow
from models.kernels import reference
from tests.options import combinations

R, T, B, FEATURES, H = 2, 6, 3, 2, 4
STRIDE = 1361  # a prime that divides no number of combinations


def variants() -> list[tuple[str, dict[str, Any]]]:
    """List option combinations of every cell, in which each pair of values that the cell takes together occurs."""
    known = []
    for name in cell_names():
        seen: set[tuple[Any, ...]] = set()
        every = list(combinations(import_module(f"models.{name}").OPTIONS))
        for n in range(len(every)):  # in an order that changes many values at a time, so that few are needed
            combination = every[n * STRIDE % len(every)]
            pairs = set(itertools.combinations_with_replacement(combination.items(), 2))
            if pairs <= seen:
                continue
            try:
                load_cell(name, features=FEATURES, hidden_size=H, options=combination)
            except ValueError:
                continue
            seen |= pairs
            known.append((name, combination))
    return known


@pytest.fixture(params=variants(), ids=str)
def cell(request: pytest.FixtureRequest) -> Cell:
    """Every cell with every combination of its options."""
    name, options = request.param
    return load_cell(name, features=FEATURES, hidden_size=H, options=options)


def draw(cell: Cell) -> tuple[dict[str, Tensor], Tensor]:
    """Return float64 parameters (R, ...) that want a gradient, and inputs (R, T, B, features)."""
    rows = [cell.initialise(np.random.default_rng(seed), sequence_length=T) for seed in range(R)]
    parameters = {
        symbol: torch.from_numpy(np.stack([row[symbol] for row in rows])).double().requires_grad_()
        for symbol in cell.shapes
    }
    inputs = torch.from_numpy(np.random.default_rng(9).normal(size=(R, T, B, FEATURES)))
    return parameters, inputs


def gradients(cell: Cell, flow: GradientFlow) -> list[Tensor]:
    """Return outputs, and the gradients of the sum of their squares with respect to all parameters."""
    parameters, inputs = draw(cell)
    outputs, _ = reference.unroll(cell, parameters, inputs=inputs, flow=flow)
    found = torch.autograd.grad(outputs.square().sum(), list(parameters.values()), allow_unused=True)
    return [outputs.detach(), *(torch.zeros(()) if gradient is None else gradient for gradient in found)]


def test_initial_weights_have_the_declared_shapes_and_come_from_the_stream(cell: Cell) -> None:
    one, same, other = (cell.initialise(np.random.default_rng(seed), sequence_length=50) for seed in (1, 1, 2))
    assert {symbol: value.shape for symbol, value in one.items()} == dict(cell.shapes)
    assert all(value.dtype == np.float64 and np.isfinite(value).all() for value in one.values())
    assert all(np.array_equal(one[symbol], same[symbol]) for symbol in one)
    assert any(not np.array_equal(one[symbol], other[symbol]) for symbol in one)


def test_a_state_and_an_output_per_replica_and_sequence(cell: Cell) -> None:
    parameters, inputs = draw(cell)
    outputs, state = reference.unroll(cell, parameters, inputs=inputs, flow=GradientFlow(frozenset(cell.paths)))
    assert outputs.shape == (R, T, B, H)
    assert [tuple(tensor.shape) for tensor in state] == [(R, B, size) for size in cell.state_sizes]
    assert torch.equal(outputs[:, -1], state[0])


def test_gradcheck_of_the_full_gradient(cell: Cell) -> None:
    """Of a scalar loss: single entries of the Jacobian can be smaller than the rounding of a finite difference."""
    parameters, inputs = draw(cell)
    flow = GradientFlow(frozenset(cell.paths))
    weights = torch.from_numpy(np.random.default_rng(4).normal(size=(R, T, B, H)))

    def loss(*tensors: Tensor) -> Tensor:
        named = dict(zip(parameters, tensors, strict=True))
        return (weights * reference.unroll(cell, named, inputs=inputs, flow=flow)[0]).sum()

    assert torch.autograd.gradcheck(loss, tuple(parameters.values()), eps=1e-5, atol=0, rtol=1e-4)


def test_without_any_path_no_error_reaches_the_initial_state(cell: Cell) -> None:
    parameters, inputs = draw(cell)
    initial = tuple(torch.zeros(R, B, size, dtype=torch.float64, requires_grad=True) for size in cell.state_sizes)
    for paths, reached in ((frozenset(cell.paths), True), (frozenset[str](), False)):
        outputs, _ = reference.unroll(cell, parameters, inputs=inputs, flow=GradientFlow(paths), initial=initial)
        found = torch.autograd.grad(outputs[:, 1:].sum(), initial, allow_unused=True)
        assert any(gradient is not None and bool(gradient.any()) for gradient in found) is reached


def test_every_path_carries_error_and_none_changes_the_outputs(cell: Cell) -> None:
    outputs, *full = gradients(cell, GradientFlow(frozenset(cell.paths)))
    for path in cell.paths:
        cut_outputs, *cut = gradients(cell, GradientFlow(frozenset(cell.paths) - {path}))
        assert torch.equal(cut_outputs, outputs)
        assert any(not torch.allclose(a, b, rtol=1e-9, atol=0) for a, b in zip(full, cut, strict=True))


def test_a_window_over_the_whole_sequence_is_full_and_a_shorter_one_is_not(cell: Cell) -> None:
    paths = frozenset(cell.paths)
    full, whole, short = (gradients(cell, GradientFlow(paths, k, k)) for k in (None, T, 2))
    assert all(torch.equal(a, b) for a, b in zip(full, whole, strict=True))
    assert torch.equal(full[0], short[0])
    assert any(not torch.allclose(a, b, rtol=1e-9, atol=0) for a, b in zip(full[1:], short[1:], strict=True))


def test_a_replica_is_the_same_alone(cell: Cell) -> None:
    parameters, inputs = draw(cell)
    flow = GradientFlow(frozenset(cell.paths))
    together, _ = reference.unroll(cell, parameters, inputs=inputs, flow=flow)
    for replica in range(R):
        alone = {symbol: value[replica : replica + 1] for symbol, value in parameters.items()}
        outputs, _ = reference.unroll(cell, alone, inputs=inputs[replica : replica + 1], flow=flow)
        torch.testing.assert_close(outputs[0], together[replica], rtol=1e-12, atol=0)
