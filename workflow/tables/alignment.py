"""How like the full gradient the truncated one of 1997 is: one row per network, snapshot and weight."""

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.tables.schema.columns import count, flag, number, text
from workflow.tables.schema.measurements import (
    CONDITIONS,
    SEED,
    SERIES_KEY,
    SNAPSHOT,
    Records,
    list_snapshot_rows,
    sort_rows,
)

RECORDS = "measurement"
REQUIRES = "measurement"
KEY = (*SERIES_KEY, "update", "quantity")
COLUMNS = {
    **CONDITIONS,
    **SEED,
    "snapshot": text(f"{SNAPSHOT['snapshot'].meaning}; or an `evaluation`"),
    "update": count("the update at which it was taken"),
    "solved": flag("whether these weights solved the task"),
    "quantity": text("a weight of the cell, or `all` of them: its gradient of the training loss"),
    "cosine": number("between the truncated and the full gradient"),
    "norm_ratio": number("norm of the truncated gradient over that of the full one"),
    "norm": number("norm of the full gradient"),
}


def compute(records: Records, experiment: Experiment) -> pd.DataFrame:
    """Compute the table from measurements."""
    return sort_rows(list_snapshot_rows(records, "alignment"), list(COLUMNS))
