"""Learning curves: one row per replica and evaluation; a replica that diverged ends with an empty one."""

from collections.abc import Iterator
from typing import Any

from records.condition import Condition
from workflow.experiment.experiment import Experiment
from workflow.statistics.replicas import REPLICA
from workflow.tables.schema.columns import CONDITION, Records, count, number

RECORDS = "run"
KEY = (*REPLICA, "update")
COLUMNS = {
    **CONDITION,
    "seed": count("seed of the initial weights and the data"),
    "learning_rate": number("the learning rate"),
    "update": count("the update after which it was evaluated"),
    "train_loss": number("mean training loss since the evaluation before"),
    "validation_loss": number("loss on validation data"),
    "validation_accuracy": number("accuracy on validation data"),
}


def compute(records: Records, experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Compute the rows from run records."""
    for run in records:
        condition = Condition.from_settings(run["settings"])._asdict()
        yield from (condition | point for point in run["curves"])
