"""How far the error goes back: norms of the gradient against the steps back, along several gradient flows."""

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.tables.schema.columns import text
from workflow.tables.schema.measurements import (
    CONDITIONS,
    NORM,
    SEED,
    SERIES_KEY,
    SNAPSHOT,
    STEPS,
    Records,
    list_series_rows,
    sort_rows,
)

RECORDS = "measurement"
REQUIRES = "measurement"
KEY = (*SERIES_KEY, "flow", "quantity", "u")
COLUMNS = {
    **CONDITIONS,
    **SNAPSHOT,
    "flow": text("the gradient flow along which the error was sent back; `gradient` is that of the training"),
    "quantity": text(
        "`h`, `c`: root mean square over sequences of the norm of the sequence's own dC/dh(T-u), dC/dc(T-u), the whole "
        "derivative (by way of h(T-u) too); a weight matrix such as `W_i`: Frobenius norm of step T-u's term of the "
        "gradient of the mean loss, which the terms sum to"
    ),
    **STEPS,
    **SEED,
    "norm": NORM,
}


def compute(records: Records, experiment: Experiment) -> pd.DataFrame:
    """Compute the table from measurements."""
    return sort_rows(list_series_rows(records, "flows"), list(COLUMNS))
