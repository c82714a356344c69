"""Measurements to the tables of snapshots, norms against u, shares of the paths, attribution and alignment."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from records.condition import Condition
from workflow.tables.columns import (
    ALIGNMENT,
    ATTRIBUTION,
    GRADIENT_VERSUS_LAG,
    PATH_SHARES,
    SNAPSHOTS,
)
from workflow.tables.summary import typed

MOMENTS = ("initial", "half_way", "solved")


def measured_tables(records: Sequence[Mapping]) -> dict[str, pd.DataFrame]:
    """Make the tables of measurements, by name; rows are sorted by condition, and then as `columns` orders them."""
    made = {
        "snapshots": (SNAPSHOTS, lambda record: _of_snapshots(record, "snapshots")),
        "gradient_versus_lag": (GRADIENT_VERSUS_LAG, lambda record: _of_series(record, "flows")),
        "path_shares": (PATH_SHARES, lambda record: _of_series(record, "paths")),
        "attribution": (ATTRIBUTION, lambda record: _of_series(record, "attribution")),
        "alignment": (ALIGNMENT, lambda record: _of_snapshots(record, "alignment")),
    }
    return {
        name: _table([row for record in records for row in rows(record)], columns=columns)
        for name, (columns, rows) in made.items()
    }


def _table(rows: list[dict], *, columns: list[str]) -> pd.DataFrame:
    table = typed(pd.DataFrame(rows, columns=columns))
    order = [name for name in columns if name not in ("norm", "share", "cosine", "norm_ratio", "solved")]
    rank = {name: place for place, name in enumerate([*MOMENTS, "evaluation"])}
    return table.sort_values(
        order,
        ignore_index=True,
        kind="stable",
        key=lambda column: column.map(rank) if column.name == "snapshot" else column,
    )


def _of_snapshots(record: Mapping, part: str) -> Iterator[dict]:
    condition = _condition(record)
    for row in record[part]:
        if row["seed"] in record["seeds"]:
            yield condition | row


def _of_series(record: Mapping, part: str) -> Iterator[dict]:
    """Yield one row per series, snapshot and u; the norms and shares of `paths` and `attribution` begin at u = 1."""
    condition = _condition(record)
    for series in record[part]:
        names = {name: value for name, value in series.items() if isinstance(value, str)}
        numbers = {name: value for name, value in series.items() if name not in names}
        for place, snapshot in enumerate(record["snapshots"]):
            if snapshot["seed"] not in record["seeds"]:
                continue
            about = condition | names | {"seed": snapshot["seed"], "snapshot": snapshot["snapshot"]}
            of_snapshot = {name: values[place] for name, values in numbers.items()}
            steps = record["u"][-len(of_snapshot["norm"]) :]
            for rank, u in enumerate(steps):
                yield about | {"u": u} | {name: values[rank] for name, values in of_snapshot.items()}


def _condition(record: Mapping) -> dict:
    return Condition.from_settings(record["settings"])._asdict()
