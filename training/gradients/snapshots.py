"""The weights of a replica at moments of its training: initial, half-way to the solution, and solved."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from training.protocols.minibatch import Cohort
from training.replica import Replica
from training.state import Checkpointer, State

Moment = Literal["initial", "half_way", "solved"]


class Snapshot(NamedTuple):
    """Weights (P,) after an update, on the CPU."""

    update: int
    weights: Tensor


class SnapshotRecorder:
    """Copies the weights of every replica at every evaluation: `observe` of the minibatch protocol."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = list(replicas)
        self.snapshots: list[list[Snapshot]] = [[] for _ in replicas]

    def observe(self, update: int, cohort: Cohort) -> None:
        """Copy the weights of the replicas in the batch."""
        of_replica = {id(replica): own for replica, own in zip(self.replicas, self.snapshots, strict=True)}
        for replica, weights in zip(cohort.replicas, cohort.weights, strict=True):
            of_replica[id(replica)].append(Snapshot(update, weights.detach().to("cpu", copy=True)))

    def add_to(self, state: State) -> State:
        """Return a state of the training together with the snapshots so far."""
        updates = [[snapshot.update for snapshot in own] for own in self.snapshots]
        weights = [torch.stack([snapshot.weights for snapshot in own]).numpy() for own in self.snapshots]
        arrays = {f"snapshots.{row}": stacked for row, stacked in enumerate(weights)}
        return State({**state.arrays, **arrays}, {**state.scalars, "snapshots": updates})

    def restore(self, state: State) -> None:
        """Hold the snapshots of a state, and no other."""
        for row, updates in enumerate(state.scalars["snapshots"]):
            weights = torch.from_numpy(state.arrays[f"snapshots.{row}"])
            self.snapshots[row] = [Snapshot(*pair) for pair in zip(updates, weights, strict=True)]


class SnapshotCheckpointer:
    """A `training.state.Checkpointer` that saves the snapshots with the state of the training that makes them."""

    def __init__(self, checkpointer: Checkpointer, *, recorder: SnapshotRecorder) -> None:
        self.checkpointer = checkpointer
        self.recorder = recorder
        self.last: Callable[[], State] | None = None

    def load(self) -> State | None:
        """Return the state to continue from, and restore its snapshots."""
        state = self.checkpointer.load()
        if state is not None:
            self.recorder.restore(state)
            self.last = lambda: state
        return state

    def offer(self, state: Callable[[], State]) -> None:
        """Offer the state with the snapshots."""
        self.last = lambda: self.recorder.add_to(state())
        self.checkpointer.offer(self.last)

    def offer_again(self) -> None:
        """Offer the state after the last update once more: signals and limits hold after the training too."""
        if self.last is not None:
            self.checkpointer.offer(self.last)


def pick_moments(replica: Replica, snapshots: Sequence[Snapshot], *, budget: int) -> dict[Moment, Snapshot]:
    """Pick the moments of a trained replica from its snapshots, the first of which is that of the initial weights.

    `half_way` is the evaluation nearest to half of the updates to solve, or, where the replica did not solve the task,
    to half of the budget in updates (the earlier one of two). `solved` is that of the best weights by validation: those
    that solved the task, if any did.
    """
    by_update = {snapshot.update: snapshot for snapshot in snapshots}
    half = (budget if replica.updates_to_solve is None else replica.updates_to_solve) / 2
    return {
        "initial": snapshots[0],
        "half_way": min(snapshots, key=lambda snapshot: (abs(snapshot.update - half), snapshot.update)),
        "solved": by_update[replica.best_update],
    }


def pick_evenly(snapshots: Sequence[Snapshot], *, count: int) -> list[Snapshot]:
    """Return at most `count` of the snapshots, evenly spaced, the first and the last among them."""
    if len(snapshots) <= count:
        return list(snapshots)
    last = len(snapshots) - 1
    return [snapshots[round(rank * last / (count - 1))] for rank in range(count)]
