"""By which paths the error arrives, over all steps from T.

Shapley shares sum to 1, those of subsets do not: error changes paths on its way.
"""

from functools import partial

from workflow.tables.schema.columns import text
from workflow.tables.schema.measurements import NETWORK, NORM, SHARE, SNAPSHOT, STEPS, compute_part

RECORDS = "measurement"
REQUIRES = "measurement"
KEY = (*NETWORK, "kind", "paths", "quantity", "u")
COLUMNS = {
    **SNAPSHOT,
    "kind": text(
        "`subset`: the error when only these paths are open; `shapley`: the mean of what opening a path adds, over all "
        "orders of opening"
    ),
    "paths": text("the paths, joined by +"),
    "quantity": text("`c`, or `h` in a cell without c: the error under all paths is the whole"),
    **STEPS,
    **NORM,
    **SHARE,
}

compute = partial(compute_part, part="attribution", columns=COLUMNS)
