"""One condition from its settings to its measurement: along which path, and how far, the error goes while it trains.

The condition is trained as for its run record, at one learning rate; then its gradient is taken apart in float64 on the
reference kernel, for every seed at three moments of its training, on the first sequences of its validation set.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.kernels import load_kernel
from models.network import Network
from tasks.task import Batch
from training.attribution import go_forward
from training.cohort import Replica
from training.condition import prepare
from training.dissection import align, dissect
from training.evaluation import Tensors, to_tensors
from training.loop import Course, Standing, train
from training.snapshots import Album, AlbumKeeper, Snapshot, evenly, moments
from training.state import Keeper


class Taken(NamedTuple):
    """A snapshot, its replica, and what it shows."""

    replica: Replica
    moment: str
    snapshot: Snapshot


def measure_condition(
    settings: Mapping[str, Any], report: Callable[[Standing], None], *, keeper: Keeper | None = None
) -> dict[str, Any]:
    """Train the condition of the settings, measure its gradient and return the measurement.

    The settings are those of a run with one learning rate, and `measurement`: the number of `sequences`, the number of
    `evaluations` at which the full and the 1997 gradient are compared beside the snapshots, and the measured `flows` by
    label, each a list of paths that the cell has. The record holds them, the `snapshots` (seed, moment, update, whether
    they solved the task), what `training.dissection.dissect` returns of them, and the `alignment`, none for a cell
    without a cell path. The same versions on the same kind of machine make the same record again, also where `keeper`
    has the state of a training that was cut short; it is offered the trained networks again while they are measured.
    """
    course, replicas, weights = prepare(settings)
    album, asked, seeds = Album(replicas), settings["measurement"], settings["seeds"]
    kept = None if keeper is None else AlbumKeeper(keeper, album=album)
    pause = (lambda: None) if kept is None else kept.offer_again
    train(course, replicas, weights=weights, report=report, observe=album.observe, keeper=kept)

    picked = [
        Taken(replica, moment, snapshot)
        for replica, page in zip(replicas, album.pages, strict=True)
        for moment, snapshot in moments(replica, page, budget=course.protocol.updates).items()
    ]
    along = [
        Taken(replica, "evaluation", snapshot)
        for replica, page in zip(replicas, album.pages, strict=True)
        for snapshot in evenly(page, count=asked["evaluations"])
    ]
    network, sequences, cell = _exact(course), asked["sequences"], course.network.cell

    def about(taken: Taken) -> dict[str, Any]:
        replica, update = taken.replica, taken.snapshot.update
        is_solved = replica.updates_to_solve is not None and update >= replica.updates_to_solve
        return {"seed": seeds[replica.seed], "snapshot": taken.moment, "update": update, "solved": is_solved}

    weights, data = _stacked(picked, course, sequences=sequences)
    passage = go_forward(network, weights, task=course.task, data=data)
    flows = {label: frozenset(paths) for label, paths in asked["flows"].items()}
    alignment = []
    if "cell" in cell.paths:
        pause()
        compared = picked + along
        weights, data = _stacked(compared, course, sequences=sequences)
        both = (frozenset({"cell"}), frozenset(cell.paths))
        found = align(network, weights, task=course.task, data=data, flows=both)
        alignment = [about(taken) | row for taken, rows in zip(compared, found, strict=True) for row in rows]
    return {
        "settings": settings,
        "kernel": course.network.kernel.name,
        "sequence_length": course.task.sequence_length,
        "snapshots": [about(taken) for taken in picked],
        **dissect(passage, lag=course.task.lag, flows=flows, after_step=pause),
        "alignment": alignment,
    }


def _exact(course: Course) -> Network:
    """Return the network of a course on the reference kernel in float64."""
    cell = course.network.cell
    kernel = load_kernel("reference", cell=cell, dtype=torch.float64, device=torch.device("cpu"))
    return Network(cell, outputs=course.network.outputs, kernel=kernel)


def _stacked(chosen: Sequence[Taken], course: Course, *, sequences: int) -> tuple[Tensor, Tensors]:
    """Return the weights of snapshots (R, P) in float64, and the first validation sequences of their seeds."""
    weights = torch.stack([taken.snapshot.weights for taken in chosen]).double().cpu()
    data = [
        Batch(batch.inputs[:, :sequences], batch.targets[:, :sequences], batch.starts[:sequences])
        for batch in course.data.validation
    ]
    return weights, to_tensors(data, rows=[taken.replica.seed for taken in chosen], like=weights)
