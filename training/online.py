"""Protocol `online`, as in 1997: one sequence per update, plain gradient descent, and the task's published stop rule.

A replica trains on the stream of its seed until both halves of the rule hold at once, and has then solved the task: the
mean loss of the last `streak` training sequences (each before its update) is below `error`, and all of them were
right. Its weights are those right after that sequence. There is no validation; a replica that does not stop within the
budget is censored there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.kernels.online import train_online
from models.lstm_1997 import LSTM1997Cell
from tasks.task import Batch, Stop, Task
from training.cohort import Replica
from training.condition import prepare, record
from training.loop import Course, Standing
from training.state import Keeper, State, random_states, set_random_states

CHUNK = 500
"""Sequences drawn and trained at once: bounds the memory. The data depend on it."""

Array = NDArray[np.float64]


@dataclass
class Watch:
    """The two halves of a stop rule, watched over a training stream."""

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

    def take(self, losses: Array, right: NDArray[np.bool_]) -> int | None:
        """Take the next sequences, and return after how many of them both halves held first, or None."""
        counts = np.arange(1, len(losses) + 1)
        wrong = np.maximum.accumulate(np.where(right, 0, counts))
        streaks = np.where(wrong > 0, counts - wrong, counts + self.run) >= self.stop.streak
        errors = self._errors(losses)
        ends = [None if not held.any() else int(held.argmax()) + 1 for held in (errors, streaks, errors & streaks)]
        if self.to_error is None and self.stop.error is not None and ends[0] is not None:
            self.to_error = self.seen + ends[0]
        if self.to_streak is None and ends[1] is not None:
            self.to_streak = self.seen + ends[1]
        self.seen += len(losses)
        self.run = int(counts[-1] - wrong[-1] + (0 if wrong[-1] else self.run)) if len(counts) else self.run
        self.losses = np.concatenate([self.losses, losses])[-self.stop.streak :]
        return ends[2]

    def facts(self) -> dict[str, int | None]:
        """Return where both halves stand, the losses apart."""
        return {name: value for name, value in vars(self).items() if name not in ("stop", "losses")}

    def _errors(self, losses: Array) -> NDArray[np.bool_]:
        """Say after which of the next sequences the mean of the last `streak` losses is below `error`."""
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
    watch: Watch
    since: list[float] = field(default_factory=list)

    def note(self, losses: Array, *, every: int, last: bool) -> None:
        """Add the points of the curve that fall due, the rest too if these losses are the `last` ones."""
        begin = self.replica.updates - len(losses) - len(self.since)
        self.since += losses.tolist()
        while len(self.since) >= every or (last and self.since):
            part, self.since = self.since[:every], self.since[every:]
            begin += len(part)
            self.replica.note(begin, train_loss=float(np.mean(part)), loss=None, accuracy=None)


def train_online_condition(
    settings: Mapping[str, Any], report: Callable[[Standing], None], *, keeper: Keeper | None = None
) -> dict[str, Any]:
    """Train every (seed, learning rate) of the settings online and return the run record.

    It is that of `training.condition.train_condition` with updates counted in sequences, no validation, and two more
    numbers per replica: `sequences_to_error` and `sequences_to_streak`, the halves of the stop rule. Of a stop rule
    without the first half `sequences_to_error` is null.
    """
    course, replicas, initial = prepared = prepare(settings)
    if not isinstance(course.network.cell, LSTM1997Cell):
        raise ValueError(f"protocol online trains the cell lstm_1997; came: {settings['model']['cell']}")
    if course.task.stop is None:
        raise ValueError(f"protocol online needs a task with a stop rule; {settings['task']['task']} has none")
    learners = [
        Learner(replica, weights, Watch(course.task.stop))
        for replica, weights in zip(replicas, initial.double().cpu().numpy(), strict=True)
    ]
    train(course, learners, report=report, keeper=keeper)
    made = record(settings, prepared, best=torch.from_numpy(np.stack([learner.weights for learner in learners])))
    halves = [
        {"sequences_to_error": learner.watch.to_error, "sequences_to_streak": learner.watch.to_streak}
        for learner in learners
    ]
    rows = [row | half for row, half in zip(made["replicas"], halves, strict=True)]
    return made | {"kernel": "online", "replicas": rows}


def train(
    course: Course,
    learners: Sequence[Learner],
    *,
    report: Callable[[Standing], None],
    keeper: Keeper | None = None,
) -> None:
    """Train the learners and record in their replicas what became of them.

    `report` is called after every chunk; then `keeper`, which may have a state to go on from, is offered the state.
    """
    budget, done = course.protocol.updates, 0
    if keeper is not None and (state := keeper.found()) is not None:
        done = _resume(state, course, learners)
    alive = _alive(learners)
    while alive and done < budget:
        size = min(CHUNK, budget - done)
        seeds = sorted({learner.replica.seed for learner in alive})
        batches = [course.task.sample(course.data.training[seed], size) for seed in seeds]
        rows = [seeds.index(learner.replica.seed) for learner in alive]
        before = [learner.weights.copy() for learner in alive]
        nets = _train_on(course, alive, batches=batches, rows=rows)
        done += size
        for learner, weights, row, net in zip(alive, before, rows, nets, strict=True):
            _judge(course, learner, before=weights, batch=batches[row], nets=net)
            if learner.replica.updates == budget:
                learner.note(np.zeros(0), every=course.protocol.evaluate_every, last=True)
        alive = _alive(learners)
        report(_standing(learners, done=done, budget=budget))
        if keeper is not None:
            keeper.offer(partial(_state, course, learners, done=done))


def _alive(learners: Sequence[Learner]) -> list[Learner]:
    return [one for one in learners if one.replica.updates_to_solve is None and not one.replica.diverged]


def _state(course: Course, learners: Sequence[Learner], *, done: int) -> State:
    """Return all that the chunks after this one depend on."""
    arrays = {f"{row}.weights": one.weights for row, one in enumerate(learners)}
    arrays |= {f"{row}.losses": one.watch.losses for row, one in enumerate(learners)}
    rest = {
        "update": done,
        "updates": course.protocol.updates,
        "learners": [
            {"replica": one.replica.facts(), "watch": one.watch.facts(), "since": one.since} for one in learners
        ],
        "streams": random_states(course.data.training),
    }
    return State(arrays, rest)


def _resume(state: State, course: Course, learners: Sequence[Learner]) -> int:
    """Put everything into a state and return how many sequences were done."""
    for row, (one, facts) in enumerate(zip(learners, state.rest["learners"], strict=True)):
        one.weights, one.since = state.arrays[f"{row}.weights"].copy(), list(facts["since"])
        vars(one.replica).update(facts["replica"])
        vars(one.watch).update(facts["watch"] | {"losses": state.arrays[f"{row}.losses"].copy()})
    set_random_states(course.data.training, state.rest["streams"])
    return int(state.rest["update"])


def _train_on(course: Course, learners: Sequence[Learner], *, batches: Sequence[Batch], rows: Sequence[int]) -> Array:
    """Train learner r on all of `batches[rows[r]]`; return the net outputs before each update (R, n, outputs)."""
    assert isinstance(course.network.cell, LSTM1997Cell)
    weights = np.stack([learner.weights for learner in learners])
    nets = train_online(
        course.network.cell,
        weights=weights,
        inputs=np.stack([batch.inputs for batch in batches]),
        targets=np.stack([course.task.vectors(batch.targets) for batch in batches]),
        starts=np.stack([batch.starts for batch in batches]),
        rows=rows,
        rates=[learner.replica.learning_rate for learner in learners],
        flow=course.flow,
        outputs=course.network.outputs,
    )
    for learner, trained in zip(learners, weights, strict=True):
        learner.weights = trained
    return nets


def _judge(course: Course, learner: Learner, *, before: Array, batch: Batch, nets: Array) -> None:
    """Hold the outputs of a chunk against the stop rule; one that has stopped gets the weights of that sequence."""
    replica, finite = learner.replica, np.isfinite(nets).all(axis=1)
    usable = len(nets) if finite.all() else int(finite.argmin())
    losses, right = _scored(course.task, nets[:usable], batch.targets[:, :usable])
    end = learner.watch.take(losses, right)
    if end is not None:
        replica.updates_to_solve = replica.updates + end
        if end < len(nets):
            learner.weights = before
            part = Batch(batch.inputs[:, :end], batch.targets[:, :end], batch.starts[:end])
            _train_on(course, [learner], batches=[part], rows=[0])
    replica.diverged = end is None and usable < len(nets)
    taken = usable if end is None else end
    replica.updates += taken
    leaves = end is not None or replica.diverged
    learner.note(losses[:taken], every=course.protocol.evaluate_every, last=leaves)
    if replica.diverged:
        replica.updates += 1  # the sequence whose outputs are not finite
        replica.note(replica.updates, train_loss=None, loss=None, accuracy=None)
    replica.best_update = replica.updates


def _scored(task: Task, nets: Array, targets: np.ndarray) -> tuple[Array, NDArray[np.bool_]]:
    """Return the loss of every sequence and whether it is right, of nets (n, outputs) and targets (1, n)."""
    outputs, answers = torch.from_numpy(nets), torch.from_numpy(targets)
    answers = answers.double() if answers.is_floating_point() else answers
    losses = task.loss(outputs[:, None, None], answers[0, :, None, None])  # every sequence as a batch of its own
    return losses.numpy(), task.correct(outputs[None, None], answers[None])[0, 0].numpy()


def _standing(learners: Sequence[Learner], *, done: int, budget: int) -> Standing:
    replicas = [learner.replica for learner in learners]
    solved = sum(replica.updates_to_solve is not None for replica in replicas)
    diverged = sum(replica.diverged for replica in replicas)
    sequences = sum(replica.updates for replica in replicas)
    return Standing(done, budget, len(replicas) - solved - diverged, solved, diverged, sequences)
