"""What the parts of a job cost on this machine: a little of its real training, at its real size, by the clock.

On a CPU the clock counts the time that this process computed, so that others who use the machine do not count; on a GPU
it is the time that passed.
"""

import resource
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import torch

from training.evaluation import SEQUENCES_AT_ONCE, evaluate
from training.gradients.measurement import measure_condition
from training.guessing import GUESSES_AT_ONCE, guess_condition
from training.protocol import TrainingProtocol, load_protocol, train
from training.replica import TrainingProgress
from training.setup import Setup, prepare_condition

STARTED = time.process_time()
"""Seconds of computing from the start of this process until all that training needs was imported."""

SECONDS = 0.15
"""How long updates are timed."""

MOST_UPDATES = 500


class Cost(NamedTuple):
    """Seconds of the parts of a job, and bytes."""

    fixed: float
    """Once per job, apart from the start of its process and what else is named here."""
    sampling: float
    """To sample a sequence of one seed."""
    evaluation: float
    """To evaluate all replicas on a sequence of each."""
    update: float
    """Of all replicas; of a job that guesses: per guess."""
    memory: float
    """At the peak, without test data beyond those of one forward pass."""
    parameters: float
    """Of one network."""
    bytes_per_sequence: float


class _Enough(Exception):
    """Ends a training that has been timed."""


def cost_of(kind: str, settings: Mapping[str, Any]) -> Cost:
    """Time a little of a job (`run`, `baseline` or `measurement`), with the settings that its rule gives it."""
    return {"run": _cost_of_run, "baseline": _cost_of_guess, "measurement": _cost_of_measurement}[kind](settings)


def _cost_of_run(settings: Mapping[str, Any]) -> Cost:
    clock, training = _clock_of(settings), settings["training"]
    reset_peak()
    started = clock()
    size = min(max(training["validation_sequences"], training["test_sequences"]), SEQUENCES_AT_ONCE)
    prepared = prepare_condition({**settings, "training": {**training, "validation_sequences": size}})
    preparation = clock() - started

    network, task = prepared.network, prepared.task
    rows = [replica.seed for replica in prepared.replicas]
    started = clock()
    batch = task.sample(prepared.streams[0], size)
    sampling = (clock() - started) / size

    def score() -> None:
        evaluate(network, prepared.weights, task=task, data=prepared.validation, rows=rows)

    evaluation = _time_second_call(score, clock) / size
    return Cost(
        fixed=max(preparation - sampling * size * len(settings["seeds"]), 0.0),
        sampling=sampling,
        evaluation=evaluation,
        update=_time_update(load_protocol(settings), prepared, clock),
        memory=measure_peak(settings["device"]),
        parameters=network.parameters,
        bytes_per_sequence=sum(array.nbytes for array in batch) / size,
    )


def _time_update(protocol: type[TrainingProtocol], setup: Setup, clock: Callable[[], float]) -> float:
    """Return the seconds of an update of all replicas, timed over as many as take `SECONDS`, but at least 2."""
    _time_updates(protocol, setup, count=2, clock=clock)  # loads machine code
    seconds = _time_updates(protocol, setup, count=2, clock=clock)
    count = min(round(SECONDS / max(seconds, 1e-9)), MOST_UPDATES)
    return _time_updates(protocol, setup, count=count, clock=clock) if count > 2 else seconds


def _time_updates(protocol: type[TrainingProtocol], setup: Setup, *, count: int, clock: Callable[[], float]) -> float:
    """Train for so many updates, the evaluation of the initial weights apart, and return the seconds of one."""
    few = setup._replace(  # ends before an evaluation
        replicas=deepcopy(setup.replicas), updates=count + 1, evaluate_every=count + 1
    )
    started = ended = clock()
    update = 0

    def report(progress: TrainingProgress) -> None:
        nonlocal started, ended, update
        ended, update = clock(), progress.update
        if update == 0:
            started = ended
        elif update >= count:
            raise _Enough

    with suppress(_Enough):
        train(protocol(few), report)
    return (ended - started) / max(update, 1)


def _cost_of_guess(settings: Mapping[str, Any]) -> Cost:
    clock = _clock_of(settings)
    reset_peak()
    guesses = min(settings["guessing"]["guesses"], GUESSES_AT_ONCE)

    def guess(count: int) -> Callable[[], object]:
        return lambda: guess_condition({**settings, "guessing": {**settings["guessing"], "guesses": count}})

    single, many = _time_second_call(guess(1), clock), _time_second_call(guess(guesses), clock)
    each = max(many - single, 0.0) / max(guesses - 1, 1)
    return Cost(max(single - each, 0.0), 0.0, 0.0, each, measure_peak(settings["device"]), 0.0, 0.0)


def _cost_of_measurement(settings: Mapping[str, Any]) -> Cost:
    """Time a measurement of one seed whose training is cut short: what is fixed is for one seed."""
    trained = _cost_of_run(settings)
    training = settings["training"]
    short = {
        **settings,
        "seeds": settings["seeds"][:1],
        "task": {**settings["task"], "sequences": 2 * training["batch_size"]},
        "training": {**training, "evaluate_every": 1, "validation_sequences": settings["measurement"]["sequences"]},
    }
    started = time.process_time()
    measure_condition(short, lambda _: None)
    return trained._replace(fixed=time.process_time() - started, memory=measure_peak(settings["device"]))


def _clock_of(settings: Mapping[str, Any]) -> Callable[[], float]:
    return time.perf_counter if settings["device"] == "cuda" else time.process_time


def _time_second_call(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return the seconds of a call's second time: the first one loads machine code."""
    call()
    started = clock()
    call()
    return clock() - started


def reset_peak() -> None:
    """Count the peak of memory from now on, where the system can (Linux)."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def measure_peak(device: str) -> float:
    """Return the peak of memory in bytes, of the GPU if that trains."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated())
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
