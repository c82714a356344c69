"""One condition from its settings to its run record: what a training job computes."""

import importlib
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, load_cell
from models.gradient_flow import GradientFlow
from models.kernels import load_kernel
from models.network import Network
from tasks.task import Batch, Task, load_task
from training.cohort import Replica
from training.evaluation import evaluate
from training.loop import Course, Data, Protocol, Standing, train
from training.optimiser import load_optimiser
from training.placement import DTYPES, device_of
from training.state import Keeper
from training.streams import Purpose, stream


def train_condition(
    settings: Mapping[str, Any], report: Callable[[Standing], None], *, keeper: Keeper | None = None
) -> dict[str, Any]:
    """Train every (seed, learning rate) of the settings and return the run record.

    The settings are those of `workflow/experiment`: device, seeds, learning_rates, task, model, gradient,
    training, optimiser. The record holds them, the kernel that ran, the length of a sequence in steps, the success
    criterion, how many steps are scored, the chance level, the floor at the flow's k2, one entry per replica and the
    learning curves; the same versions on the same kind of machine make the same record again, also where `keeper` has
    the state of a training that was cut short. Settings that do not fit together are a ValueError, a missing GPU a
    RuntimeError.
    """
    if settings["training"]["protocol"] == "online":  # by name, so that no other run depends on its code
        online = importlib.import_module("training.online")
        made: dict[str, Any] = online.train_online_condition(settings, report, keeper=keeper)
        return made
    course, replicas, weights = prepared = prepare(settings)
    train(course, replicas, weights=weights, report=report, keeper=keeper)
    best = torch.stack([weights[row] if r.best_weights is None else r.best_weights for row, r in enumerate(replicas)])
    return record(settings, prepared, best=best)


class Prepared(NamedTuple):
    """A condition before its training: row r of weights (R, P) belongs to `replicas[r]`."""

    course: Course
    replicas: list[Replica]
    weights: Tensor


def prepare(settings: Mapping[str, Any]) -> Prepared:
    """Build what the settings ask for, with initial weights and data of every seed."""
    seeds, rates, how = (settings["seeds"], settings["learning_rates"], settings["training"])
    task, cell, flow = _build(settings)
    device, dtype = device_of(settings["device"]), DTYPES[how["dtype"]]
    kernel = load_kernel(how["kernel"], cell=cell, dtype=dtype, device=device)
    network = Network(cell, outputs=task.outputs, kernel=kernel)

    initial = [
        network.initialise(rng, sequence_length=task.sequence_length) for rng in streams("weights", settings=settings)
    ]
    replicas = [Replica(seed, rate) for seed in range(len(seeds)) for rate in rates]
    weights = torch.from_numpy(np.stack([initial[replica.seed] for replica in replicas]))
    weights = weights.to(device=device, dtype=dtype)
    validation = [task.sample(rng, how["validation_sequences"]) for rng in streams("validation", settings=settings)]
    constants = {key: value for key, value in settings["optimiser"].items() if key != "name"}
    protocol = Protocol(
        batch_size=how["batch_size"],
        updates=settings["task"]["sequences"] // how["batch_size"],
        evaluate_every=how["evaluate_every"],
        clip_norm=how["clip_norm"],
        optimiser=load_optimiser(settings["optimiser"]["name"], constants=constants),
    )
    course = Course(network, task, Data(streams("training", settings=settings), validation), flow, protocol)
    return Prepared(course, replicas, weights)


def streams(purpose: Purpose, *, settings: Mapping[str, Any]) -> list[np.random.Generator]:
    """Return the random stream of a purpose of every seed."""
    name, lag = settings["task"]["name"], settings["task"]["lag"]
    return [stream(purpose, task=name, lag=lag, seed=seed) for seed in settings["seeds"]]


def record(settings: Mapping[str, Any], prepared: Prepared, *, best: Tensor) -> dict[str, Any]:
    """Score the best weights (R, P) on test data and return the run record of trained replicas."""
    course, replicas, _ = prepared
    network, task, seeds, how = course.network, course.task, settings["seeds"], settings["training"]
    data = [task.sample(rng, how["test_sequences"]) for rng in streams("test", settings=settings)]
    rows = [replica.seed for replica in replicas]
    test = evaluate(network, best, task=task, data=data, rows=rows)
    return {
        "settings": settings,
        "kernel": network.kernel.name,
        "sequence_length": task.sequence_length,
        "success_accuracy": task.success_accuracy,
        "scored_steps": _scored_steps(task, data[0]),
        "chance": task.chance._asdict(),
        "floor": task.floor(settings["gradient"]["k2"] or task.sequence_length)._asdict(),
        "replicas": [
            _row(replica, seed=seeds[replica.seed], parameters=network.parameters)
            | {f"test_{name}": _number(value) for name, value in test.of(row).items()}
            for row, replica in enumerate(replicas)
        ],
        "curves": [
            {"seed": seeds[replica.seed], "learning_rate": replica.learning_rate}
            | {key: _number(value) for key, value in point.items()}
            for replica in replicas
            for point in replica.curve
        ],
    }


def _build(settings: Mapping[str, Any]) -> tuple[Task, Cell, GradientFlow]:
    about, model, gradient = settings["task"], settings["model"], settings["gradient"]
    task = load_task(about["task"], lag=about["lag"], options=about["options"])
    cell = load_cell(model["cell"], features=task.features, hidden_size=model["hidden_size"], options=model["options"])
    flow = GradientFlow(frozenset(gradient["paths"]), gradient["k1"], gradient["k2"])
    flow.check(cell.paths)
    return task, cell, flow


def _scored_steps(task: Task, batch: Batch) -> int:
    """Count the steps of a sequence that accuracy is about."""
    targets = torch.from_numpy(batch.targets[:, :1])[None]
    return task.correct(torch.zeros(*targets.shape, task.outputs), targets).shape[1]


def _row(replica: Replica, *, seed: int, parameters: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "learning_rate": replica.learning_rate,
        "parameters": parameters,
        "updates": replica.updates,
        "updates_to_solve": replica.updates_to_solve,
        "solved": replica.updates_to_solve is not None,
        "diverged": replica.diverged,
        "best_update": replica.best_update,
    } | {f"validation_{name}": _number(replica.validation.get(name)) for name in ("loss", "accuracy", "exact_match")}


def _number(value: Any) -> Any:
    """Return a JSON number, or None where there is no finite one."""
    if value is None or isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None
