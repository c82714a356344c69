"""Gradient norms and clipping, replica by replica."""

import torch
from torch import Tensor

BLOCK = 64
"""Numbers that are summed up first; torch cuts the sum of one long row into as many parts as it has threads."""


def compute_norm(gradient: Tensor) -> Tensor:
    """Return the Euclidean norm of each row (R, P), (R, 1) float64: the same bits for any R and number of threads."""
    squares = torch.nn.functional.pad(gradient.double().square(), (0, -gradient.shape[1] % BLOCK))
    return squares.unflatten(1, (-1, BLOCK)).sum(dim=2).sum(dim=1, keepdim=True).sqrt()


def clip(gradient: Tensor, *, norm: Tensor, limit: float | None) -> Tensor:
    """Rescale each row (R, P) whose Euclidean norm (R, 1) exceeds the limit (Pascanu et al. 2013, algorithm 1)."""
    return gradient if limit is None else gradient * (limit / norm).clamp(max=1).to(gradient.dtype)
