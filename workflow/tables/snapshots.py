"""When the snapshots of the measured networks were taken: one row per network and snapshot."""

from functools import partial

from workflow.tables.schema.columns import CONDITION, count, flag
from workflow.tables.schema.measurements import NETWORK, SEED, SNAPSHOT, compute_part

RECORDS = "measurement"
REQUIRES = "measurement"
KEY = NETWORK
COLUMNS = {
    **CONDITION,
    **SEED,
    **SNAPSHOT,
    "update": count("the update at which it was taken"),
    "solved": flag("whether these weights solved the task"),
}

compute = partial(compute_part, part="snapshots", columns=COLUMNS)
