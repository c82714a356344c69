"""The linear readout of the fused CPU kernel, y = h V + b, replica by replica.

A batched product of a BLAS may sum differently for another batch, alignment or number of threads; these sums depend on
the sizes alone, as the time loop's do.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.kernels import fused
from models.kernels.elementwise import Array
from models.kernels.guards import check_memory
from models.kernels.lanes import padded


def readout(hidden: Tensor, V: Tensor, b: Tensor) -> Tensor:
    """Return h V + b as `models.kernels.reference.readout` does, in float32 on the CPU; differentiable once."""
    check_memory((hidden, V, b))
    y: Tensor = _Readout.apply(hidden.resolve_neg(), V.resolve_neg(), b.resolve_neg())
    return y


class _Readout(torch.autograd.Function):
    """From h (R, S, B, H), V (R, H, n) and b (R, n) to y (R, S, B, n)."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, V: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(hidden, V)
        rows = hidden.flatten(1, 2).contiguous().numpy()
        y = _product(rows, V.numpy()) + b.numpy()[:, None]
        return torch.from_numpy(y).unflatten(1, hidden.shape[1:3])

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if torch.is_grad_enabled():
            raise RuntimeError("the cpu kernel is differentiated once; came: create_graph=True")
        check_memory((dy,))
        hidden, V = ctx.saved_tensors
        errors = dy.resolve_neg().flatten(1, 2).contiguous().numpy()
        dh = torch.from_numpy(_product(errors, V.numpy().swapaxes(1, 2))).unflatten(1, hidden.shape[1:3])
        columns = padded(errors.shape[1])
        sources = np.zeros((hidden.shape[0], hidden.shape[-1] + 1, columns), np.float32)
        sources[:, :-1, : errors.shape[1]] = hidden.flatten(1, 2).numpy().swapaxes(1, 2)
        sources[:, -1, : errors.shape[1]] = 1
        swapped = np.zeros((*errors.shape[::2], columns), np.float32)
        swapped[:, :, : errors.shape[1]] = errors.swapaxes(1, 2)
        both = np.zeros((*sources.shape[:2], errors.shape[2]), np.float32)
        fused.correlate(sources, swapped, both)
        return dh, torch.from_numpy(both[:, :-1]), torch.from_numpy(both[:, -1])


def _product(rows: Array, V: Array) -> Array:
    """Return (R, N, m) times (R, m, n)."""
    s = np.zeros((*V.shape[:2], padded(V.shape[2])), np.float32)
    s[:, :, : V.shape[2]] = V
    y = np.empty((*rows.shape[:2], s.shape[2]), np.float32)
    fused.multiply(rows, s, y)
    return y[:, :, : V.shape[2]]
