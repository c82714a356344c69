"""How much of an experiment there is (`make partial`): one row per condition; a search's sampled sizes share one."""

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.tables.schema.columns import CONDITION, Records, count

KEY = tuple(CONDITION)
COLUMNS = {
    **CONDITION,
    "seeds_wanted": count("seeds that the config requests"),
    "seeds_done": count("those whose records are there"),
    "seeds_stale": count(
        "those whose records have other settings or other code: in no table, and trained by the next run"
    ),
}


def compute(records: Records, experiment: Experiment) -> pd.DataFrame:
    """Compute the table from one mapping per requested run record: its `condition`, `state` and number of `seeds`."""
    rows = [
        experiment.restore_model(record["condition"])._asdict()
        | {"seeds_wanted": record["seeds"]}
        | {f"seeds_{state}": record["seeds"] * (record["state"] == state) for state in ("done", "stale")}
        for record in records
    ]
    return pd.DataFrame(rows).groupby([*KEY], as_index=False).sum()
