"""Protocol `online`, as in 1997: one sequence per update, plain gradient descent, and the task's published stop rule.

A replica trains on the stream of its seed until both halves of the rule hold at once, and has then solved the task: the
mean loss of the last `streak` training sequences (each before its update) is below `error`, and all of them were
right. Its weights are those right after that sequence. There is no validation; a replica that does not stop within the
budget is censored there. In the run record updates are counted in sequences, and a replica has two more numbers,
`sequences_to_error` and `sequences_to_streak`, the halves of the rule; the first is null if the rule has no such half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.kernels.online_1997.train import train_online
from models.lstm_1997 import LSTM1997Cell
from tasks.task import Batch, Stop, Task
from training.protocol import TrainingProtocol
from training.replica import Replica, State
from training.setup import Setup

REQUIRED = {
    "device": "cpu",
    "training.batch_size": 1,
    "training.clip_norm": None,
    "training.dtype": "float64",
    "optimiser.name": "sgd",
    "optimiser.momentum": 0,
    "schedule": None,
}
CELLS = "ONLINE"
STOP_RULE = True

CHUNK = 500
"""Sequences sampled and trained at once: bounds the memory. The data depend on it."""

SCALARS, ARRAYS = ("to_error", "to_streak", "since"), ("weights", "losses", "right")
"""What the state of a learner holds."""

Array = NDArray[np.float64]


@dataclass
class Learner:
    """One replica in training with its stop rule."""

    replica: Replica
    weights: Array
    """(P,)"""
    stop: Stop
    to_error: int | None = None
    """The first sequence at which the mean loss of the last `streak` was below `error`; None without such a half."""
    to_streak: int | None = None
    """The first sequence at which the last `streak` were right."""
    losses: Array = field(default_factory=lambda: np.zeros(0))
    """Of the last `streak` sequences."""
    right: Array = field(default_factory=lambda: np.zeros(0))
    """Which of them were right: 1 or 0."""
    since: list[float] = field(default_factory=list)
    """The losses since the last point of the curve."""

    def apply_stop_rule(self, losses: Array, right: NDArray[np.bool_]) -> int | None:
        """Add the sequences after `replica.updates`; return after how many of them both halves held first, or None."""
        before, (error, streak) = len(self.losses), self.stop
        self.losses, self.right = np.concatenate([self.losses, losses]), np.concatenate([self.right, right])
        is_streak = _compute_moving_mean(self.right, streak)[before:] == 1
        is_low = np.ones_like(is_streak)
        if error is not None:
            is_low = _compute_moving_mean(self.losses, streak)[before:] < error
        ends = [int(held.argmax()) + 1 if held.any() else None for held in (is_low, is_streak, is_low & is_streak)]
        if self.to_error is None and error is not None and ends[0] is not None:
            self.to_error = self.replica.updates + ends[0]
        if self.to_streak is None and ends[1] is not None:
            self.to_streak = self.replica.updates + ends[1]
        self.losses, self.right = self.losses[-streak:], self.right[-streak:]
        return ends[2]

    def add_points(self, losses: Array, *, every: int, last: bool) -> None:
        """Add the points of the curve that are due, and that of the remaining losses if these are the `last` ones."""
        begin = self.replica.updates - len(losses) - len(self.since)
        self.since += losses.tolist()
        while len(self.since) >= every or (last and self.since):
            part, self.since = self.since[:every], self.since[every:]
            begin += len(part)
            self.replica.add_point(begin, train_loss=float(np.mean(part)), loss=None, accuracy=None)


class Online(TrainingProtocol):
    """The learners, one per replica; another cell, or a task without a stop rule, is a ValueError."""

    kernel = "online"

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        if not isinstance(setup.network.cell, LSTM1997Cell):
            raise ValueError(f"protocol online trains the cell lstm_1997; came: {type(setup.network.cell).__name__}")
        if setup.task.stop is None:
            raise ValueError(f"protocol online needs a task with a stop rule; {type(setup.task).__name__} has none")
        self.cell = setup.network.cell
        self.learners = [
            Learner(replica, weights, setup.task.stop)
            for replica, weights in zip(setup.replicas, setup.weights.numpy(), strict=True)
        ]

    def start(self) -> None:
        """Nothing comes before the first sequence."""

    def advance(self) -> None:
        """Train on the next chunk of sequences of each seed, every learner until its stop rule holds."""
        setup, learners = self.setup, [learner for learner in self.learners if learner.replica.is_alive]
        size = min(CHUNK, setup.updates - self.update)
        seeds = sorted({learner.replica.seed for learner in learners})
        batches = [setup.task.sample(setup.streams[seed], size) for seed in seeds]
        rows = [seeds.index(learner.replica.seed) for learner in learners]
        before = [learner.weights for learner in learners]
        nets = self._train_on(learners, batches=batches, rows=rows)
        self.update += size
        for learner, weights, row, net in zip(learners, before, rows, nets, strict=True):
            self._record_chunk(learner, before=weights, batch=batches[row], nets=net)
            if learner.replica.updates == setup.updates:
                learner.add_points(np.zeros(0), every=setup.evaluate_every, last=True)

    def collect_state(self) -> State:
        """Return the state of every learner."""
        return {"learners": [{name: vars(learner)[name] for name in (*SCALARS, *ARRAYS)} for learner in self.learners]}

    def restore(self, state: State) -> None:
        """Set the state of every learner."""
        for learner, saved in zip(self.learners, state["learners"], strict=True):
            vars(learner).update(saved | {name: saved[name].numpy() for name in ARRAYS})

    def finish(self) -> Tensor:
        """Return the weights right after the last sequence of each learner."""
        return torch.from_numpy(np.stack([learner.weights for learner in self.learners]))

    def describe(self, row: int) -> Mapping[str, Any]:
        """Return when the halves of the stop rule held first."""
        learner = self.learners[row]
        return {"sequences_to_error": learner.to_error, "sequences_to_streak": learner.to_streak}

    def _train_on(self, learners: Sequence[Learner], *, batches: Sequence[Batch], rows: Sequence[int]) -> Array:
        """Train learner r on all of `batches[rows[r]]`; return the net outputs before each update (R, n, outputs)."""
        weights = np.stack([learner.weights for learner in learners])
        nets = train_online(
            self.cell,
            weights=weights,
            inputs=np.stack([batch.inputs for batch in batches]),
            targets=np.stack([self.setup.task.vectors(batch.targets) for batch in batches]),
            starts=np.stack([batch.starts for batch in batches]),
            rows=rows,
            rates=[learner.replica.learning_rate for learner in learners],
            flow=self.setup.flow,
            outputs=self.setup.network.outputs,
        )
        for learner, trained in zip(learners, weights, strict=True):
            learner.weights = trained
        return nets

    def _record_chunk(self, learner: Learner, *, before: Array, batch: Batch, nets: Array) -> None:
        """Apply the stop rule to the outputs of a chunk; a learner that stops gets the weights of that sequence."""
        replica, finite = learner.replica, np.isfinite(nets).all(axis=1)
        usable = len(nets) if finite.all() else int(finite.argmin())
        losses, right = _score(self.setup.task, nets[:usable], batch.targets[:, :usable])
        end = learner.apply_stop_rule(losses, right)
        if end is not None:
            replica.updates_to_solve = replica.updates + end
            if end < len(nets):
                learner.weights = before
                part = Batch(batch.inputs[:, :end], batch.targets[:, :end], batch.starts[:end])
                self._train_on([learner], batches=[part], rows=[0])
        replica.diverged = end is None and usable < len(nets)
        trained = usable if end is None else end
        replica.updates += trained
        learner.add_points(losses[:trained], every=self.setup.evaluate_every, last=not replica.is_alive)
        if replica.diverged:
            replica.updates += 1  # the sequence whose outputs are not finite
            replica.add_point(replica.updates, train_loss=None, loss=None, accuracy=None)
        replica.best_update = replica.updates


def _score(task: Task, nets: Array, targets: np.ndarray) -> tuple[Array, NDArray[np.bool_]]:
    """Return the loss of every sequence and whether it is right, of nets (n, outputs) and targets (1, n)."""
    outputs, answers = torch.from_numpy(nets), torch.from_numpy(targets)
    answers = answers.double() if answers.is_floating_point() else answers
    losses = task.loss(outputs[:, None, None], answers[0, :, None, None])  # every sequence as a batch of its own
    return losses.numpy(), task.correct(outputs[None, None], answers[None])[0, 0].numpy()


def _compute_moving_mean(history: Array, streak: int) -> Array:
    """Return the mean of the last `streak` numbers at each of them, NaN before there are so many."""
    sums, means = np.concatenate([[0.0], np.cumsum(history)]), np.full(len(history), np.nan)
    means[streak - 1 :] = (sums[streak:] - sums[:-streak]) / streak
    return means
