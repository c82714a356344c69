"""By which paths the error arrives, over all steps from T.

Shapley shares sum to 1, those of subsets do not: error changes paths on its way.
"""

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.tables.schema.columns import text
from workflow.tables.schema.measurements import (
    CONDITIONS,
    NORM,
    SEED,
    SERIES_KEY,
    SHARE,
    SNAPSHOT,
    STEPS,
    Records,
    list_series_rows,
    sort_rows,
)

RECORDS = "measurement"
REQUIRES = "measurement"
KEY = (*SERIES_KEY, "kind", "paths", "quantity", "u")
COLUMNS = {
    **CONDITIONS,
    **SNAPSHOT,
    "kind": text(
        "`subset`: the error when only these paths are open; `shapley`: the mean of what opening a path adds, over all "
        "orders of opening"
    ),
    "paths": text("the paths, joined by +"),
    "quantity": text("`c`, or `h` in a cell without c: the error under all paths is the whole"),
    **STEPS,
    **SEED,
    "norm": NORM,
    "share": SHARE,
}


def compute(records: Records, experiment: Experiment) -> pd.DataFrame:
    """Compute the table from measurements."""
    return sort_rows(list_series_rows(records, "attribution"), list(COLUMNS))
