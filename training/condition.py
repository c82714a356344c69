"""One condition from its settings to its run record: what a training job computes."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor

from tasks.task import Batch, Task
from training.evaluation import evaluate
from training.plugins import load_module
from training.replica import Replica, TrainingProgress
from training.setup import PreparedCondition, open_streams, prepare_condition
from training.state import Checkpointer


class TrainedReplicas(NamedTuple):
    """What a protocol returns, besides what it noted in the replicas."""

    weights: Tensor
    """The weights that are tested: (R, P)."""
    columns: Sequence[Mapping[str, Any]]
    """Further numbers of each replica for the run record."""
    kernel: str | None = None
    """The kernel that ran, if it was not the network's."""


class TrainingProtocol(Protocol):
    """The contract of a file of training/protocols: how the replicas of a condition are trained.

    It may declare more literals for the validation of a config: `CELLS`, the literal that a cell's file must declare as
    true, and `STOP_RULE = True` where every task needs a published stop rule.
    """

    REQUIRED: Mapping[str, Any]
    """The settings that the protocol demands, such as `{"training.batch_size": 1}`; None: none. A literal."""

    def train(
        self,
        prepared: PreparedCondition,
        report: Callable[[TrainingProgress], None],
        *,
        checkpointer: Checkpointer | None = None,
    ) -> TrainedReplicas:
        """Train the replicas and note in each what became of it.

        `report` is called now and then, the first time before any update or after some, and after the last one; then
        `checkpointer`, which may have a state to continue from, is offered the state. With that state, and the same
        prepared condition, another process ends with the same bits.
        """


def train_condition(
    settings: Mapping[str, Any],
    report: Callable[[TrainingProgress], None],
    *,
    checkpointer: Checkpointer | None = None,
) -> dict[str, Any]:
    """Train every (seed, learning rate) of the settings and return the run record.

    The settings are those of a run's job: device, seeds, learning_rates, task, model, gradient, training, optimiser,
    and schedule where the learning rate is not constant. The record holds them, the kernel that ran, the length of a
    sequence in steps, the success criterion, how many steps are scored, the chance level, the floor at the flow's k2,
    one entry per replica and the learning curves; the same versions on the same kind of machine make the same record
    again, also where `checkpointer` has the state of a training that was cut short. Settings that do not fit together
    are a ValueError, a missing GPU a RuntimeError.
    """
    protocol = load_protocol(settings)
    prepared = prepare_condition(settings)
    trained = protocol.train(prepared, report, checkpointer=checkpointer)
    return _compute_record(settings, prepared, trained)


def load_protocol(settings: Mapping[str, Any]) -> TrainingProtocol:
    """Load the protocol that the settings name; an unknown one, or settings that it cannot have, are a ValueError."""
    name = settings["training"]["protocol"]
    protocol = cast(TrainingProtocol, load_module("protocols", name))
    for path, required in protocol.REQUIRED.items():
        given: Any = settings
        for key in path.split("."):
            given = (given or {}).get(key)
        if given != required:
            raise ValueError(f"protocol {name} demands {path} = {required!r}; came: {given!r}")
    return protocol


def _compute_record(
    settings: Mapping[str, Any], prepared: PreparedCondition, trained: TrainedReplicas
) -> dict[str, Any]:
    """Score the trained weights on test data and return the run record."""
    (network, task, *_), replicas, seeds = prepared.setup, prepared.replicas, settings["seeds"]
    size = settings["training"]["test_sequences"]
    data = [task.sample(rng, size) for rng in open_streams("test", settings=settings)]
    test = evaluate(network, trained.weights, task=task, data=data, rows=[replica.seed for replica in replicas])
    return {
        "settings": settings,
        "kernel": trained.kernel or network.kernel.name,
        "sequence_length": task.sequence_length,
        "success_accuracy": task.success_accuracy,
        "scored_steps": _count_scored_steps(task, data[0]),
        "chance": task.chance._asdict(),
        "floor": task.floor(settings["gradient"]["k2"] or task.sequence_length)._asdict(),
        "replicas": [
            _describe(replica, seed=seeds[replica.seed], parameters=network.parameters)
            | {f"test_{name}": _number(value) for name, value in test.select(row).items()}
            | dict(columns)
            for row, (replica, columns) in enumerate(zip(replicas, trained.columns, strict=True))
        ],
        "curves": [
            {"seed": seeds[replica.seed], "learning_rate": replica.learning_rate}
            | {key: _number(value) for key, value in point.items()}
            for replica in replicas
            for point in replica.curve
        ],
    }


def _count_scored_steps(task: Task, batch: Batch) -> int:
    """Count the steps of a sequence that accuracy is computed from."""
    targets = torch.from_numpy(batch.targets[:, :1])[None]
    return task.correct(torch.zeros(*targets.shape, task.outputs), targets).shape[1]


def _describe(replica: Replica, *, seed: int, parameters: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "learning_rate": replica.learning_rate,
        "parameters": parameters,
        "updates": replica.updates,
        "updates_to_solve": replica.updates_to_solve,
        "solved": replica.updates_to_solve is not None,
        "diverged": replica.diverged,
        "best_update": replica.best_update,
    } | {f"validation_{name}": _number(replica.validation.get(name)) for name in ("loss", "accuracy", "exact_match")}


def _number(value: Any) -> Any:
    """Return a JSON number, or None where there is no finite one."""
    if value is None or isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None
