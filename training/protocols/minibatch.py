"""Protocol `minibatch`: all replicas of a condition in one batched program, each with its seed's data and its own rate.

A replica leaves the batch when it is solved (validation accuracy at the task's success criterion) or has diverged (a
loss or gradient that is not finite). What it computed does not depend on who else is in the batch: to the bit on the
cpu kernel, to rounding on the reference kernel.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.clipping import clip, compute_norm
from training.condition import TrainedReplicas
from training.evaluation import evaluate, rank, to_tensors
from training.optimiser import Moments
from training.replica import Replica, TrainingProgress, compute_progress
from training.setup import PreparedCondition, Setup
from training.state import Checkpointer, State, random_states, set_random_states

REQUIRED: dict[str, object] = {}


@dataclass
class Cohort:
    """The replicas that are still in the batch: row r of every tensor belongs to `replicas[r]`."""

    replicas: list[Replica]
    weights: Tensor
    """(R, P)"""
    moments: Moments
    losses: Tensor
    """Sum of the training losses since the last evaluation: (R,) float64."""
    evaluated: int = 0
    """The update of the last evaluation."""

    def keep(self, stays: Sequence[bool]) -> None:
        """Remove the other replicas, with the weights that they have."""
        for row, replica in enumerate(self.replicas):
            if not stays[row]:
                replica.last_weights = self.weights[row].clone()
        rows = torch.tensor([row for row, stay in enumerate(stays) if stay], dtype=torch.int64)
        self.replicas = [self.replicas[row] for row in rows]
        self.losses = self.losses[rows]
        self.weights = self.weights[rows.to(self.weights.device)]
        self.moments = {name: moment[rows.to(moment.device)] for name, moment in self.moments.items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the tensors by name."""
        tensors = {"weights": self.weights, "losses": self.losses}
        tensors |= {f"moment.{name}": moment for name, moment in self.moments.items()}
        return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}

    def restore(self, replicas: Sequence[Replica], *, arrays: Mapping[str, NDArray[Any]], evaluated: int) -> None:
        """Set everything from `arrays()`."""
        self.replicas, self.evaluated = list(replicas), evaluated
        self.losses = torch.from_numpy(arrays["losses"].copy())
        self.moments = {
            name: torch.from_numpy(arrays[f"moment.{name}"].copy()).to(moment) for name, moment in self.moments.items()
        }
        self.weights = torch.from_numpy(arrays["weights"].copy()).to(self.weights)


def train(
    prepared: PreparedCondition,
    report: Callable[[TrainingProgress], None],
    *,
    checkpointer: Checkpointer | None = None,
    observe: Callable[[int, Cohort], None] = lambda update, cohort: None,
) -> TrainedReplicas:
    """Train the replicas, note in each what became of it, and return the best weights by validation.

    `report` is called after the evaluation of the initial weights and after every update; `observe` with the update and
    the replicas in the batch before every evaluation: it must change nothing.
    """
    setup, replicas, weights = prepared
    hyperparameters = setup.hyperparameters
    updates, batch_size = hyperparameters.updates, hyperparameters.batch_size
    losses = torch.zeros(len(replicas), dtype=torch.float64)
    cohort = Cohort(list(replicas), weights.clone(), hyperparameters.optimiser.start(weights), losses)
    done = 0
    if checkpointer is not None and (state := checkpointer.load()) is not None:
        done = _resume(state, setup, replicas, cohort=cohort)
    else:
        observe(0, cohort)
        _validate(setup, cohort, update=0)
    report(compute_progress(replicas, update=done, updates=updates, batch_size=batch_size))
    for update in range(done + 1, updates + 1):
        if not cohort.replicas:
            break
        _update(setup, cohort, update=update)
        if cohort.replicas and (update % hyperparameters.evaluate_every == 0 or update == updates):
            observe(update, cohort)
            _validate(setup, cohort, update=update)
        report(compute_progress(replicas, update=update, updates=updates, batch_size=batch_size))
        if checkpointer is not None:
            checkpointer.offer(partial(_collect_state, setup, replicas, cohort=cohort, update=update))
    cohort.keep([False] * len(cohort.replicas))
    best = [weights[row] if r.best_weights is None else r.best_weights for row, r in enumerate(replicas)]
    return TrainedReplicas(torch.stack(best), [{} for _ in replicas])


def _collect_state(setup: Setup, replicas: Sequence[Replica], *, cohort: Cohort, update: int) -> State:
    """Return all that the updates after this one depend on; tensors may share memory with the training."""
    arrays = dict(cohort.arrays())
    for row, replica in enumerate(replicas):
        arrays |= {f"replica.{row}.{name}": array for name, array in replica.arrays().items()}
    rows = {id(replica): row for row, replica in enumerate(replicas)}
    scalars = {
        "update": update,
        "updates": setup.hyperparameters.updates,
        "evaluated": cohort.evaluated,
        "rows": [rows[id(replica)] for replica in cohort.replicas],
        "replicas": [replica.scalars() for replica in replicas],
        "streams": random_states(setup.data.training),
    }
    return State(arrays, scalars)


def _resume(state: State, setup: Setup, replicas: Sequence[Replica], *, cohort: Cohort) -> int:
    """Restore everything from a state and return its update."""
    scalars = state.scalars
    for row, replica in enumerate(replicas):
        arrays = state.select_arrays(f"replica.{row}.")
        replica.restore(scalars["replicas"][row], arrays=arrays, like=cohort.weights)
    in_batch = [replicas[row] for row in scalars["rows"]]
    cohort.restore(in_batch, arrays=state.arrays, evaluated=scalars["evaluated"])
    set_random_states(setup.data.training, scalars["streams"])
    return int(scalars["update"])


def _update(setup: Setup, cohort: Cohort, *, update: int) -> None:
    """Update every replica of the batch once; those whose loss or gradient is not finite leave."""
    network, task, alive = setup.network, setup.task, cohort.replicas
    hyperparameters = setup.hyperparameters
    seeds = sorted({replica.seed for replica in alive})
    batches = [task.sample(setup.data.training[seed], hyperparameters.batch_size) for seed in seeds]
    rows = [seeds.index(replica.seed) for replica in alive]
    weights = cohort.weights.requires_grad_(True)
    inputs, targets, starts = to_tensors(batches, rows=rows, like=weights)
    outputs = network.outputs_of(weights, inputs=inputs, starts=starts, first_target=task.first_target, flow=setup.flow)
    loss = task.loss(outputs, targets)
    (gradient,) = torch.autograd.grad(loss.sum(), weights)
    weights.requires_grad_(False)

    norm = compute_norm(gradient)
    gradient = clip(gradient, norm=norm, limit=hyperparameters.clip_norm)
    rates = torch.tensor([[replica.learning_rate] for replica in alive], dtype=weights.dtype, device=weights.device)
    if hyperparameters.schedule is not None:
        rates = rates * hyperparameters.schedule.factor(update, updates=hyperparameters.updates)
    hyperparameters.optimiser.apply(weights, gradient, moments=cohort.moments, rates=rates, update=update)

    cohort.losses += loss.detach().double().cpu()
    finite = (torch.isfinite(loss.detach()) & torch.isfinite(norm[:, 0])).tolist()
    for replica, is_finite in zip(alive, finite, strict=True):
        replica.updates = update
        if not is_finite:
            replica.diverged = True
            replica.add_point(update, train_loss=None, loss=None, accuracy=None)
    if not all(finite):
        cohort.keep(finite)


def _validate(setup: Setup, cohort: Cohort, *, update: int) -> None:
    """Evaluate every replica of the batch; a better one (accuracy, then loss) becomes its best; solved ones leave."""
    rows = [replica.seed for replica in cohort.replicas]
    scores = evaluate(setup.network, cohort.weights, task=setup.task, data=setup.data.validation, rows=rows)
    since = update - cohort.evaluated
    stays = []
    for row, replica in enumerate(cohort.replicas):
        score = scores.select(row)
        train_loss = float(cohort.losses[row]) / since if since else None
        replica.add_point(update, train_loss=train_loss, loss=score["loss"], accuracy=score["accuracy"])
        best = replica.validation
        replica.diverged = not np.isfinite(score["loss"])
        if not replica.diverged and (not best or rank(score) > rank(best)):
            replica.validation, replica.best_update = score, update
            replica.best_weights = cohort.weights[row].clone()
            if score["accuracy"] >= setup.task.success_accuracy:
                replica.updates_to_solve = update
        stays.append(not replica.diverged and replica.updates_to_solve is None)
    cohort.losses.zero_()
    cohort.evaluated = update
    cohort.keep(stays)
