"""One condition from its settings to its run record: what a training job computes."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from tasks.task import Batch, Task
from training.evaluation import SCORES, evaluate
from training.networks import open_streams
from training.protocol import TrainingProtocol, load_protocol, train
from training.replica import Checkpointer, TrainingProgress
from training.setup import prepare_condition


def train_condition(
    settings: Mapping[str, Any],
    report: Callable[[TrainingProgress], None],
    *,
    checkpointer: Checkpointer | None = None,
) -> dict[str, Any]:
    """Train every (seed, learning rate) of the settings and return the run record.

    The settings are those of `workflow/jobs/run.py`. The same versions on the same kind of machine make the same record
    again, also where `checkpointer` has the state of a training that was cut short. Settings that do not fit together
    are a ValueError, a missing GPU a RuntimeError.
    """
    protocol = load_protocol(settings)(prepare_condition(settings))
    train(protocol, report, checkpointer=checkpointer)
    return _compute_record(settings, protocol)


def _compute_record(settings: Mapping[str, Any], protocol: TrainingProtocol) -> dict[str, Any]:
    """Score the trained weights on test data and return the run record."""
    setup, seeds, size = protocol.setup, settings["seeds"], settings["training"]["test_sequences"]
    network, task, replicas = setup.network, setup.task, setup.replicas
    data = [task.sample(rng, size) for rng in open_streams("test", settings)]
    rows = [replica.seed for replica in replicas]
    test = evaluate(network, protocol.finish(), task=task, data=data, rows=rows)
    names = [{"seed": seeds[replica.seed], "learning_rate": replica.learning_rate} for replica in replicas]

    def describe(row: int) -> dict[str, Any]:
        replica = replicas[row]
        return {
            **names[row],
            "parameters": network.parameters,
            "updates": replica.updates,
            "updates_to_solve": replica.updates_to_solve,
            "solved": replica.updates_to_solve is not None,
            "diverged": replica.diverged,
            "best_update": replica.best_update,
            **{f"validation_{name}": _number(replica.validation.get(name)) for name in SCORES},
            **{f"test_{name}": _number(value) for name, value in test[row].items()},
            **protocol.describe(row),
        }

    return {
        "settings": settings,
        "kernel": protocol.kernel or network.kernel.name,
        "sequence_length": task.sequence_length,
        "success_accuracy": task.success_accuracy,
        "scored_steps": _count_scored_steps(task, data[0]),
        "chance": task.chance._asdict(),
        "floor": task.floor(settings["gradient"]["k2"] or task.sequence_length)._asdict(),
        "replicas": [describe(row) for row in range(len(replicas))],
        "curves": [
            name | {key: _number(value) for key, value in point.items()}
            for name, replica in zip(names, replicas, strict=True)
            for point in replica.curve
        ],
    }


def _count_scored_steps(task: Task, batch: Batch) -> int:
    """Count the steps of a sequence that accuracy is computed from."""
    targets = torch.from_numpy(batch.targets[:, :1])[None]
    return task.correct(torch.zeros(*targets.shape, task.outputs), targets).shape[1]


def _number(value: float | None) -> float | None:
    """Return a JSON number, or None where there is no finite one."""
    return value if value is None or math.isfinite(value) else None
