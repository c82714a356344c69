"""Logistic outputs under squared error, as in Hochreiter & Schmidhuber 1997.

Loss of a sequence: the sum over its outputs of (sigma(y) - target)^2. Right: every output is within the task's
tolerance of its target.
"""

import numpy as np
import torch
from torch import Tensor

from tasks.task import mean_of


def squared_error(outputs: Tensor, vectors: Tensor) -> Tensor:
    """Return the mean loss per replica (R,) of net outputs and the targets of their squashed values, (R, S, B, n)."""
    return mean_of((torch.sigmoid(outputs) - vectors).square().sum(dim=-1))


def within(outputs: Tensor, vectors: Tensor, *, tolerance: float) -> Tensor:
    """Return where every squashed output is less than `tolerance` from its target: bool (R, S, B)."""
    return (torch.abs(torch.sigmoid(outputs) - vectors) < tolerance).all(dim=-1)


def one_hot(classes: Tensor, *, like: Tensor) -> Tensor:
    """Return the vectors (R, S, B, n) of classes (R, S, B) for outputs (R, S, B, n)."""
    return torch.nn.functional.one_hot(classes.long(), like.shape[-1]).to(like.dtype)


def one_hot_array(classes: np.ndarray, *, outputs: int) -> np.ndarray:
    """Return the vectors (B, outputs) float64 of classes (1, B)."""
    return np.eye(outputs)[classes[0]]
