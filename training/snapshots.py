"""The weights of a replica at moments of its training: as drawn, half-way to the solution, and solved."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from torch import Tensor

from training.cohort import Cohort, Replica

Moment = Literal["initial", "half_way", "solved"]


class Snapshot(NamedTuple):
    """Weights (P,) after an update."""

    update: int
    weights: Tensor


class Album:
    """Keeps the weights of every replica at every evaluation; its `observe` is what `training.loop.train` calls."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = list(replicas)
        self.pages: list[list[Snapshot]] = [[] for _ in replicas]

    def observe(self, update: int, cohort: Cohort) -> None:
        """Keep a copy of the weights of the replicas in the batch."""
        pages = {id(replica): page for replica, page in zip(self.replicas, self.pages, strict=True)}
        for replica, weights in zip(cohort.replicas, cohort.weights, strict=True):
            pages[id(replica)].append(Snapshot(update, weights.detach().clone()))


def moments(replica: Replica, page: Sequence[Snapshot], *, budget: int) -> dict[Moment, Snapshot]:
    """Pick the moments of a trained replica from its snapshots, the first of which is that of the initial weights.

    `half_way` is the evaluation nearest to half of the updates to solve, or, where the replica did not solve the task,
    to half of the budget in updates (the earlier one of two). `solved` is that of the best weights by validation: those
    that solved the task, if any did.
    """
    at = {snapshot.update: snapshot for snapshot in page}
    half = (budget if replica.updates_to_solve is None else replica.updates_to_solve) / 2
    return {
        "initial": page[0],
        "half_way": min(page, key=lambda snapshot: (abs(snapshot.update - half), snapshot.update)),
        "solved": at[replica.best_update],
    }


def evenly(page: Sequence[Snapshot], *, count: int) -> list[Snapshot]:
    """Return at most `count` of the snapshots, evenly spaced, the first and the last among them."""
    if len(page) <= count:
        return list(page)
    last = len(page) - 1
    return [page[round(rank * last / (count - 1))] for rank in range(count)]
