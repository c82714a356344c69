"""Gradients held against finite differences along random directions: as strict as entry by entry, at a fraction."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

STEP = 1e-5


def assert_gradient(loss: Callable[[Mapping[str, Tensor]], Tensor], leaves: Mapping[str, Tensor]) -> None:
    """Check dloss/dleaf of each float64 leaf along two directions, relative to the norm of the whole gradient.

    A part of a gradient may be exactly 0 (and is no more exact than the rounding of the loss), hence the whole.
    """
    rng = np.random.default_rng(4)
    gradients = torch.autograd.grad(loss(leaves), list(leaves.values()), materialize_grads=True)
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    assert norm > 0, "no leaf has a gradient"
    for (name, value), gradient in zip(leaves.items(), gradients, strict=True):
        for _ in range(2):
            direction = torch.from_numpy(rng.normal(size=value.shape))
            direction *= STEP / direction.norm()
            with torch.no_grad():
                difference = loss({**leaves, name: value + direction}) - loss({**leaves, name: value - direction})
            error = (difference / 2 - (gradient * direction).sum()).abs() / STEP
            assert error < 1e-6 * norm, f"the gradient of {name} is not that of finite differences: what is detached?"
