"""How much of an experiment there is (`make partial`): one row per condition; a search's sampled sizes share one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from records.condition import Condition
from workflow.experiment.experiment import Experiment
from workflow.statistics.replicas import CONDITION
from workflow.tables.schema import columns
from workflow.tables.schema.columns import count

KEY = tuple(CONDITION)
COLUMNS = {
    **columns.CONDITION,
    "seeds_wanted": count("seeds that the config requests"),
    "seeds_done": count("those whose records are there"),
    "seeds_stale": count(
        "those whose records have other settings or other code: in no table, and trained by the next run"
    ),
}


def compute(records: Sequence[Mapping[str, Any]], experiment: Experiment) -> pd.DataFrame:
    """Compute the table from one mapping per requested run record: its `condition`, `state` and number of `seeds`."""
    counts: dict[Condition, dict[str, int]] = {}
    for record in records:
        condition = experiment.restore_model(record["condition"])
        row = counts.setdefault(condition, {"seeds_wanted": 0, "seeds_done": 0, "seeds_stale": 0})
        row["seeds_wanted"] += record["seeds"]
        if record["state"] in ("done", "stale"):
            row[f"seeds_{record['state']}"] += record["seeds"]
    rows = [condition._asdict() | counts[condition] for condition in sorted(counts)]
    return pd.DataFrame(rows, columns=list(COLUMNS))
