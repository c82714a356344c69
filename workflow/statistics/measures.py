"""What a claim measures: from the rows of a table to one number per seed and group.

A measure reads its column in one of these ways (`kind`); x(u) is the column over u, the steps back from the end, of one
seed and condition:

    value             the number that stands there
    flatness          the largest |x(u) / x(0) - 1| for u up to `at`
    retained          x(at) / x(0)
    factor_per_step   (x(at) / x(0)) ^ (1 / at): below 1 it vanishes, above 1 it explodes
    peak              x(at) over the largest x(u) with u < at
    ratio             the number over that of the same seed and condition with the labels `over`
    difference        the number minus that

`at` may be `lag`. Where the table has no row at u = at, the last one before it counts, with its own u.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

IDENTITY = ("device", "task", "lag", "model", "gradient", "learning_rate", "snapshot", "flow", "quantity")
"""The columns that name a condition, of those that a table has."""

Reduce = Callable[..., Any]
STATISTICS: dict[str, Reduce] = {"mean": np.mean, "median": np.median, "largest": np.max, "smallest": np.min}


def shown(value: object) -> str:
    """Write a label as claims and findings do: yes and no for flags, no trailing zeros."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | float | np.number):
        return f"{float(value):g}"
    return "none" if value is None or value is pd.NA else str(value)


def with_options(table: pd.DataFrame, summary: pd.DataFrame | None) -> pd.DataFrame:
    """Add the cell and the options of each row's model as columns (forget_gate, peepholes ...), from its summary."""
    if summary is None or "model" not in table.columns:
        return table
    models = summary.drop_duplicates("model")
    options = {row.model: {"cell": row.cell} | json.loads(str(row.model_options)) for row in models.itertuples()}
    names = dict.fromkeys(name for of_model in options.values() for name in of_model)
    added = {
        name: [options.get(model, {}).get(name) for model in table["model"]]
        for name in names
        if name not in table.columns
    }
    return table.assign(**{name: pd.Series(values, index=table.index, dtype=object) for name, values in added.items()})


def rows_where(table: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows with these labels, each a value or a list; a column that is missing is a ValueError."""
    for column, labels in where.items():
        values = {shown(value) for value in (labels if isinstance(labels, list) else [labels])}
        table = table[[shown(value) in values for value in _column(table, column)]]
    return table


def seed_numbers(table: pd.DataFrame, check: Mapping[str, Any]) -> dict[tuple[str, ...], NDArray[np.float64]]:
    """Return per group (the values of `by`) one number for each of its seeds, in the order of the seeds.

    The numbers of a seed, of several tasks or lags for example, become one by the check's statistic. Those that do not
    exist (NaN) do not count.
    """
    measure, reduce = check["measure"], STATISTICS[check["statistic"]]
    numbers = _numbers(rows_where(table, check["where"]), measure)
    if "over" in measure:
        reference = _numbers(rows_where(table, {**check["where"], **measure["over"]}), measure)
        numbers = _compared(numbers, reference, measure)
    numbers = numbers.dropna(subset="number")
    groups: dict[tuple[str, ...], NDArray[np.float64]] = {}
    keys = [[shown(value) for value in _column(numbers, name)] for name in check["by"]]
    labels = list(zip(*keys, strict=True)) if keys else [()] * len(numbers)
    for key in dict.fromkeys(labels):
        part = numbers[[label == key for label in labels]]
        seeds = part.groupby("seed", sort=True)["number"] if "seed" in part.columns else [(0, part["number"])]
        groups[key] = np.array([reduce(of_seed.to_numpy(dtype=float)) for _, of_seed in seeds])
    return groups


def _numbers(rows: pd.DataFrame, measure: Mapping[str, Any]) -> pd.DataFrame:
    values = _column(rows, measure["column"]).astype("float64")
    if "at" not in measure:
        return rows.assign(number=values)
    kept = [name for name in rows.columns if name not in ("u", measure["column"])]
    identity = [name for name in (*IDENTITY, "seed") if name in rows.columns]
    rows_of_curves = []
    for _, curve in rows.assign(number=values).sort_values("u").groupby(identity, sort=True):
        at = int(_column(curve, "lag").iloc[0]) if measure["at"] == "lag" else int(measure["at"])
        near = curve[curve["u"] <= at]
        number = _of_curve(measure["kind"], near["u"].to_numpy(), near["number"].to_numpy(dtype=float))
        rows_of_curves.append(curve.iloc[0][kept].to_dict() | {"number": number})
    return pd.DataFrame(rows_of_curves, columns=[*kept, "number"])


def _of_curve(kind: str, u: Sequence[int] | NDArray, x: NDArray[np.float64]) -> float:
    """Return the number of one curve whose last u is the one that counts."""
    if len(x) < 2 or u[0] != 0:
        return float("nan")
    if kind == "peak":
        return float(x[-1] / x[:-1].max())
    if not x[0] > 0:
        return float("nan")
    if kind == "flatness":
        return float(np.abs(x / x[0] - 1).max())
    retained = float(x[-1] / x[0])
    return retained if kind == "retained" else retained ** (1 / float(u[-1]))


def _compared(numbers: pd.DataFrame, reference: pd.DataFrame, measure: Mapping[str, Any]) -> pd.DataFrame:
    apart = {"learning_rate", *measure["over"]}  # each at the learning rate that was chosen for it
    named = [name for name in (*IDENTITY, "seed") if name in numbers.columns and name not in apart]
    both = numbers.merge(reference[[*named, "number"]], on=named, suffixes=("", "_reference"), validate="many_to_one")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = both["number"] / both["number_reference"]
    return both.assign(number=ratio if measure["kind"] == "ratio" else both["number"] - both["number_reference"])


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table.columns:
        raise ValueError(f"the table has no column {name}; its columns: {', '.join(table.columns)}")
    return table[name]
