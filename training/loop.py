"""The training loop: all replicas of a condition in one batched program, each with its own data, rate, norm and fate.

A replica leaves the batch when it is solved (validation accuracy at the task's success criterion) or has diverged (a
loss or gradient that is not finite). What it computed does not depend on who else is in the batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.gradient_flow import GradientFlow
from models.network import Network
from tasks.task import Batch, Task
from training.evaluation import Scores, evaluate, to_tensors
from training.optimiser import Optimiser, clip


class Protocol(NamedTuple):
    """How a condition is trained; sizes in sequences, times in updates."""

    batch_size: int
    updates: int
    evaluate_every: int
    clip_norm: float | None
    optimiser: Optimiser


class Data(NamedTuple):
    """The streams and sets of each seed: training generators and validation sequences."""

    training: Sequence[np.random.Generator]
    validation: Sequence[Batch]


@dataclass
class Replica:
    """One network and what became of it."""

    seed: int
    """Position of its seed in the data."""
    learning_rate: float
    updates: int = 0
    updates_to_solve: int | None = None
    diverged: bool = False
    best_update: int = 0
    best_weights: Tensor | None = None
    last_weights: Tensor | None = None
    """Its weights when it left the batch or the budget was spent."""
    validation: Mapping[str, float] = field(default_factory=dict)
    """Loss, accuracy and exact match of the best weights."""
    curve: list[dict[str, Any]] = field(default_factory=list)


class Standing(NamedTuple):
    """Where the training of a condition stands after an update."""

    update: int
    updates: int
    alive: int
    solved: int
    diverged: int
    sequences: int
    """Training sequences of all replicas so far."""


def train(
    network: Network,
    task: Task,
    *,
    weights: Tensor,
    replicas: Sequence[Replica],
    data: Data,
    flow: GradientFlow,
    protocol: Protocol,
    report: Callable[[Standing], None],
) -> None:
    """Train row r of weights (R, P) as `replicas[r]` and record in it what became of it; `report` is called after
    every update.
    """
    weights = weights.clone()
    moments = protocol.optimiser.start(weights)
    alive = list(replicas)
    losses = torch.zeros(len(alive), dtype=torch.float64)
    sequences = 0

    def keep(wanted: np.ndarray) -> None:
        nonlocal weights, alive, losses
        for row in np.flatnonzero(~wanted):
            alive[row].last_weights = weights[row].clone()
        rows = torch.from_numpy(np.flatnonzero(wanted))
        alive = [replica for replica, stays in zip(alive, wanted, strict=True) if stays]
        losses = losses[rows]
        rows = rows.to(weights.device)
        weights = weights[rows]
        for name, moment in moments.items():
            moments[name] = moment[rows]

    def validate(update: int, since: int) -> None:
        rows = [replica.seed for replica in alive]
        scores = evaluate(network, weights, task=task, data=data.validation, rows=rows, flow=flow)
        for row, replica in enumerate(alive):
            _record(replica, scores, row=row, update=update, train_loss=float(losses[row]) / since if since else None)
            if replica.best_update == update:
                replica.best_weights = weights[row].clone()
            if replica.validation["accuracy"] >= task.success_accuracy:
                replica.updates_to_solve = update
        losses.zero_()
        keep(np.array([replica.updates_to_solve is None and not replica.diverged for replica in alive], dtype=bool))

    validate(0, 0)
    for update in range(1, protocol.updates + 1):
        if not alive:
            break
        seeds = sorted({replica.seed for replica in alive})
        batches = [task.sample(data.training[seed], protocol.batch_size) for seed in seeds]
        rows = [seeds.index(replica.seed) for replica in alive]
        inputs, targets, starts = to_tensors(batches, rows=rows, like=weights)
        sequences += len(alive) * protocol.batch_size

        weights.requires_grad_(True)
        outputs = network.outputs_of(weights, inputs=inputs, starts=starts, first_target=task.first_target, flow=flow)
        loss = task.loss(outputs, targets)
        (gradient,) = torch.autograd.grad(loss.sum(), weights)
        weights.requires_grad_(False)

        norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        gradient = clip(gradient, norm=norm, limit=protocol.clip_norm)
        rates = torch.tensor([[replica.learning_rate] for replica in alive]).to(weights)
        protocol.optimiser.apply(weights, gradient, moments=moments, rates=rates, update=update)

        loss = loss.detach()
        losses += loss.double().cpu()
        finite = (torch.isfinite(loss) & torch.isfinite(norm[:, 0])).cpu().numpy()
        for replica, fine in zip(alive, finite, strict=True):
            replica.updates = update
            replica.diverged = not fine
        if not finite.all():
            keep(finite)
        if update % protocol.evaluate_every == 0 or update == protocol.updates:
            since = (update - 1) % protocol.evaluate_every + 1
            validate(update, since)
        report(_standing(replicas, update=update, updates=protocol.updates, alive=len(alive), sequences=sequences))
    keep(np.zeros(len(alive), dtype=bool))


def _record(replica: Replica, scores: Scores, *, row: int, update: int, train_loss: float | None) -> None:
    """Add an evaluation to the curve; a better one (accuracy, then loss) becomes the best; a loss that is not finite
    is divergence.
    """
    score = {name: float(values[row]) for name, values in scores._asdict().items()}
    replica.curve.append(
        {
            "update": update,
            "train_loss": train_loss,
            "validation_loss": score["loss"],
            "validation_accuracy": score["accuracy"],
        }
    )
    if not np.isfinite(score["loss"]):
        replica.diverged = True
        return
    best = replica.validation
    if not best or (score["accuracy"], -score["loss"]) > (best["accuracy"], -best["loss"]):
        replica.validation = score
        replica.best_update = update


def _standing(replicas: Sequence[Replica], *, update: int, updates: int, alive: int, sequences: int) -> Standing:
    solved = sum(replica.updates_to_solve is not None for replica in replicas)
    diverged = sum(replica.diverged for replica in replicas)
    return Standing(update, updates, alive, solved, diverged, sequences)
