"""By which path the error arrives, in the one step from T-u+1 to T-u, under the full gradient.

The paths are opened one after another in the order `cell`, `gates`, `block_input`, `peepholes`, `output_peephole`; a
path's part is what its opening adds, so that parts sum to the whole exactly. `output_peephole` stays within its step:
its part is what p_o do adds, by whichever path it goes on. Parts that are 0 throughout are left out.
"""

from functools import partial

from workflow.tables.schema.columns import text
from workflow.tables.schema.measurements import NETWORK, NORM, SHARE, SNAPSHOT, STEPS, compute_part

RECORDS = "measurement"
REQUIRES = "measurement"
KEY = (*NETWORK, "path", "quantity", "u")
COLUMNS = {
    **SNAPSHOT,
    "path": text("the path"),
    "quantity": text(
        "`eps_h`, `eps_c`: what arrives at h(T-u), c(T-u); `c`: all that arrives at c(T-u), by way of h(T-u) too"
    ),
    **STEPS,
    **NORM,
    **SHARE,
}

compute = partial(compute_part, part="paths", columns=COLUMNS)
