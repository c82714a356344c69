"""Protocol `online`, as in 1997: one sequence per update, plain gradient descent, and the task's published stop rule.

A replica trains on the stream of its seed until both halves of the rule hold at once, and has then solved the task: the
mean loss of the last `streak` training sequences (each before its update) is below `error`, and all of them were
right. Its weights are those right after that sequence. There is no validation; a replica that does not stop within the
budget is censored there. In the run record updates are counted in sequences, and a replica has two more numbers,
`sequences_to_error` and `sequences_to_streak`, the halves of the rule; the first is null if the rule has no such half.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from models.kernels.online_1997.train import train_online
from models.lstm_1997 import LSTM1997Cell
from tasks.task import Batch, Stop, Task
from training.condition import TrainedReplicas
from training.replica import Replica, TrainingProgress, compute_progress
from training.setup import PreparedCondition, Setup
from training.state import Checkpointer, State, random_states, set_random_states

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

Array = NDArray[np.float64]


@dataclass
class StopMonitor:
    """The two halves of a stop rule over a training stream."""

    stop: Stop
    seen: int = 0
    to_error: int | None = None
    """The first sequence at which the mean loss of the last `streak` was below `error`; None without such a half."""
    to_streak: int | None = None
    """The first sequence at which the last `streak` were right."""
    run: int = 0
    """Right sequences up to now without a wrong one."""
    losses: Array = field(default_factory=lambda: np.zeros(0))
    """Of the last `streak` sequences."""

    def add(self, losses: Array, right: NDArray[np.bool_]) -> int | None:
        """Add the next sequences, and return after how many of them both halves held first, or None."""
        counts = np.arange(1, len(losses) + 1)
        wrong = np.maximum.accumulate(np.where(right, 0, counts))
        streaks = np.where(wrong > 0, counts - wrong, counts + self.run) >= self.stop.streak
        errors = self._below_error(losses)
        ends = [None if not held.any() else int(held.argmax()) + 1 for held in (errors, streaks, errors & streaks)]
        if self.to_error is None and self.stop.error is not None and ends[0] is not None:
            self.to_error = self.seen + ends[0]
        if self.to_streak is None and ends[1] is not None:
            self.to_streak = self.seen + ends[1]
        self.seen += len(losses)
        self.run = int(counts[-1] - wrong[-1] + (0 if wrong[-1] else self.run)) if len(counts) else self.run
        self.losses = np.concatenate([self.losses, losses])[-self.stop.streak :]
        return ends[2]

    def scalars(self) -> dict[str, int | None]:
        """Return everything but the rule and the losses, as JSON can hold it."""
        return {name: value for name, value in vars(self).items() if name not in ("stop", "losses")}

    def _below_error(self, losses: Array) -> NDArray[np.bool_]:
        """Return after which of the next sequences the mean of the last `streak` losses is below `error`."""
        if self.stop.error is None:
            return np.ones(len(losses), dtype=bool)
        streak, history = self.stop.streak, np.concatenate([self.losses, losses])
        held = np.zeros(len(history), dtype=bool)
        if len(history) >= streak:
            sums = np.concatenate([[0.0], np.cumsum(history)])
            held[streak - 1 :] = (sums[streak:] - sums[:-streak]) / streak < self.stop.error
        return held[len(self.losses) :]


@dataclass
class Learner:
    """One replica in training: its weights (P,), its stop rule, and the losses since the last point of its curve."""

    replica: Replica
    weights: Array
    monitor: StopMonitor
    since: list[float] = field(default_factory=list)

    @property
    def is_alive(self) -> bool:
        """Whether it still trains."""
        return self.replica.updates_to_solve is None and not self.replica.diverged

    def add_points(self, losses: Array, *, every: int, last: bool) -> None:
        """Add the points of the curve that are due, and that of the remaining losses if these are the `last` ones."""
        begin = self.replica.updates - len(losses) - len(self.since)
        self.since += losses.tolist()
        while len(self.since) >= every or (last and self.since):
            part, self.since = self.since[:every], self.since[every:]
            begin += len(part)
            self.replica.add_point(begin, train_loss=float(np.mean(part)), loss=None, accuracy=None)


def train(
    prepared: PreparedCondition,
    report: Callable[[TrainingProgress], None],
    *,
    checkpointer: Checkpointer | None = None,
) -> TrainedReplicas:
    """Train the replicas, note in each what became of it, and return the weights right after its last sequence.

    `report` is called after every chunk. Another cell, or a task without a stop rule, is a ValueError.
    """
    setup, replicas, weights = prepared
    if not isinstance(setup.network.cell, LSTM1997Cell):
        raise ValueError(f"protocol online trains the cell lstm_1997; came: {type(setup.network.cell).__name__}")
    if setup.task.stop is None:
        raise ValueError(f"protocol online needs a task with a stop rule; {type(setup.task).__name__} has none")
    learners = [
        Learner(replica, initial, StopMonitor(setup.task.stop))
        for replica, initial in zip(replicas, weights.double().cpu().numpy(), strict=True)
    ]
    budget, done = setup.hyperparameters.updates, 0
    if checkpointer is not None and (state := checkpointer.load()) is not None:
        done = _resume(state, setup, learners)
    while done < budget and any(learner.is_alive for learner in learners):
        size = min(CHUNK, budget - done)
        _train_chunk(setup, [learner for learner in learners if learner.is_alive], size=size)
        done += size
        report(compute_progress(replicas, update=done, updates=budget, batch_size=1))
        if checkpointer is not None:
            checkpointer.offer(partial(_collect_state, setup, learners, done=done))
    monitors = [learner.monitor for learner in learners]
    return TrainedReplicas(
        torch.from_numpy(np.stack([learner.weights for learner in learners])),
        [{"sequences_to_error": monitor.to_error, "sequences_to_streak": monitor.to_streak} for monitor in monitors],
        kernel="online",
    )


def _collect_state(setup: Setup, learners: Sequence[Learner], *, done: int) -> State:
    """Return all that the chunks after this one depend on."""
    arrays = {f"{row}.weights": learner.weights for row, learner in enumerate(learners)}
    arrays |= {f"{row}.losses": learner.monitor.losses for row, learner in enumerate(learners)}
    scalars = {
        "update": done,
        "updates": setup.hyperparameters.updates,
        "learners": [
            {"replica": learner.replica.scalars(), "monitor": learner.monitor.scalars(), "since": learner.since}
            for learner in learners
        ],
        "streams": random_states(setup.data.training),
    }
    return State(arrays, scalars)


def _resume(state: State, setup: Setup, learners: Sequence[Learner]) -> int:
    """Restore everything from a state and return how many sequences were done."""
    for row, (learner, scalars) in enumerate(zip(learners, state.scalars["learners"], strict=True)):
        learner.weights, learner.since = state.arrays[f"{row}.weights"].copy(), list(scalars["since"])
        vars(learner.replica).update(scalars["replica"])
        vars(learner.monitor).update(scalars["monitor"] | {"losses": state.arrays[f"{row}.losses"].copy()})
    set_random_states(setup.data.training, state.scalars["streams"])
    return int(state.scalars["update"])


def _train_chunk(setup: Setup, learners: Sequence[Learner], *, size: int) -> None:
    """Train the learners on the next `size` sequences of their seeds, each until its stop rule holds."""
    seeds = sorted({learner.replica.seed for learner in learners})
    batches = [setup.task.sample(setup.data.training[seed], size) for seed in seeds]
    rows = [seeds.index(learner.replica.seed) for learner in learners]
    before = [learner.weights.copy() for learner in learners]
    nets = _train_on(setup, learners, batches=batches, rows=rows)
    for learner, weights, row, net in zip(learners, before, rows, nets, strict=True):
        _apply_stop_rule(setup, learner, before=weights, batch=batches[row], nets=net)
        if learner.replica.updates == setup.hyperparameters.updates:
            learner.add_points(np.zeros(0), every=setup.hyperparameters.evaluate_every, last=True)


def _train_on(setup: Setup, learners: Sequence[Learner], *, batches: Sequence[Batch], rows: Sequence[int]) -> Array:
    """Train learner r on all of `batches[rows[r]]`; return the net outputs before each update (R, n, outputs)."""
    assert isinstance(setup.network.cell, LSTM1997Cell)
    weights = np.stack([learner.weights for learner in learners])
    nets = train_online(
        setup.network.cell,
        weights=weights,
        inputs=np.stack([batch.inputs for batch in batches]),
        targets=np.stack([setup.task.vectors(batch.targets) for batch in batches]),
        starts=np.stack([batch.starts for batch in batches]),
        rows=rows,
        rates=[learner.replica.learning_rate for learner in learners],
        flow=setup.flow,
        outputs=setup.network.outputs,
    )
    for learner, trained in zip(learners, weights, strict=True):
        learner.weights = trained
    return nets


def _apply_stop_rule(setup: Setup, learner: Learner, *, before: Array, batch: Batch, nets: Array) -> None:
    """Apply the stop rule to the outputs of a chunk; one that has stopped gets the weights of that sequence."""
    replica, every, finite = learner.replica, setup.hyperparameters.evaluate_every, np.isfinite(nets).all(axis=1)
    usable = len(nets) if finite.all() else int(finite.argmin())
    losses, right = _score(setup.task, nets[:usable], batch.targets[:, :usable])
    end = learner.monitor.add(losses, right)
    if end is not None:
        replica.updates_to_solve = replica.updates + end
        if end < len(nets):
            learner.weights = before
            part = Batch(batch.inputs[:, :end], batch.targets[:, :end], batch.starts[:end])
            _train_on(setup, [learner], batches=[part], rows=[0])
    replica.diverged = end is None and usable < len(nets)
    trained = usable if end is None else end
    replica.updates += trained
    learner.add_points(losses[:trained], every=every, last=end is not None or replica.diverged)
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
