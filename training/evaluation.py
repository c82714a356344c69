"""What every replica's weights give on data that its own seed determines: loss and gradient, accuracy, exact match."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.gradient_flow import GradientFlow
from models.network import Network
from tasks.task import Batch, Task

SEQUENCES_AT_ONCE = 256
"""Sequences per forward pass: bounds the memory."""


Scores = dict[str, float]
"""Of a replica: all NaN where the loss is not finite, for such outputs are never right."""
SCORES = ("loss", "accuracy", "exact_match")


class Tensors(NamedTuple):
    """One batch per replica: inputs (R, T, B, features) or indices (R, T, B), targets (R, S, B), starts (R, B)."""

    inputs: Tensor
    targets: Tensor
    starts: Tensor


def to_tensors(batches: Sequence[Batch], *, rows: Sequence[int], like: Tensor) -> Tensors:
    """Stack the batches, one per seed, and give replica r the batch `rows[r]`, with the device of `like` and, where
    they are no integers, its dtype.
    """

    def stack(arrays: Sequence[np.ndarray]) -> Tensor:
        tensor = torch.from_numpy(np.stack(arrays)[list(rows)]).to(like.device)
        return tensor.to(like.dtype) if tensor.is_floating_point() else tensor

    return Tensors(*(stack(arrays) for arrays in zip(*batches, strict=True)))


def compute_gradient(
    network: Network, weights: Tensor, *, task: Task, data: Tensors, flow: GradientFlow
) -> tuple[Tensor, Tensor]:
    """Return the loss (R,) and its gradient (R, P) of weights (R, P) on one batch per replica.

    The targets are those of the last steps.
    """
    leaf, first_target = weights.detach().requires_grad_(), data.inputs.shape[1] - data.targets.shape[1]
    outputs = network.outputs_of(leaf, inputs=data.inputs, starts=data.starts, first_target=first_target, flow=flow)
    loss = task.loss(outputs, data.targets)
    (gradient,) = torch.autograd.grad(loss.sum(), leaf)
    return loss.detach(), gradient


@torch.no_grad()
def evaluate(
    network: Network, weights: Tensor, *, task: Task, data: Sequence[Batch], rows: Sequence[int]
) -> list[Scores]:
    """Score replica r, row r of weights (R, P), on the sequences `data[rows[r]]`."""
    size = data[0].starts.size
    flow = GradientFlow(frozenset())  # the values are the same under any
    loss, right, exact = torch.zeros(3, len(rows), dtype=torch.float64)
    scored = 1
    for begin in range(0, size, SEQUENCES_AT_ONCE):
        part = slice(begin, begin + SEQUENCES_AT_ONCE)
        batches = [Batch(b.inputs[:, part], b.targets[:, part], b.starts[part]) for b in data]
        inputs, targets, starts = to_tensors(batches, rows=rows, like=weights)
        outputs = network.outputs_of(weights, inputs=inputs, starts=starts, first_target=task.first_target, flow=flow)
        correct = task.correct(outputs, targets).cpu()
        scored = correct.shape[1]
        loss += task.loss(outputs, targets).double().cpu() * starts.shape[1]
        right += correct.sum(dim=(1, 2))
        exact += correct.all(dim=1).sum(dim=1)
    totals = torch.where(torch.isfinite(loss), torch.stack([loss, right / scored, exact]), torch.nan)
    return [dict(zip(SCORES, row, strict=True)) for row in (totals / size).T.tolist()]


def rank(score: Scores) -> tuple[float, float]:
    """Return what orders scores: accuracy, then loss."""
    return score["accuracy"], -score["loss"]
