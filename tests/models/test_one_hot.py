"""Inputs as indices: rows of W are gathered, and that is the product with one-hot vectors; -1 is no input at all."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cell import Cell, load_cell, one_hot, project_inputs
from models.gradient_flow import GradientFlow
from models.kernels import Kernel, cpu, reference
from models.network import Network

R, T, B, FEATURES, OUTPUTS = 2, 9, 5, 6, 3
CELLS: list[tuple[str, dict[str, Any]]] = [
    ("rnn", {"initialisation": "uniform"}),
    ("lstm_1997", {"block_size": 2, "input_gate_bias": -1.0, "biases": True, "bound": 0.5}),
    ("lstm_1997", {"block_size": 1, "input_gate_bias": -1.0, "biases": False, "bound": 0.5}),
]


def draw_indices() -> Tensor:
    return torch.tensor(np.random.default_rng(0).integers(-1, FEATURES, size=(R, T, B)))


def test_vectors_of_indices() -> None:
    computed = one_hot(torch.tensor([[[2, -1, 0]]]), features=3, dtype=torch.float32)
    assert computed.dtype == torch.float32
    assert computed.tolist() == [[[[0, 0, 1], [0, 0, 0], [1, 0, 0]]]]


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gathered_rows_have_the_bits_of_the_dense_product(dtype: torch.dtype, biased: bool) -> None:
    rng, indices = np.random.default_rng(1), draw_indices()
    W = torch.tensor(rng.normal(size=(R, FEATURES, 4)), dtype=dtype)
    b = torch.tensor(rng.normal(size=(R, 4)), dtype=dtype) if biased else None
    gathered = project_inputs(indices, W, b)
    assert torch.equal(gathered, project_inputs(one_hot(indices, features=FEATURES, dtype=dtype), W, b))
    nothing = torch.zeros(R, 4, dtype=dtype) if b is None else b
    for r, t, k in np.argwhere(indices.numpy() == -1):
        assert torch.equal(gathered[r, t, k], nothing[r])


def gradient_of(cell: Cell, kernel: Kernel, inputs: Tensor, *, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    network = Network(cell, outputs=OUTPUTS, kernel=kernel)
    rows = [network.initialise(np.random.default_rng(r), sequence_length=T) for r in range(R)]
    weights = torch.tensor(np.stack(rows), dtype=dtype, requires_grad=True)
    starts = torch.tensor(np.random.default_rng(2).integers(0, T, size=(R, B)))
    flow = GradientFlow(frozenset(cell.paths))
    outputs = network.outputs_of(weights, inputs=inputs, starts=starts, first_target=T - 2, flow=flow)
    (gradient,) = torch.autograd.grad(outputs.square().sum(), weights)
    return outputs.detach(), gradient


@pytest.mark.parametrize(("name", "options"), CELLS, ids=str)
def test_network_answers_and_learns_as_with_one_hot_vectors(name: str, options: dict[str, Any]) -> None:
    cell, indices = load_cell(name, features=FEATURES, hidden_size=4, options=options), draw_indices()
    kernel, dtype = Kernel("reference", reference.unroll, reference.readout), torch.float64
    computed = gradient_of(cell, kernel, indices, dtype=dtype)
    expected = gradient_of(cell, kernel, one_hot(indices, features=FEATURES, dtype=dtype), dtype=dtype)
    for mine, theirs in zip(computed, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=0)


def test_fused_kernel_takes_indices() -> None:
    cell = load_cell(*CELLS[0][:1], features=FEATURES, hidden_size=4, options=CELLS[0][1])
    kernel, indices, dtype = Kernel("cpu", cpu.unroll, cpu.readout), draw_indices(), torch.float32
    computed = gradient_of(cell, kernel, indices, dtype=dtype)
    expected = gradient_of(cell, kernel, one_hot(indices, features=FEATURES, dtype=dtype), dtype=dtype)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(computed, expected, strict=True))
