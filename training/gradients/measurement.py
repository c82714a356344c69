"""One condition from its settings to its measurement: along which path, and how far, the error goes while it trains.

The condition is trained as for its run record, at one learning rate; then its gradient is decomposed in float64 on the
reference kernel, for every seed at three moments of its training, on the first sequences of its validation set.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.cell import Cell
from models.kernels import load_kernel
from models.network import Network
from tasks.task import Batch
from training.evaluation import Tensors, to_tensors
from training.gradients.backward import run_network
from training.gradients.decomposition import compare_flows, decompose
from training.gradients.snapshots import (
    Snapshot,
    SnapshotCheckpointer,
    SnapshotRecorder,
    pick_evenly,
    pick_moments,
)
from training.protocols.minibatch import train
from training.replica import Replica, TrainingProgress
from training.setup import Setup, prepare_condition
from training.state import Checkpointer


class Sample(NamedTuple):
    """A snapshot, its replica, and the moment that it stands for."""

    replica: Replica
    moment: str
    snapshot: Snapshot


def measure_condition(
    settings: Mapping[str, Any],
    report: Callable[[TrainingProgress], None],
    *,
    checkpointer: Checkpointer | None = None,
) -> dict[str, Any]:
    """Train the condition of the settings, measure its gradient and return the measurement.

    The settings are those of a run of protocol minibatch with one learning rate, and `measurement`: the number of
    `sequences`, the number of `evaluations` at which the full and the 1997 gradient are compared besides the snapshots,
    and the measured `flows` by label, each a list of paths that the cell has. The record holds them, the `snapshots`
    (seed, moment, update, whether they solved the task), what `decompose` returns of them, and the `alignment`, none
    for a cell without a cell path. The same versions on the same kind of machine make the same record again, also where
    `checkpointer` has the state of a training that was cut short; it is offered the trained networks again while they
    are measured.
    """
    prepared = prepare_condition(settings)
    if type(prepared.setup.network.cell).unroll is not Cell.unroll:
        raise ValueError(f"model {settings['model']['name']} has a time loop of its own, without steps to be measured")
    setup, recorder, measurement = prepared.setup, SnapshotRecorder(prepared.replicas), settings["measurement"]
    saved = None if checkpointer is None else SnapshotCheckpointer(checkpointer, recorder=recorder)
    pause = (lambda: None) if saved is None else saved.offer_again
    train(prepared, report, observe=recorder.observe, checkpointer=saved)

    of_replica = list(zip(prepared.replicas, recorder.snapshots, strict=True))
    at_moments = [
        Sample(replica, moment, snapshot)
        for replica, snapshots in of_replica
        for moment, snapshot in pick_moments(replica, snapshots, budget=setup.hyperparameters.updates).items()
    ]
    at_evaluations = [
        Sample(replica, "evaluation", snapshot)
        for replica, snapshots in of_replica
        for snapshot in pick_evenly(snapshots, count=measurement["evaluations"])
    ]

    def describe(sample: Sample) -> dict[str, Any]:
        replica, update = sample.replica, sample.snapshot.update
        is_solved = replica.updates_to_solve is not None and update >= replica.updates_to_solve
        seed = settings["seeds"][replica.seed]
        return {"seed": seed, "snapshot": sample.moment, "update": update, "solved": is_solved}

    network, sequences, cell = _exact_network(setup), measurement["sequences"], setup.network.cell
    weights, data = _stack(at_moments, setup, sequences=sequences)
    forward = run_network(network, weights, task=setup.task, data=data)
    flows = {label: frozenset(paths) for label, paths in measurement["flows"].items()}
    alignment = []
    if "cell" in cell.paths:
        pause()
        compared = at_moments + at_evaluations
        weights, data = _stack(compared, setup, sequences=sequences)
        pair = (frozenset({"cell"}), frozenset(cell.paths))
        agreements = compare_flows(network, weights, task=setup.task, data=data, flows=pair)
        alignment = [describe(sample) | row for sample, rows in zip(compared, agreements, strict=True) for row in rows]
    return {
        "settings": settings,
        "kernel": setup.network.kernel.name,
        "sequence_length": setup.task.sequence_length,
        "snapshots": [describe(sample) for sample in at_moments],
        **decompose(forward, lag=setup.task.lag, flows=flows, after_step=pause),
        "alignment": alignment,
    }


def _exact_network(setup: Setup) -> Network:
    """Return the network of a setup on the reference kernel in float64."""
    cell = setup.network.cell
    kernel = load_kernel("reference", cell=cell, dtype=torch.float64, device=torch.device("cpu"))
    return Network(cell, outputs=setup.network.outputs, kernel=kernel)


def _stack(samples: Sequence[Sample], setup: Setup, *, sequences: int) -> tuple[Tensor, Tensors]:
    """Return the weights of snapshots (R, P) in float64, and the first validation sequences of their seeds."""
    weights = torch.stack([sample.snapshot.weights for sample in samples]).double().cpu()
    data = [
        Batch(batch.inputs[:, :sequences], batch.targets[:, :sequences], batch.starts[:sequences])
        for batch in setup.data.validation
    ]
    return weights, to_tensors(data, rows=[sample.replica.seed for sample in samples], like=weights)
