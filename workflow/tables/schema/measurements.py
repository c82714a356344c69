"""The rows of the tables that are computed from measurements, and the columns and the order that these tables share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from records.condition import Condition
from workflow.statistics.replicas import CONDITION
from workflow.tables.schema import columns
from workflow.tables.schema.columns import count, number, text

MOMENTS = ("initial", "half_way", "solved", "evaluation")
Records = Sequence[Mapping[str, Any]]

SEED = {"seed": count("seed of the network")}
SNAPSHOT = {
    "snapshot": text(
        "when in its training: `initial` (as sampled), `half_way` (the evaluation nearest to half of its updates to "
        "solve, or of its budget), `solved` (the best weights by validation, whether they solve the task or not)"
    )
}
STEPS = {"u": count("steps back from the last step T: 0, the powers of 2, the lag and T - 1")}
NORM = number("norm of an exact derivative of C, the loss of the last step T; in float64, to six digits")
SHARE = number(
    "its share in the whole: their product over the square of the whole, over all sequences. Shares sum to 1 and may "
    "be negative; norms do not add up"
)
CONDITIONS = columns.CONDITION
SERIES_KEY = (*CONDITION, "snapshot", "seed")


def list_snapshot_rows(records: Records, part: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a part of the records that has one per snapshot."""
    for record in records:
        condition = Condition.from_settings(record["settings"])._asdict()
        yield from (condition | row for row in record[part] if row["seed"] in record["seeds"])


def list_series_rows(records: Records, part: str) -> Iterator[dict[str, Any]]:
    """Yield one row per series, snapshot and u; the norms and shares of `paths` and `attribution` begin at u = 1."""
    for record in records:
        condition = Condition.from_settings(record["settings"])._asdict()
        for series in record[part]:
            labels = {name: value for name, value in series.items() if isinstance(value, str)}
            numbers = {name: value for name, value in series.items() if name not in labels}
            for place, snapshot in enumerate(record["snapshots"]):
                if snapshot["seed"] not in record["seeds"]:
                    continue
                row = condition | labels | {"seed": snapshot["seed"], "snapshot": snapshot["snapshot"]}
                values = {name: of_snapshots[place] for name, of_snapshots in numbers.items()}
                steps = record["u"][-len(values["norm"]) :]
                for rank, u in enumerate(steps):
                    yield row | {"u": u} | {name: of_steps[rank] for name, of_steps in values.items()}


def sort_rows(rows: Iterator[dict[str, Any]], names: Sequence[str]) -> pd.DataFrame:
    """Return the table of the rows, sorted by its columns in their order, snapshots in that of a training."""
    table = pd.DataFrame(list(rows), columns=list(names))
    order = [name for name in names if name not in ("norm", "share", "cosine", "norm_ratio", "solved")]
    rank = {name: place for place, name in enumerate(MOMENTS)}
    return table.sort_values(
        order,
        ignore_index=True,
        kind="stable",
        key=lambda column: column.map(rank) if column.name == "snapshot" else column,
    )
