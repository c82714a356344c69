"""What the settings of a condition describe: its network, task, data, gradient flow, hyperparameters and replicas."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, load_cell
from models.gradient_flow import GradientFlow
from models.kernels import load_kernel
from models.network import Network
from tasks.task import Batch, Task, load_task
from training.optimiser import Optimiser, load_optimiser
from training.placement import DTYPES, select_device
from training.replica import Replica
from training.schedule import Schedule, load_schedule
from training.streams import Purpose, stream


class Hyperparameters(NamedTuple):
    """How a condition is trained; sizes in sequences, times in updates."""

    batch_size: int
    updates: int
    evaluate_every: int
    clip_norm: float | None
    optimiser: Optimiser
    schedule: Schedule | None = None
    """None: a constant learning rate."""


class Data(NamedTuple):
    """The streams and sets of each seed: training generators and validation sequences."""

    training: Sequence[np.random.Generator]
    validation: Sequence[Batch]


class Setup(NamedTuple):
    """What a condition trains, on what, and how."""

    network: Network
    task: Task
    data: Data
    flow: GradientFlow
    hyperparameters: Hyperparameters


class PreparedCondition(NamedTuple):
    """A condition before its training: row r of weights (R, P) belongs to `replicas[r]`."""

    setup: Setup
    replicas: list[Replica]
    weights: Tensor


def prepare_condition(settings: Mapping[str, Any]) -> PreparedCondition:
    """Build what the settings describe, with initial weights and data of every seed."""
    seeds, rates, training = settings["seeds"], settings["learning_rates"], settings["training"]
    task, cell = load_task_and_cell(settings)
    gradient = settings["gradient"]
    flow = GradientFlow(frozenset(gradient["paths"]), gradient["k1"], gradient["k2"])
    cell.check_flow(flow)
    device, dtype = select_device(settings["device"]), DTYPES[training["dtype"]]
    kernel = load_kernel(training["kernel"], cell=cell, dtype=dtype, device=device)
    network = Network(cell, outputs=task.outputs, kernel=kernel)

    initial = sample_initial_weights(network, task, settings=settings)
    replicas = [Replica(seed, rate) for seed in range(len(seeds)) for rate in rates]
    weights = torch.from_numpy(np.stack([initial[replica.seed] for replica in replicas]))
    weights = weights.to(device=device, dtype=dtype)
    validation = [
        task.sample(rng, training["validation_sequences"]) for rng in open_streams("validation", settings=settings)
    ]
    data = Data(open_streams("training", settings=settings), validation)
    return PreparedCondition(Setup(network, task, data, flow, _hyperparameters(settings)), replicas, weights)


def load_task_and_cell(settings: Mapping[str, Any]) -> tuple[Task, Cell]:
    """Load the task and the cell of the settings."""
    task, model = settings["task"], settings["model"]
    loaded = load_task(task["task"], lag=task["lag"], options=task["options"])
    cell = load_cell(
        model["cell"], features=loaded.features, hidden_size=model["hidden_size"], options=model["options"]
    )
    return loaded, cell


def open_streams(purpose: Purpose, *, settings: Mapping[str, Any]) -> list[np.random.Generator]:
    """Return the random stream of a purpose of every seed."""
    name, lag = settings["task"]["name"], settings["task"]["lag"]
    return [stream(purpose, task=name, lag=lag, seed=seed) for seed in settings["seeds"]]


def sample_initial_weights(network: Network, task: Task, *, settings: Mapping[str, Any]) -> list[np.ndarray]:
    """Return the initial weights (P,) of every seed, float64."""
    return [
        network.initialise(rng, sequence_length=task.sequence_length)
        for rng in open_streams("weights", settings=settings)
    ]


def _hyperparameters(settings: Mapping[str, Any]) -> Hyperparameters:
    training, (optimiser, constants) = settings["training"], _split(settings["optimiser"])
    schedule = None
    if "schedule" in settings:
        name, options = _split(settings["schedule"])
        schedule = load_schedule(name, options=options)
    return Hyperparameters(
        batch_size=training["batch_size"],
        updates=settings["task"]["sequences"] // training["batch_size"],
        evaluate_every=training["evaluate_every"],
        clip_norm=training["clip_norm"],
        optimiser=load_optimiser(optimiser, constants=constants),
        schedule=schedule,
    )


def _split(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Split the settings of an optimiser or a schedule into its name and its options."""
    return settings["name"], {key: value for key, value in settings.items() if key != "name"}
