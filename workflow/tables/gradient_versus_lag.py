"""How far the error goes back: norms of the gradient against the steps back, along several gradient flows."""

from functools import partial

from workflow.tables.schema.columns import text
from workflow.tables.schema.measurements import NETWORK, NORM, SNAPSHOT, STEPS, compute_part

RECORDS = "measurement"
REQUIRES = "measurement"
KEY = (*NETWORK, "flow", "quantity", "u")
COLUMNS = {
    **SNAPSHOT,
    "flow": text("the gradient flow along which the error was sent back; `gradient` is that of the training"),
    "quantity": text(
        "`h`, `c`: root mean square over sequences of the norm of the sequence's own dC/dh(T-u), dC/dc(T-u), the whole "
        "derivative (by way of h(T-u) too); a weight matrix such as `W_i`: Frobenius norm of step T-u's term of the "
        "gradient of the mean loss, which the terms sum to"
    ),
    **STEPS,
    **NORM,
}

compute = partial(compute_part, part="flows", columns=COLUMNS)
