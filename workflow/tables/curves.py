"""Learning curves: one row per replica and evaluation; a replica that diverged ends with an empty one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from records.condition import Condition
from workflow.experiment.experiment import Experiment
from workflow.statistics.replicas import REPLICA
from workflow.tables.schema import columns
from workflow.tables.schema.columns import count, number

RECORDS = "run"
KEY = (*REPLICA, "update")
COLUMNS = {
    **columns.CONDITION,
    "seed": count("seed of the initial weights and the data"),
    "learning_rate": number("the learning rate"),
    "update": count("the update after which it was evaluated"),
    "train_loss": number("mean training loss since the evaluation before"),
    "validation_loss": number("loss on validation data"),
    "validation_accuracy": number("accuracy on validation data"),
}


def compute(records: Sequence[Mapping[str, Any]], experiment: Experiment) -> pd.DataFrame:
    """Compute the table from run records."""
    rows = [
        condition | point
        for run in records
        for condition in [Condition.from_settings(run["settings"])._asdict()]
        for point in run["curves"]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(list(KEY), ignore_index=True)
