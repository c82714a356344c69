"""The training loop: all replicas of a condition in one batched program, each with its seed's data and its own rate.

A replica leaves the batch when it is solved (validation accuracy at the task's success criterion) or has diverged (a
loss or gradient that is not finite). What it computed does not depend on who else is in the batch: to the bit on the
cpu kernel, to rounding on the reference kernel.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.gradient_flow import GradientFlow
from models.network import Network
from tasks.task import Batch, Task
from training.cohort import Cohort, Replica
from training.evaluation import evaluate, to_tensors
from training.optimiser import Optimiser, clip, norm_of
from training.state import Keeper, State, random_states, set_random_states


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


class Course(NamedTuple):
    """What a condition trains, on what, and how."""

    network: Network
    task: Task
    data: Data
    flow: GradientFlow
    protocol: Protocol


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
    course: Course,
    replicas: Sequence[Replica],
    *,
    weights: Tensor,
    report: Callable[[Standing], None],
    observe: Callable[[int, Cohort], None] = lambda update, cohort: None,
    keeper: Keeper | None = None,
) -> None:
    """Train row r of weights (R, P) as `replicas[r]` and record in it what became of it.

    `report` is called after the evaluation of the initial weights and after every update; `observe` with the update and
    the replicas in the batch before every evaluation: it may look, not touch. `keeper` may have a state to go on from,
    and is offered the state after every update.
    """
    protocol = course.protocol
    losses = torch.zeros(len(replicas), dtype=torch.float64)
    cohort = Cohort(list(replicas), weights.clone(), protocol.optimiser.start(weights), losses)
    done = 0
    if keeper is not None and (state := keeper.found()) is not None:
        done = _resume(state, course, replicas, cohort=cohort)
    else:
        observe(0, cohort)
        _validate(course, cohort, update=0)
    report(_standing(replicas, update=done, course=course))
    for update in range(done + 1, protocol.updates + 1):
        if not cohort.replicas:
            break
        _update(course, cohort, update=update)
        if cohort.replicas and (update % protocol.evaluate_every == 0 or update == protocol.updates):
            observe(update, cohort)
            _validate(course, cohort, update=update)
        report(_standing(replicas, update=update, course=course))
        if keeper is not None:
            keeper.offer(partial(_state, course, replicas, cohort=cohort, update=update))
    cohort.keep([False] * len(cohort.replicas))


def _state(course: Course, replicas: Sequence[Replica], *, cohort: Cohort, update: int) -> State:
    """Return all that the updates after this one depend on; tensors may share memory with the training."""
    arrays = dict(cohort.arrays())
    for row, replica in enumerate(replicas):
        arrays |= {f"replica.{row}.{name}": array for name, array in replica.arrays().items()}
    rows = {id(replica): row for row, replica in enumerate(replicas)}
    rest = {
        "update": update,
        "updates": course.protocol.updates,
        "evaluated": cohort.evaluated,
        "rows": [rows[id(replica)] for replica in cohort.replicas],
        "replicas": [replica.facts() for replica in replicas],
        "streams": random_states(course.data.training),
    }
    return State(arrays, rest)


def _resume(state: State, course: Course, replicas: Sequence[Replica], *, cohort: Cohort) -> int:
    """Put everything into a state and return its update."""
    rest = state.rest
    for row, replica in enumerate(replicas):
        replica.restore(rest["replicas"][row], arrays=state.part(f"replica.{row}."), like=cohort.weights)
    cohort.restore([replicas[row] for row in rest["rows"]], arrays=state.arrays, evaluated=rest["evaluated"])
    set_random_states(course.data.training, rest["streams"])
    return int(rest["update"])


def _update(course: Course, cohort: Cohort, *, update: int) -> None:
    """Make one update of every replica of the batch; those whose loss or gradient is not finite leave."""
    network, task, protocol, alive = course.network, course.task, course.protocol, cohort.replicas
    seeds = sorted({replica.seed for replica in alive})
    batches = [task.sample(course.data.training[seed], protocol.batch_size) for seed in seeds]
    rows = [seeds.index(replica.seed) for replica in alive]
    weights = cohort.weights.requires_grad_(True)
    inputs, targets, starts = to_tensors(batches, rows=rows, like=weights)
    outputs = network.outputs_of(
        weights, inputs=inputs, starts=starts, first_target=task.first_target, flow=course.flow
    )
    loss = task.loss(outputs, targets)
    (gradient,) = torch.autograd.grad(loss.sum(), weights)
    weights.requires_grad_(False)

    norm = norm_of(gradient)
    gradient = clip(gradient, norm=norm, limit=protocol.clip_norm)
    rates = torch.tensor([[replica.learning_rate] for replica in alive], dtype=weights.dtype, device=weights.device)
    protocol.optimiser.apply(weights, gradient, moments=cohort.moments, rates=rates, update=update)

    cohort.losses += loss.detach().double().cpu()
    finite = (torch.isfinite(loss.detach()) & torch.isfinite(norm[:, 0])).tolist()
    for replica, fine in zip(alive, finite, strict=True):
        replica.updates = update
        if not fine:
            replica.diverged = True
            replica.note(update, train_loss=None, loss=None, accuracy=None)
    if not all(finite):
        cohort.keep(finite)


def _validate(course: Course, cohort: Cohort, *, update: int) -> None:
    """Evaluate every replica of the batch; a better one (accuracy, then loss) becomes its best; solved ones leave."""
    rows = [replica.seed for replica in cohort.replicas]
    scores = evaluate(course.network, cohort.weights, task=course.task, data=course.data.validation, rows=rows)
    since = update - cohort.evaluated
    stays = []
    for row, replica in enumerate(cohort.replicas):
        score = scores.of(row)
        train_loss = float(cohort.losses[row]) / since if since else None
        replica.note(update, train_loss=train_loss, loss=score["loss"], accuracy=score["accuracy"])
        best = replica.validation
        replica.diverged = not np.isfinite(score["loss"])
        if not replica.diverged and (not best or _rank(score) > _rank(best)):
            replica.validation, replica.best_update = score, update
            replica.best_weights = cohort.weights[row].clone()
            if score["accuracy"] >= course.task.success_accuracy:
                replica.updates_to_solve = update
        stays.append(not replica.diverged and replica.updates_to_solve is None)
    cohort.losses.zero_()
    cohort.evaluated = update
    cohort.keep(stays)


def _rank(score: Mapping[str, float]) -> tuple[float, float]:
    return score["accuracy"], -score["loss"]


def _standing(replicas: Sequence[Replica], *, update: int, course: Course) -> Standing:
    solved = sum(replica.updates_to_solve is not None for replica in replicas)
    diverged = sum(replica.diverged for replica in replicas)
    sequences = sum(replica.updates for replica in replicas) * course.protocol.batch_size
    return Standing(update, course.protocol.updates, len(replicas) - solved - diverged, solved, diverged, sequences)
