"""When the snapshots of the measured networks were taken: one row per network and snapshot."""

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.tables.schema.columns import count, flag
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
KEY = SERIES_KEY
COLUMNS = {
    **CONDITIONS,
    **SEED,
    **SNAPSHOT,
    "update": count("the update at which it was taken"),
    "solved": flag("whether these weights solved the task"),
}


def compute(records: Records, experiment: Experiment) -> pd.DataFrame:
    """Compute the table from measurements."""
    return sort_rows(list_snapshot_rows(records, "snapshots"), list(COLUMNS))
