"""How like the full gradient the truncated one of 1997 is: one row per network, snapshot and weight."""

from functools import partial

from workflow.tables.schema.columns import CONDITION, count, flag, number, text
from workflow.tables.schema.measurements import NETWORK, SEED, SNAPSHOT, compute_part

RECORDS = "measurement"
REQUIRES = "measurement"
KEY = (*NETWORK, "update", "quantity")
COLUMNS = {
    **CONDITION,
    **SEED,
    **SNAPSHOT,
    "snapshot": text(f"{SNAPSHOT['snapshot'].meaning}; or an `evaluation`"),
    "update": count("the update at which it was taken"),
    "solved": flag("whether these weights solved the task"),
    "quantity": text("a weight of the cell, or `all` of them: its gradient of the training loss"),
    "cosine": number("between the truncated and the full gradient"),
    "norm_ratio": number("norm of the truncated gradient over that of the full one"),
    "norm": number("norm of the full gradient"),
}

compute = partial(compute_part, part="alignment", columns=COLUMNS)
