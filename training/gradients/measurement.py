"""One condition from its settings to its measurement: along which path, and how far, the error goes while it trains.

The condition is trained as for its run record, at one learning rate; then its gradient is decomposed in float64 on the
reference kernel, for every seed at three moments of its training, on the first sequences of its validation set.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.cell import Cell
from tasks.task import Batch
from training.evaluation import Tensors, to_tensors
from training.gradients.backward import run_network
from training.gradients.decomposition import compare_flows, decompose
from training.networks import load_network, use_reference
from training.protocol import collect_state, load_protocol, train
from training.replica import Checkpointer, Replica, TrainingProgress
from training.setup import Setup, prepare_condition


class Snapshot(NamedTuple):
    """The weights (P,) of a replica after an update, and the moment of its training that they stand for."""

    replica: Replica
    moment: str
    update: int
    weights: Tensor


def measure_condition(
    settings: Mapping[str, Any],
    report: Callable[[TrainingProgress], None],
    *,
    checkpointer: Checkpointer | None = None,
) -> dict[str, Any]:
    """Train the condition of the settings, measure its gradient and return the measurement.

    The settings are those of `workflow/jobs/measurement.py`: of a run of protocol minibatch with one learning rate, and
    `measurement`, with the number of `evaluations` at which the full and the 1997 gradient are compared besides the
    snapshots. A cell without a cell path has no `alignment`. The same versions on the same kind of machine make the
    same record again, also where `checkpointer` has the state of a training that was cut short; it is offered the
    trained networks again while they are measured.
    """
    setup, measurement = prepare_condition(settings), settings["measurement"]
    if type(setup.network.cell).unroll is not Cell.unroll:
        raise ValueError(f"model {settings['model']['name']} has a time loop of its own, without steps to be measured")
    for replica in setup.replicas:
        replica.snapshots = []
    protocol = load_protocol(settings)(setup)
    train(protocol, report, checkpointer=checkpointer)

    def pause() -> None:
        """Let signals and limits hold after the training too."""
        if checkpointer is not None:
            checkpointer.offer(partial(collect_state, protocol))

    def describe(snapshot: Snapshot) -> dict[str, Any]:
        replica, update = snapshot.replica, snapshot.update
        is_solved = replica.updates_to_solve is not None and update >= replica.updates_to_solve
        seed = settings["seeds"][replica.seed]
        return {"seed": seed, "snapshot": snapshot.moment, "update": update, "solved": is_solved}

    at_moments = [s for replica in setup.replicas for s in pick_moments(replica, budget=setup.updates)]
    network, cell = load_network(use_reference(settings))[0], setup.network.cell
    select = partial(_stack, setup=setup, sequences=measurement["sequences"])
    weights, data = select(at_moments)
    forward = run_network(network, weights, task=setup.task, data=data)
    flows = {label: frozenset(paths) for label, paths in measurement["flows"].items()}
    alignment = []
    if "cell" in cell.paths:
        pause()
        evenly = [s for replica in setup.replicas for s in pick_evenly(replica, count=measurement["evaluations"])]
        weights, data = select(at_moments + evenly)
        pair = (frozenset({"cell"}), frozenset(cell.paths))
        agreements = compare_flows(network, weights, task=setup.task, data=data, flows=pair)
        compared = zip(at_moments + evenly, agreements, strict=True)
        alignment = [describe(snapshot) | row for snapshot, rows in compared for row in rows]
    return {
        "settings": settings,
        "kernel": setup.network.kernel.name,
        "sequence_length": setup.task.sequence_length,
        "snapshots": [describe(snapshot) for snapshot in at_moments],
        **decompose(forward, lag=setup.task.lag, flows=flows, after_step=pause),
        "alignment": alignment,
    }


def pick_moments(replica: Replica, *, budget: int) -> list[Snapshot]:
    """Pick the moments of a trained replica from its snapshots, the first of which is that of the initial weights.

    `half_way` is the evaluation nearest to half of the updates to solve, or, where the replica did not solve the task,
    to half of the budget in updates (the earlier one of two). `solved` is that of the best weights by validation: those
    that solved the task, if any did.
    """
    snapshots = dict(replica.snapshots or ())
    half = (budget if replica.updates_to_solve is None else replica.updates_to_solve) / 2
    half_way = min(snapshots, key=lambda update: (abs(update - half), update))
    moments = {"initial": min(snapshots), "half_way": half_way, "solved": replica.best_update}
    return [Snapshot(replica, moment, update, snapshots[update]) for moment, update in moments.items()]


def pick_evenly(replica: Replica, *, count: int) -> list[Snapshot]:
    """Return at most `count` snapshots of a replica, evenly spaced, the first and the last among them."""
    snapshots = replica.snapshots or []
    last = len(snapshots) - 1
    picked = range(last + 1) if last < count else [round(rank * last / (count - 1)) for rank in range(count)]
    return [Snapshot(replica, "evaluation", *snapshots[place]) for place in picked]


def _stack(snapshots: Sequence[Snapshot], *, setup: Setup, sequences: int) -> tuple[Tensor, Tensors]:
    """Return the weights of snapshots (R, P) in float64, and the first validation sequences of their seeds."""
    weights = torch.stack([snapshot.weights for snapshot in snapshots]).double()
    first = slice(sequences)
    data = [Batch(b.inputs[:, first], b.targets[:, first], b.starts[first]) for b in setup.validation]
    return weights, to_tensors(data, rows=[snapshot.replica.seed for snapshot in snapshots], like=weights)
