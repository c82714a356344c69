"""Random weight guessing: the best of many networks that nobody trained, the control of every accuracy.

Schmidhuber, Hochreiter & Bengio 2001, "Evaluating benchmark problems by random guessing", sec. 2: sample all weights
from U[-100, 100] until the network classifies a training set of 100 sequences; a problem that falls to this is no test
of learning. Here the network is the model itself and the number of guesses is fixed. They take turns: U[-bound, bound]
as published, then the model's own initial weights times each of `scales`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from models.cell import load_cell
from models.kernels import load_kernel
from models.network import Network
from tasks.task import Batch, Task, load_task
from training.evaluation import evaluate, rank
from training.placement import DTYPES, select_device
from training.replica import TrainingProgress
from training.state import Checkpointer
from training.streams import stream

GUESSES_AT_ONCE = 64
"""Networks per forward pass: bounds the memory."""


class Guessing(NamedTuple):
    """How to guess: how many networks, the bound of the uniform weights, the factors of the initial ones."""

    guesses: int
    bound: float
    scales: Sequence[float]


class Best(NamedTuple):
    """The guess that validation prefers (accuracy, then loss), and its score there."""

    weights: torch.Tensor
    """(1, P)"""
    validation: Mapping[str, float]


def guess_condition(
    settings: Mapping[str, Any],
    report: Callable[[TrainingProgress], None] | None = None,
    *,
    checkpointer: Checkpointer | None = None,
) -> dict[str, Any]:
    """Guess the weights of one model on one task and return the record: the settings, chance, and the best on test.

    The settings are those of `workflow/jobs/baseline.py`: device, task, model, training, guessing. The
    sequences of validation and test are those of the seed `guessing.seed`. No progress is reported or saved.
    """
    task_settings, model, training = settings["task"], settings["model"], settings["training"]
    task = load_task(task_settings["task"], lag=task_settings["lag"], options=task_settings["options"])
    cell = load_cell(model["cell"], features=task.features, hidden_size=model["hidden_size"], options=model["options"])
    dtype, device = DTYPES[training["dtype"]], select_device(settings["device"])
    kernel = load_kernel(training["kernel"], cell=cell, dtype=dtype, device=device)
    network = Network(cell, outputs=task.outputs, kernel=kernel)
    guessing = Guessing(**{name: settings["guessing"][name] for name in Guessing._fields})
    guesses, validating, testing = (
        stream(purpose, task=task_settings["name"], lag=task_settings["lag"], seed=settings["guessing"]["seed"])
        for purpose in ("guesses", "validation", "test")
    )
    validation = task.sample(validating, settings["guessing"]["validation_sequences"])
    like = torch.zeros(0, dtype=dtype, device=device)
    best = find_best_guess(network, task, validation=validation, guessing=guessing, rng=guesses, like=like)
    scores: dict[str, float] = {}
    if best is not None:
        data = [task.sample(testing, training["test_sequences"])]
        test = evaluate(network, best.weights, task=task, data=data, rows=[0])
        scores = {f"test_{name}": value for name, value in test.select(0).items()}
        scores |= {f"validation_{name}": value for name, value in best.validation.items()}
    is_finite = all(np.isfinite(value) for value in scores.values())
    return {
        "settings": settings,
        "kernel": network.kernel.name,
        "success_accuracy": task.success_accuracy,
        "chance": task.chance._asdict(),
        "best": scores if is_finite and scores else None,
    }


def find_best_guess(
    network: Network,
    task: Task,
    *,
    validation: Batch,
    guessing: Guessing,
    rng: np.random.Generator,
    like: torch.Tensor,
    at_once: int = GUESSES_AT_ONCE,
) -> Best | None:
    """Return the best of the guesses, the first of equals, with device and dtype of `like`; None if all overflow."""
    best: Best | None = None
    for begin in range(0, guessing.guesses, at_once):
        numbers = range(begin, min(begin + at_once, guessing.guesses))
        guesses = [sample_guess(network, task, guessing=guessing, number=number, rng=rng) for number in numbers]
        weights = torch.from_numpy(np.stack(guesses)).to(like)
        scores = evaluate(network, weights, task=task, data=[validation], rows=[0] * len(numbers))
        for row in range(len(numbers)):
            score = scores.select(row)
            if np.isfinite(score["loss"]) and (best is None or rank(score) > rank(best.validation)):
                best = Best(weights[row : row + 1].clone(), score)
    return best


def sample_guess(
    network: Network, task: Task, *, guessing: Guessing, number: int, rng: np.random.Generator
) -> np.ndarray:
    """Sample the weights of guess `number` (P,): float64."""
    turn = number % (1 + len(guessing.scales))
    if turn == 0:
        return rng.uniform(-guessing.bound, guessing.bound, network.parameters)
    return guessing.scales[turn - 1] * network.initialise(rng, sequence_length=task.sequence_length)
