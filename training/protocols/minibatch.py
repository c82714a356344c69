"""Protocol `minibatch`: all replicas of a condition in one batched program, each with its seed's data and its own rate.

A replica leaves the batch when it is solved (validation accuracy at the task's success criterion) or has diverged (a
loss or gradient that is not finite). What it computed does not depend on who else is in the batch: to the bit on the
cpu kernel, to rounding on the reference kernel.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from training.evaluation import compute_gradient, evaluate, rank, to_tensors
from training.protocol import TrainingProtocol
from training.replica import State
from training.setup import Setup

REQUIRED: dict[str, object] = {}

BLOCK = 64
"""Numbers that are summed up first; torch cuts the sum of one long row into as many parts as it has threads."""


class Minibatch(TrainingProtocol):
    """The replicas that are still in the batch: row r of every tensor belongs to `replicas[r]`."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.replicas = list(setup.replicas)
        self.weights = setup.weights.clone()  # (R, P)
        self.moments = setup.optimiser.start(setup.weights)
        self.losses = torch.zeros(len(setup.replicas), dtype=torch.float64)
        """Sum of the training losses since the last evaluation: (R,)."""
        self.evaluated = 0
        """The update of the last evaluation."""

    def start(self) -> None:
        """Evaluate the initial weights."""
        self._validate()

    def advance(self) -> None:
        """Make one update, and evaluate the weights if it is time to."""
        self.update += 1
        self._update()
        is_due = self.update % self.setup.evaluate_every == 0 or self.update == self.setup.updates
        if self.replicas and is_due:
            self._validate()

    def collect_state(self) -> State:
        """Return the tensors of the batch."""
        return {name: vars(self)[name] for name in ("weights", "moments", "losses", "evaluated")}

    def restore(self, state: State) -> None:
        """Set the tensors of the batch."""
        self.replicas = [replica for replica in self.setup.replicas if replica.is_alive]
        self.losses, self.evaluated = state["losses"], state["evaluated"]
        self.weights = state["weights"].to(self.weights)
        self.moments = {name: moment.to(self.weights) for name, moment in state["moments"].items()}

    def finish(self) -> Tensor:
        """Return the best weights by validation; of a replica that never had finite scores, the initial ones."""
        self._keep([False] * len(self.replicas))
        initial = self.setup.weights
        best = [replica.best_weights for replica in self.setup.replicas]
        return torch.stack([initial[row] if w is None else w.to(initial) for row, w in enumerate(best)])

    def _update(self) -> None:
        """Update every replica of the batch once; those whose loss or gradient is not finite leave."""
        setup, weights = self.setup, self.weights
        seeds = sorted({replica.seed for replica in self.replicas})
        batches = [setup.task.sample(setup.streams[seed], setup.batch_size) for seed in seeds]
        data = to_tensors(batches, rows=[seeds.index(replica.seed) for replica in self.replicas], like=weights)
        loss, gradient = compute_gradient(setup.network, weights, task=setup.task, data=data, flow=setup.flow)
        norm = compute_norm(gradient)
        gradient = clip(gradient, norm=norm, limit=setup.clip_norm)
        rates = weights.new_tensor([[replica.learning_rate] for replica in self.replicas])
        if setup.schedule is not None:
            rates = rates * setup.schedule.factor(self.update, updates=setup.updates)
        setup.optimiser.apply(weights, gradient, moments=self.moments, rates=rates, update=self.update)

        self.losses += loss.double().cpu()
        finite = (torch.isfinite(loss) & torch.isfinite(norm[:, 0])).tolist()
        for replica, is_finite in zip(self.replicas, finite, strict=True):
            replica.updates = self.update
            if not is_finite:
                replica.diverged = True
                replica.add_point(self.update, train_loss=None, loss=None, accuracy=None)
        if not all(finite):
            self._keep(finite)

    def _validate(self) -> None:
        """Evaluate every replica of the batch; better weights (accuracy, then loss) are its best; solved ones leave."""
        setup, rows = self.setup, [replica.seed for replica in self.replicas]
        scores = evaluate(setup.network, self.weights, task=setup.task, data=setup.validation, rows=rows)
        since = self.update - self.evaluated
        for row, (replica, score) in enumerate(zip(self.replicas, scores, strict=True)):
            train_loss = float(self.losses[row]) / since if since else None
            replica.add_point(self.update, train_loss=train_loss, loss=score["loss"], accuracy=score["accuracy"])
            if replica.snapshots is not None:
                replica.snapshots.append((self.update, _copy(self.weights[row])))
            best = replica.validation
            replica.diverged = not np.isfinite(score["loss"])
            if not replica.diverged and (not best or rank(score) > rank(best)):
                replica.validation, replica.best_update = score, self.update
                replica.best_weights = _copy(self.weights[row])
                if score["accuracy"] >= setup.task.success_accuracy:
                    replica.updates_to_solve = self.update
        self.losses.zero_()
        self.evaluated = self.update
        self._keep([replica.is_alive for replica in self.replicas])

    def _keep(self, stays: Sequence[bool]) -> None:
        """Remove the other replicas, with the weights that they have."""
        for replica, weights, stay in zip(self.replicas, self.weights, stays, strict=True):
            if not stay:
                replica.last_weights = _copy(weights)
        rows = torch.tensor([row for row, stay in enumerate(stays) if stay], dtype=torch.int64)
        self.replicas = [self.replicas[row] for row in rows]
        self.losses = self.losses[rows]
        rows = rows.to(self.weights.device)
        self.weights = self.weights[rows]
        self.moments = {name: moment[rows] for name, moment in self.moments.items()}


def compute_norm(gradient: Tensor) -> Tensor:
    """Return the Euclidean norm of each row (R, P), (R, 1) float64: the same bits for any R and number of threads."""
    squares = torch.nn.functional.pad(gradient.double().square(), (0, -gradient.shape[1] % BLOCK))
    return squares.unflatten(1, (-1, BLOCK)).sum(dim=2).sum(dim=1, keepdim=True).sqrt()


def clip(gradient: Tensor, *, norm: Tensor, limit: float | None) -> Tensor:
    """Rescale each row (R, P) whose Euclidean norm (R, 1) exceeds the limit (Pascanu et al. 2013, algorithm 1)."""
    return gradient if limit is None else gradient * (limit / norm).clamp(max=1).to(gradient.dtype)


def _copy(weights: Tensor) -> Tensor:
    return weights.to("cpu", copy=True)
