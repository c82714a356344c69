"""Random weight guessing: the best of many networks that nobody trained, the control of every accuracy.

Schmidhuber, Hochreiter & Bengio 2001, "Evaluating benchmark problems by random guessing", sec. 2: sample all weights
from U[-100, 100] until the network classifies a training set of 100 sequences; a problem that falls to this is no test
of learning. Here the network is the model itself and the number of guesses is fixed. They take turns: U[-bound, bound]
as published, then the model's own initial weights times each of `scales`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from models.network import Network
from tasks.task import Batch, Task
from training.evaluation import Scores, evaluate, rank
from training.networks import load_network, stream
from training.replica import Checkpointer, TrainingProgress

GUESSES_AT_ONCE = 64
"""Networks per forward pass: bounds the memory."""


class Best(NamedTuple):
    """The guess that validation prefers (accuracy, then loss), and its score there."""

    weights: torch.Tensor
    """(1, P)"""
    validation: Scores


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
    options, size = settings["guessing"], settings["training"]["test_sequences"]
    network, task, like = load_network(settings)
    open_stream = partial(stream, task=settings["task"]["name"], lag=task.lag, seed=options["seed"])
    rng, validation = open_stream("guesses"), task.sample(open_stream("validation"), options["validation_sequences"])
    best = find_best_guess(network, task, validation=validation, options=options, rng=rng, like=like)
    scores: dict[str, float] = {}
    if best is not None:
        data = [task.sample(open_stream("test"), size)]
        (test,) = evaluate(network, best.weights, task=task, data=data, rows=[0])
        scores = {f"test_{name}": value for name, value in test.items()}
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
    options: Mapping[str, Any],
    rng: np.random.Generator,
    like: torch.Tensor,
) -> Best | None:
    """Return the best of the guesses, the first of equals, with device and dtype of `like`; None if all overflow.

    The options are the number of `guesses`, the `bound` of the uniform weights and the `scales` of the initial ones.
    """
    best: Best | None = None
    for begin in range(0, options["guesses"], GUESSES_AT_ONCE):
        numbers = range(begin, min(begin + GUESSES_AT_ONCE, options["guesses"]))
        guesses = [sample_guess(network, task, options=options, number=number, rng=rng) for number in numbers]
        weights = torch.from_numpy(np.stack(guesses)).to(like)
        scores = evaluate(network, weights, task=task, data=[validation], rows=[0] * len(numbers))
        for row, score in enumerate(scores):
            if np.isfinite(score["loss"]) and (best is None or rank(score) > rank(best.validation)):
                best = Best(weights[row : row + 1].clone(), score)
    return best


def sample_guess(
    network: Network, task: Task, *, options: Mapping[str, Any], number: int, rng: np.random.Generator
) -> np.ndarray:
    """Sample the weights of guess `number` (P,): float64."""
    turn = number % (1 + len(options["scales"]))
    if turn == 0:
        return rng.uniform(-options["bound"], options["bound"], network.parameters)
    return options["scales"][turn - 1] * network.initialise(rng, sequence_length=task.sequence_length)
