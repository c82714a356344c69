"""Negative controls: predictors that remember nothing, or only the last symbol, or learn from shuffled targets."""

import numpy as np
import torch
from torch import Tensor

from tasks.task import Batch, Task


def is_one_hot(batch: Batch) -> bool:
    """Return whether inputs are the indices (T, B) of what is on."""
    return batch.inputs.ndim == 2


def dense(batch: Batch, *, features: int) -> np.ndarray:
    """Return the inputs as vectors (T, B, features) float32."""
    if not is_one_hot(batch):
        return batch.inputs
    return np.eye(features + 1, dtype=np.float32)[batch.inputs][:, :, :-1]  # the last row is that of -1


def scores(task: Task, outputs: Tensor, batch: Batch) -> tuple[float, float]:
    """Return loss and accuracy of outputs (S, B, outputs) on the batch."""
    targets = torch.from_numpy(batch.targets)[None]
    if targets.is_floating_point():
        targets = targets.to(outputs.dtype)
    return float(task.loss(outputs[None], targets)), float(task.correct(outputs[None], targets).float().mean())


def losses(task: Task, outputs: Tensor, batch: Batch) -> Tensor:
    """Return the loss of each sequence (B,) for outputs (S, B, outputs)."""
    targets = torch.from_numpy(batch.targets).T[:, :, None]  # each sequence as a replica of its own
    return task.loss(outputs.transpose(0, 1)[:, :, None], targets)


def constant_predictor(task: Task, batch: Batch) -> Tensor:
    """Predict, at each step, the mean target (regression) or the class frequencies (classification) of this batch."""
    steps, size = batch.targets.shape
    if task.logistic:
        mean = torch.from_numpy(task.vectors(batch.targets)).mean(dim=0)
        return torch.logit(mean).expand(1, size, task.outputs)
    if np.issubdtype(batch.targets.dtype, np.floating):
        return torch.full((steps, size, 1), float(batch.targets.mean()), dtype=torch.float64)
    frequencies = np.stack([np.bincount(row, minlength=task.outputs) for row in batch.targets]) / size
    logits = torch.from_numpy(np.log(np.maximum(frequencies, 1e-12)))
    return logits[:, None, :].expand(steps, size, task.outputs)


def constant_answer(task: Task, batch: Batch) -> Tensor:
    """Predict what is right most often: the constant predictor, but of logistic classes the first one for certain."""
    outputs = constant_predictor(task, batch)
    if task.logistic and task.outputs > 1:
        outputs = torch.full_like(outputs, -50).index_fill(-1, torch.tensor([0]), 50)
    return outputs


def last_symbol_predictor(task: Task, batch: Batch) -> Tensor:
    """Temporal order: know the last relevant symbol (features 6 and 7) and guess the others."""
    size = batch.starts.size
    relevant = batch.inputs[:, :, 6:8]  # (T, B, 2)
    steps = np.arange(len(relevant))[:, None]
    last_y = np.where(relevant[:, :, 1] > 0, steps, -1).max(axis=0)
    last_x = np.where(relevant[:, :, 0] > 0, steps, -1).max(axis=0)
    logits = np.full((size, task.outputs), -1e3)
    ends_in_y = last_y > last_x
    logits[ends_in_y, 1::2] = 0  # classes whose last binary digit is 1 end in Y
    logits[~ends_in_y, ::2] = 0
    return torch.from_numpy(logits)[None]


def linear_probe(features: np.ndarray, targets: np.ndarray, *, split: int) -> np.ndarray:
    """Fit least squares with intercept on the first `split` rows and predict the others; targets (B, outputs)."""
    design = np.column_stack([features, np.ones(len(features))])
    coefficients, *_ = np.linalg.lstsq(design[:split], targets[:split], rcond=None)
    return design[split:] @ coefficients
