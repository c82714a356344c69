"""The fused kernel's readout against the float64 reference, and a replica's bits alone and among others."""

import pytest
import torch
from torch import Tensor

from models.kernels import cpu, reference

SIZES = [(1, 1, 1, 1, 1), (3, 2, 5, 7, 4), (2, 10, 33, 32, 9), (4, 1, 64, 129, 17)]  # R, S, B, H, n


def run(kernel: str, leaves: list[Tensor], weight: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """Return the outputs and the gradients of hidden states, V and b under a loss of random weights."""
    taken = [leaf.to(dtype, copy=True).requires_grad_() for leaf in leaves]
    y = {"cpu": cpu, "reference": reference}[kernel].readout(*taken)
    return [y.detach(), *torch.autograd.grad((y * weight.to(dtype)).sum(), taken)]


def draw(R: int, S: int, B: int, H: int, n: int) -> tuple[list[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(R + S + B + H + n)
    shapes = [(R, S, B, H), (R, H, n), (R, n), (R, S, B, n)]
    *leaves, weight = (torch.randn(*shape, generator=generator) for shape in shapes)
    return leaves, weight


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_outputs_and_gradients_are_those_of_the_float64_reference(sizes: tuple[int, int, int, int, int]) -> None:
    leaves, weight = draw(*sizes)
    computed = run("cpu", leaves, weight, torch.float32)
    for value, expected in zip(computed, run("reference", leaves, weight, torch.float64), strict=True):
        assert value.shape == expected.shape
        assert (value.double() - expected).abs().max() < 1e-6 * expected.abs().max()


def test_a_replica_has_the_same_bits_alone_and_where_its_memory_is_not_aligned() -> None:
    leaves, weight = draw(3, 10, 33, 9, 9)
    together = run("cpu", leaves, weight, torch.float32)
    for r in range(3):
        alone = run("cpu", [leaf[r : r + 1].clone() for leaf in leaves], weight[r : r + 1].clone(), torch.float32)
        assert all(torch.equal(single[0], many[r]) for single, many in zip(alone, together, strict=True))


def test_a_second_derivative_is_refused() -> None:
    leaves, _ = draw(2, 3, 4, 5, 6)
    y = cpu.readout(*[leaf.requires_grad_() for leaf in leaves])
    with pytest.raises(RuntimeError, match="differentiated once; came: create_graph=True"):
        torch.autograd.grad(y.sum(), leaves[1], create_graph=True)
