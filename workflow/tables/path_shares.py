"""By which path the error arrives, in the one step from T-u+1 to T-u, under the full gradient.

The paths are opened one after another in the order `cell`, `gates`, `block_input`, `peepholes`, `output_peephole`; a
path's part is what its opening adds, so that parts sum to the whole exactly. `output_peephole` stays within its step:
its part is what p_o do adds, by whichever path it goes on. Parts that are 0 throughout are left out.
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
KEY = (*SERIES_KEY, "path", "quantity", "u")
COLUMNS = {
    **CONDITIONS,
    **SNAPSHOT,
    "path": text("the path"),
    "quantity": text(
        "`eps_h`, `eps_c`: what arrives at h(T-u), c(T-u); `c`: all that arrives at c(T-u), by way of h(T-u) too"
    ),
    **STEPS,
    **SEED,
    "norm": NORM,
    "share": SHARE,
}


def compute(records: Records, experiment: Experiment) -> pd.DataFrame:
    """Compute the table from measurements."""
    return sort_rows(list_series_rows(records, "paths"), list(COLUMNS))
