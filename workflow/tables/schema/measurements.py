"""The rows of the tables that are computed from measurements, and the columns that these tables share."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from records.condition import Condition
from workflow.experiment.experiment import Experiment
from workflow.tables.schema.columns import CONDITION, Columns, Records, count, number, text

MOMENTS = ("initial", "half_way", "solved", "evaluation")

SEED = {"seed": count("seed of the network")}
SNAPSHOT = {
    **CONDITION,
    "snapshot": text(
        "when in its training: `initial` (as sampled), `half_way` (the evaluation nearest to half of its updates to "
        "solve, or of its budget), `solved` (the best weights by validation, whether they solve the task or not)"
    ),
}
STEPS = {"u": count("steps back from the last step T: 0, the powers of 2, the lag and T - 1"), **SEED}
NORM = {"norm": number("norm of an exact derivative of C, the loss of the last step T; in float64, to six digits")}
SHARE = {
    "share": number(
        "its share in the whole: their product over the square of the whole, over all sequences. Shares sum to 1 and "
        "may be negative; norms do not add up"
    )
}
NETWORK = (*SNAPSHOT, *SEED)


def compute_part(records: Records, experiment: Experiment, *, part: str, columns: Columns) -> pd.DataFrame:
    """Compute the table of a part of the records, snapshots in the order of a training."""
    rows = [
        Condition.from_settings(record["settings"])._asdict() | row
        for record in records
        for row in _list_rows(record, part)
        if row["seed"] in record["seeds"]
    ]
    table = pd.DataFrame(rows, columns=list(columns))
    return table.assign(snapshot=pd.Categorical(table["snapshot"], MOMENTS, ordered=True))


def _list_rows(record: Mapping[str, Any], part: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a part, where it has series one per snapshot and u; norms of paths begin at u = 1."""
    for entry in record[part]:
        if "seed" in entry:
            yield entry
            continue
        labels = {name: value for name, value in entry.items() if isinstance(value, str)}
        for place, snapshot in enumerate(record["snapshots"]):
            numbers = {name: values[place] for name, values in entry.items() if name not in labels}
            row = labels | {name: snapshot[name] for name in ("seed", "snapshot")}
            for rank, u in enumerate(record["u"][-len(numbers["norm"]) :]):
                yield row | {"u": u} | {name: values[rank] for name, values in numbers.items()}
