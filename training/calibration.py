"""What the parts of a job cost on this machine: a little of its real training, at its real size, by the clock.

On a CPU the clock counts the time that this process computed, so that others who use the machine do not count; on a GPU
it is the time that passed.
"""

import importlib
import resource
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch

from training.condition import Prepared, prepare
from training.evaluation import SEQUENCES_AT_ONCE, evaluate
from training.guessing import GUESSES_AT_ONCE, guess_condition
from training.loop import Standing, train

STARTED = time.process_time()
"""Seconds of computing from the start of this process until all that training needs was imported."""

SECONDS = 0.15
"""How long updates are timed."""

MOST_UPDATES = 20


class Cost(NamedTuple):
    """Seconds of the parts of a job, and bytes."""

    fixed: float
    """Once per job, beside the start of its process and what else is named here."""
    sampling: float
    """To draw a sequence of one seed."""
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
    clock = time.perf_counter if settings["device"] == "cuda" else time.process_time
    forget_peak()
    began = clock()
    how = settings["training"]
    size = min(max(how["validation_sequences"], how["test_sequences"]), SEQUENCES_AT_ONCE)
    small = {**settings, "training": {**how, "validation_sequences": size}}
    course, replicas, weights = prepared = prepare(small)
    prepared_after = clock() - began

    seeds, network, task = len(settings["seeds"]), course.network, course.task
    rows = [replica.seed for replica in replicas]
    began = clock()
    batch = task.sample(course.data.training[0], size)
    sampling = (clock() - began) / size

    def score() -> None:
        evaluate(network, weights, task=task, data=course.data.validation, rows=rows)

    evaluation = _second(score, clock) / size
    update = _online_update(prepared) if how["protocol"] == "online" else _update(prepared, clock)
    return Cost(
        fixed=max(prepared_after - sampling * size * seeds, 0.0),
        sampling=sampling,
        evaluation=evaluation,
        update=update,
        memory=peak(settings["device"]),
        parameters=network.parameters,
        bytes_per_sequence=sum(array.nbytes for array in batch) / size,
    )


def _update(prepared: Prepared, clock: Callable[[], float]) -> float:
    """Return the seconds of an update, the first of which is not counted."""
    ends: list[float] = []

    def report(_: Standing) -> None:
        ends.append(clock())  # the first time before any update
        if len(ends) > 3 and (ends[-1] - ends[1] > SECONDS or len(ends) > MOST_UPDATES):
            raise _Enough

    with suppress(_Enough):
        train(prepared.course, prepared.replicas, weights=prepared.weights, report=report)
    first = min(1, len(ends) - 2)
    return (ends[-1] - ends[first]) / max(len(ends) - 1 - first, 1)


def _online_update(prepared: Prepared) -> float:
    """Return the seconds of a sequence of online training, timed over as many as take `SECONDS`."""
    online = importlib.import_module("training.online")  # as training/condition.py does
    course, replicas, weights = prepared
    assert course.task.stop is not None
    count, taken = 5, 0.0
    for _ in range(3):  # the first loads the machine code, the second tells how many sequences the third has
        learners = [
            online.Learner(replica, initial.copy(), online.Watch(course.task.stop))
            for replica, initial in zip(replicas, weights.double().cpu().numpy(), strict=True)
        ]
        short = course._replace(protocol=course.protocol._replace(updates=count))
        began = time.process_time()
        online.train(short, learners, report=lambda _: None)
        taken = (time.process_time() - began) / count
        count = min(max(round(SECONDS / max(taken, 1e-9)), 5), online.CHUNK)
        for replica in replicas:
            replica.updates, replica.updates_to_solve, replica.diverged = 0, None, False
    return taken


def _cost_of_guess(settings: Mapping[str, Any]) -> Cost:
    clock = time.perf_counter if settings["device"] == "cuda" else time.process_time
    forget_peak()
    guesses = min(settings["guessing"]["guesses"], GUESSES_AT_ONCE)

    def guess(count: int) -> Callable[[], object]:
        return lambda: guess_condition({**settings, "guessing": {**settings["guessing"], "guesses": count}})

    one, many = _second(guess(1), clock), _second(guess(guesses), clock)
    each = max(many - one, 0.0) / max(guesses - 1, 1)
    return Cost(max(one - each, 0.0), 0.0, 0.0, each, peak(settings["device"]), 0.0, 0.0)


def _cost_of_measurement(settings: Mapping[str, Any]) -> Cost:
    """Time a measurement of one seed whose training is cut short: what is fixed is for one seed."""
    measurement = importlib.import_module("training.measurement")
    trained = _cost_of_run(settings)
    how, seed = settings["training"], settings["seeds"][:1]
    short = {
        **settings,
        "seeds": seed,
        "task": {**settings["task"], "sequences": 2 * how["batch_size"]},
        "training": {**how, "evaluate_every": 1, "validation_sequences": settings["measurement"]["sequences"]},
    }
    began = time.process_time()
    measurement.measure_condition(short, lambda _: None)
    taken = time.process_time() - began
    return trained._replace(fixed=taken, memory=peak(settings["device"]))


def _second(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return the seconds of a call's second time: the first one loads machine code."""
    call()
    began = clock()
    call()
    return clock() - began


def forget_peak() -> None:
    """Let the peak of memory be counted from now on, where the system can (Linux)."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak(device: str) -> float:
    """Return the peak of memory in bytes, of the GPU if that trains."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated())
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
