"""What a job costs on this machine: its real code on a small part of its budget, by the clock.

On a CPU the clock counts the time that this process computed, so that others who use the machine do not count; on a GPU
it is the time that passed.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from training.condition import train_condition
from training.gradients.measurement import measure_condition
from training.guessing import GUESSES_AT_ONCE, guess_condition

STARTED = time.process_time()
"""Seconds of computing from the start of this process until all that training needs was imported."""
SECONDS = 0.15
"""How long further updates take at least from whose time that of one is computed, but at most `MOST_UPDATES`."""
MOST_UPDATES = 10_000
UPDATES, SEQUENCES = 2, 16
"""The budget that others are compared with; an evaluation is on so many sequences."""
MORE_SEQUENCES = 64
RATE = 1e-9
"""A learning rate by which no replica is solved or diverges, and so leaves."""


class Cost(NamedTuple):
    """Seconds of a job."""

    once: float
    """Whatever its budget: starting its process, and what comes before and after the training."""
    unit: float
    """Of an update of all replicas, with its share of the evaluations; of a job that guesses, of a guess."""


def time_job(kind: str, settings: Mapping[str, Any]) -> Cost:
    """Time a little of a job (`run`, `baseline` or `measurement`), with the settings that its rule gives it."""
    if kind == "baseline":
        return _time_guesses(settings)
    cost = _time_training(settings)
    if kind == "measurement":
        return cost._replace(once=STARTED + len(settings["seeds"]) * _time_measuring(settings))
    return cost


def _time_training(settings: Mapping[str, Any]) -> Cost:
    """Time trainings that differ in the number of updates, and of sequences that are evaluated."""
    training = settings["training"]
    # the initial weights, those after the last update and the best are evaluated; of `online` only these last
    passes, validation = (1, 0) if training["protocol"] == "online" else (3, training["validation_sequences"])

    def train(updates: int, sequences: int) -> float:
        sizes = {"evaluate_every": updates, "validation_sequences": sequences, "test_sequences": sequences}
        short = {
            **settings,
            "learning_rates": [RATE] * len(settings["learning_rates"]),
            "task": {**settings["task"], "sequences": updates * training["batch_size"]},
            "training": {**training, **sizes},
        }
        return _time(partial(train_condition, short, _ignore), settings)

    train(UPDATES, SEQUENCES)  # loads machine code
    least = train(UPDATES, SEQUENCES)
    sequence = max(train(UPDATES, SEQUENCES + MORE_SEQUENCES) - least, 0.0) / (passes * MORE_SEQUENCES)
    count, seconds = 1, 0.0
    while seconds < SECONDS and count < MOST_UPDATES:
        count = min(4 * count, MOST_UPDATES)
        seconds = max(train(UPDATES + count, SEQUENCES) - least, 0.0)
    update = seconds / count
    fixed = max(least - UPDATES * update - passes * SEQUENCES * sequence, 0.0)
    once = STARTED + fixed + sequence * (validation + training["test_sequences"])
    return Cost(once, update + sequence * validation / training["evaluate_every"])


def _time_guesses(settings: Mapping[str, Any]) -> Cost:
    def guess(count: int) -> float:
        few = {**settings, "guessing": {**settings["guessing"], "guesses": count}}
        return _time(partial(guess_condition, few, _ignore), settings)

    guess(1)  # loads machine code
    single = guess(1)
    unit = max(guess(1 + GUESSES_AT_ONCE) - single, 0.0) / GUESSES_AT_ONCE
    return Cost(STARTED + max(single - unit, 0.0), unit)


def _time_measuring(settings: Mapping[str, Any]) -> float:
    """Time the measurement of one seed whose training is cut short."""
    training = settings["training"]
    short = {
        **settings,
        "seeds": settings["seeds"][:1],
        "task": {**settings["task"], "sequences": UPDATES * training["batch_size"]},
        "training": {**training, "evaluate_every": 1, "validation_sequences": settings["measurement"]["sequences"]},
    }
    return _time(partial(measure_condition, short, _ignore), settings)


def _time(call: Callable[[], object], settings: Mapping[str, Any]) -> float:
    clock = time.perf_counter if settings["device"] == "cuda" else time.process_time
    started = clock()
    call()
    return clock() - started


def _ignore(_: object) -> None:
    """Take no notice of the progress."""
