"""What the settings of a condition describe: its network, task, data, gradient flow, hyperparameters and replicas."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.gradient_flow import GradientFlow
from models.network import Network
from tasks.task import Batch, Task
from training.networks import load_network, open_streams
from training.optimiser import Optimiser
from training.plugins import load_instance
from training.replica import Replica
from training.schedule import Schedule


class Setup(NamedTuple):
    """A condition before its training: what learns, what and how; sizes in sequences, times in updates."""

    network: Network
    task: Task
    flow: GradientFlow
    replicas: Sequence[Replica]
    weights: Tensor
    """(R, P): row r belongs to `replicas[r]`."""
    streams: Sequence[np.random.Generator]
    """The training data of every seed."""
    validation: Sequence[Batch]
    """The validation data of every seed."""
    batch_size: int
    updates: int
    evaluate_every: int
    clip_norm: float | None
    optimiser: Optimiser
    schedule: Schedule | None = None
    """None: a constant learning rate."""


def prepare_condition(settings: Mapping[str, Any]) -> Setup:
    """Build what the settings describe, with initial weights and data of every seed."""
    training, gradient = settings["training"], settings["gradient"]
    network, task, like = load_network(settings)
    flow = GradientFlow(frozenset(gradient["paths"]), gradient["k1"], gradient["k2"])
    network.cell.check_flow(flow)

    schedule: Schedule | None = None
    if "schedule" in settings:
        schedule = load_instance(Schedule, **settings["schedule"])  # type: ignore[type-abstract]
    initial = [
        network.initialise(rng, sequence_length=task.sequence_length) for rng in open_streams("weights", settings)
    ]
    replicas = [Replica(seed, rate) for seed in range(len(initial)) for rate in settings["learning_rates"]]
    return Setup(
        network,
        task,
        flow,
        replicas,
        weights=torch.from_numpy(np.stack([initial[replica.seed] for replica in replicas])).to(like),
        streams=open_streams("training", settings),
        validation=[task.sample(rng, training["validation_sequences"]) for rng in open_streams("validation", settings)],
        batch_size=training["batch_size"],
        updates=settings["task"]["sequences"] // training["batch_size"],
        evaluate_every=training["evaluate_every"],
        clip_norm=training["clip_norm"],
        optimiser=load_instance(Optimiser, **settings["optimiser"]),  # type: ignore[type-abstract]
        schedule=schedule,
    )
