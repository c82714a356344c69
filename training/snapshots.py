"""The weights of a replica at moments of its training: as drawn, half-way to the solution, and solved."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from training.cohort import Cohort, Replica
from training.state import Keeper, State

Moment = Literal["initial", "half_way", "solved"]


class Snapshot(NamedTuple):
    """Weights (P,) after an update, on the CPU."""

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
            pages[id(replica)].append(Snapshot(update, weights.detach().to("cpu", copy=True)))

    def added_to(self, state: State) -> State:
        """Return a state of the training together with the snapshots so far."""
        updates = [[snapshot.update for snapshot in page] for page in self.pages]
        weights = [torch.stack([snapshot.weights for snapshot in page]).numpy() for page in self.pages]
        arrays = {f"album.{row}": page for row, page in enumerate(weights)}
        return State({**state.arrays, **arrays}, {**state.rest, "album": updates})

    def restore(self, state: State) -> None:
        """Hold the snapshots of a state, and no other."""
        for row, updates in enumerate(state.rest["album"]):
            weights = torch.from_numpy(state.arrays[f"album.{row}"])
            self.pages[row] = [Snapshot(*pair) for pair in zip(updates, weights, strict=True)]


class AlbumKeeper:
    """A `training.state.Keeper` that keeps an album with the state of the training that fills it."""

    def __init__(self, keeper: Keeper, *, album: Album) -> None:
        self.keeper = keeper
        self.album = album
        self.last: Callable[[], State] | None = None

    def found(self) -> State | None:
        """Return the state to go on from, and put its snapshots into the album."""
        state = self.keeper.found()
        if state is not None:
            self.album.restore(state)
            self.last = lambda: state
        return state

    def offer(self, state: Callable[[], State]) -> None:
        """Offer the state with the snapshots."""
        self.last = lambda: self.album.added_to(state())
        self.keeper.offer(self.last)

    def offer_again(self) -> None:
        """Offer the state after the last update once more: signals and limits hold after the training too."""
        if self.last is not None:
            self.keeper.offer(self.last)


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
