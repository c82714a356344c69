"""Runs a torch module, ours or `torch.nn.LSTM`, and returns all that it computes and all that autograd makes of it."""

import math

import torch
from torch import Tensor, nn

SIZES = {"input_size": 3, "hidden_size": 5}

Run = dict[str, Tensor]


def run(lstm: nn.Module, x: Tensor, hx: tuple[Tensor, Tensor] | None) -> Run:
    """Return all outputs, and all gradients of one weighting of the outputs; a tensor without gradient has zero."""
    x = x.clone().requires_grad_()
    hx = None if hx is None else (hx[0].clone().requires_grad_(), hx[1].clone().requires_grad_())
    output, (h, c) = lstm(x, hx)
    lead = 0 if getattr(lstm, "replicas", None) is None else 1
    loss = sum((tensor * weighting(tensor.shape, lead=lead).to(tensor)).sum() for tensor in (output, h, c))
    leaves = dict(lstm.named_parameters()) | {"input": x}
    if hx is not None:
        leaves |= {"h_0": hx[0], "c_0": hx[1]}
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    values = {"output": output.detach(), "h_n": h.detach(), "c_n": c.detach()}
    return values | {f"d{name}": gradient for name, gradient in zip(leaves, gradients, strict=True)}


def weighting(shape: torch.Size, *, lead: int) -> Tensor:
    """Return numbers in [-1, 1] that differ from place to place, the same along the first `lead` axes."""
    own = torch.arange(math.prod(shape[lead:]), dtype=torch.float64)
    return torch.cos(0.7 * own).view(shape[lead:])


def assert_close(came: Run, expected: Run, *, rtol: float) -> None:
    """Hold tensors against each other, relative to the largest magnitude of each."""
    assert came.keys() == expected.keys()
    for name, tensor in expected.items():
        assert came[name].shape == tensor.shape, name
        assert (came[name] - tensor).abs().max() <= rtol * tensor.abs().max(), name


def draw(shape: tuple[int, ...], *, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)
