"""The closed floors of every task against predictors that read the last steps of 10 000 draws and nothing else."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tasks.task import Batch, Task, load_task

DRAWS = 10_000
CERTAIN = 30.0  # a logit: the other outcomes have e^-30


def adding_sum(task: Task, window: np.ndarray) -> np.ndarray:
    """Add the marked values that the window shows, the mean (0.5, or 0 in 1997) for those that it does not."""
    values, marked = window[:, :, 0], window[:, :, 1] == 1
    seen = np.where(marked, values, 0).sum(axis=0, dtype=np.float64)
    return seen + 0.5 * (2 - marked.sum(axis=0)) if task.variant == "uniform" else 0.5 + seen / 4  # type: ignore[attr-defined]


def adding(task: Task, window: np.ndarray, *, certain: bool) -> Tensor:
    prediction = torch.from_numpy(adding_sum(task, window))[None, :, None]
    return torch.logit(prediction.clamp(1e-12, 1 - 1e-12)) if task.logistic else prediction


def copy(task: Task, window: np.ndarray, *, certain: bool) -> Tensor:
    """Name the symbols that the window shows; of the others every one of eight is as probable as another."""
    steps, size = task.sequence_length - task.first_target, window.shape[1]
    logits = np.full((steps, size, 10), -CERTAIN)
    logits[:-10, :, 0] = CERTAIN
    logits[-10:, :, 1:9] = 0
    begin = task.sequence_length - len(window)
    for step in range(begin, 10):
        recalled = steps - 10 + step
        logits[recalled] = np.where(window[step - begin] > 0, CERTAIN, -CERTAIN)
    return torch.from_numpy(logits)


def classes(possible: np.ndarray, *, task: Task, certain: bool) -> Tensor:
    """Return outputs for classes of which the possible ones (B, n) are equally probable: their shares, or the first."""
    if certain:
        possible = possible & (np.cumsum(possible, axis=1) == 1)
    shares = torch.from_numpy(possible / possible.sum(axis=1, keepdims=True)).clamp(1e-13, 1 - 1e-13)
    return torch.logit(shares)[None] if task.logistic else shares.log()[None]


def temporal_order(task: Task, window: np.ndarray, *, certain: bool) -> Tensor:
    """Keep the classes whose last symbols are those that the window shows."""
    code, seen = np.zeros((2, window.shape[1]), dtype=int)  # X and Y read as 0 and 1, and how many
    for x, y in window[:, :, 6:8].astype(int).transpose(0, 2, 1):
        code, seen = np.where(x + y > 0, 2 * code + y, code), seen + x + y
    possible = np.arange(task.outputs) % 2 ** seen[:, None] == code[:, None]
    return classes(possible, task=task, certain=certain)


def long_lag(task: Task, window: np.ndarray, *, certain: bool) -> Tensor:
    """Keep x, y or both."""
    x, y = ((window == task.symbols + 2 + answer).any(axis=0) for answer in (0, 1))  # type: ignore[attr-defined]
    return classes(np.stack([~y, ~x], axis=1), task=task, certain=certain)


Predictor = Callable[..., Tensor]
CASES: list[tuple[str, dict[str, Any], int, Predictor, list[int]]] = [
    ("adding", {"variant": "uniform", "output": "linear"}, 12, adding, [0, 5, 12, 15, 23, 24]),
    ("adding", {"variant": "hochreiter1997", "output": "linear"}, 30, adding, [20, 40, 45, 52, 58, 62]),
    ("adding", {"variant": "hochreiter1997", "output": "logistic"}, 30, adding, [33, 50, 56, 59]),
    ("copy", {"loss": "all"}, 17, copy, [10, 18, 20, 26, 27]),
    ("copy", {"loss": "recall"}, 17, copy, [10, 18, 20, 26, 27]),
    ("temporal_order", {"symbols": 2, "output": "softmax"}, 20, temporal_order, [20, 22, 27, 40, 44, 50]),
    ("temporal_order", {"symbols": 3, "output": "softmax"}, 12, temporal_order, [12, 15, 20, 35, 45]),
    ("temporal_order", {"symbols": 3, "output": "logistic"}, 12, temporal_order, [15, 20, 35, 45]),
    ("long_lag", {"symbols": 4}, 12, long_lag, [12, 13, 20, 40]),
]


def per_sequence(task: Task, batch: Batch, outputs: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return loss and share right of every sequence: the task's, of batches of one."""
    targets = torch.from_numpy(batch.targets)[None]
    targets = targets.double() if targets.is_floating_point() else targets
    alone = outputs.permute(1, 0, 2)[:, :, None]  # as many replicas as sequences
    loss = task.loss(alone, targets[0].T[:, :, None])
    return loss.numpy(), task.correct(outputs[None], targets).double().mean(dim=1)[0].numpy()


@pytest.mark.parametrize(("name", "options", "lag", "predictor", "windows"), CASES)
def test_floors_are_what_a_bayes_predictor_reaches(
    name: str, options: dict[str, Any], lag: int, predictor: Predictor, windows: list[int]
) -> None:
    task = load_task(name, lag=lag, options=options)
    batch = task.sample(np.random.default_rng(7), DRAWS)
    for num_steps in windows:
        window = batch.inputs[task.sequence_length - min(num_steps, task.sequence_length) :]
        loss, _ = per_sequence(task, batch, predictor(task, window, certain=False))
        _, right = per_sequence(task, batch, predictor(task, window, certain=True))
        for sampled, floor in zip((loss, right), task.floor(num_steps), strict=True):
            error = max(sampled.std(), 1e-7) / math.sqrt(DRAWS)
            assert abs(sampled.mean() - floor) < 4 * error + 1e-7, (num_steps, sampled.mean(), floor)


def test_the_floors_of_the_literature() -> None:
    """Modern adding: 1/6 - (2n/T)/12 for n <= T/2; 6a: 25 % up to 40 steps, 50 % from 60 and certain beyond 100."""
    adding_task = load_task("adding", lag=50, options={"variant": "uniform", "output": "linear"})
    for num_steps in (0, 10, 50):
        assert adding_task.floor(num_steps).loss == pytest.approx(1 / 6 - 2 * num_steps / 100 / 12, rel=1e-12)
    order = load_task("temporal_order", lag=40, options={"symbols": 2, "output": "softmax"})
    assert order.floor(40).accuracy == 0.25
    assert order.floor(61).accuracy == order.floor(80).accuracy == 0.5
    assert 0.5 < order.floor(90).accuracy < order.floor(100).accuracy < order.floor(101).accuracy == 1
    assert order.floor(70).loss == pytest.approx(math.log(2), rel=1e-12)
