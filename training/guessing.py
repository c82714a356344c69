"""Random weight guessing: the best of many networks that nobody trained, the control of every accuracy.

Schmidhuber, Hochreiter & Bengio 2001, "Evaluating benchmark problems by random guessing", sec. 2: draw all weights from
U[-100, 100] until the network classifies a training set of 100 sequences; a problem that falls to this is no test of
learning. Here the network is the model itself and the number of guesses is fixed. They take turns: U[-bound, bound] as
published, then the model's own initial weights times each of `scales`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from models.cell import load_cell
from models.kernels import load_kernel
from models.network import Network
from tasks.task import Batch, Task, load_task
from training.evaluation import evaluate
from training.placement import DTYPES, device_of
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


def guess_condition(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Guess the weights of one model on one task and return the record: the settings, chance, and the best on test.

    The settings are those of `workflow/jobs/baseline.py`: device, task, model, training, guessing. The
    sequences of validation and test are those of the seed `guessing.seed`.
    """
    about, model, how, seed = settings["task"], settings["model"], settings["training"], settings["guessing"]["seed"]
    task = load_task(about["task"], lag=about["lag"], options=about["options"])
    cell = load_cell(model["cell"], features=task.features, hidden_size=model["hidden_size"], options=model["options"])
    dtype, device = DTYPES[how["dtype"]], device_of(settings["device"])
    network = Network(
        cell, outputs=task.outputs, kernel=load_kernel(how["kernel"], cell=cell, dtype=dtype, device=device)
    )
    guessing = Guessing(**{name: settings["guessing"][name] for name in Guessing._fields})
    rng, validating, testing = (
        stream(purpose, task=about["name"], lag=about["lag"], seed=seed)
        for purpose in ("guesses", "validation", "test")
    )
    validation = task.sample(validating, settings["guessing"]["validation_sequences"])
    like = torch.zeros(0, dtype=dtype, device=device)
    best = best_guess(network, task, validation=validation, guessing=guessing, rng=rng, like=like)
    found: dict[str, float] = {}
    if best is not None:
        test = evaluate(network, best.weights, task=task, data=[task.sample(testing, how["test_sequences"])], rows=[0])
        found = {f"test_{name}": value for name, value in test.of(0).items()}
        found |= {f"validation_{name}": value for name, value in best.validation.items()}
    finite = all(np.isfinite(value) for value in found.values())
    return {
        "settings": settings,
        "kernel": network.kernel.name,
        "success_accuracy": task.success_accuracy,
        "chance": task.chance._asdict(),
        "best": found if finite and found else None,
    }


def best_guess(
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
        drawn = np.stack([draw(network, task, guessing=guessing, number=number, rng=rng) for number in numbers])
        weights = torch.from_numpy(drawn).to(like)
        scores = evaluate(network, weights, task=task, data=[validation], rows=[0] * len(numbers))
        for row in range(len(numbers)):
            score = scores.of(row)
            if np.isfinite(score["loss"]) and (best is None or _rank(score) > _rank(best.validation)):
                best = Best(weights[row : row + 1].clone(), score)
    return best


def draw(network: Network, task: Task, *, guessing: Guessing, number: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the weights of guess `number` (P,): float64."""
    turn = number % (1 + len(guessing.scales))
    if turn == 0:
        return rng.uniform(-guessing.bound, guessing.bound, network.parameters)
    return guessing.scales[turn - 1] * network.initialise(rng, sequence_length=task.sequence_length)


def _rank(score: Mapping[str, float]) -> tuple[float, float]:
    return score["accuracy"], -score["loss"]
