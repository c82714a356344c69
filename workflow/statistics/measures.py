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
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

IDENTITY = ("device", "task", "lag", "model", "gradient", "learning_rate", "snapshot", "flow", "quantity", "seed")
"""The columns that name the network or curve of a number, of those that a table has."""
STATISTICS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "median": np.median,
    "largest": np.max,
    "smallest": np.min,
}


def format_label(value: object) -> str:
    """Write a label as claims and findings do: yes and no for flags, no trailing zeros."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | float | np.number):
        return f"{float(value):g}"
    return "none" if value is None or value is pd.NA else str(value)


def add_options(table: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Add the cell and the options of each row's model as columns (forget_gate, peepholes ...), from its summary."""
    models = summary.drop_duplicates("model").set_index("model")
    options = pd.DataFrame(map(json.loads, models["model_options"]), index=models.index, dtype=object)
    options = options.assign(cell=models["cell"]).drop(columns=table.columns, errors="ignore").astype(object)
    return table.join(options.where(options.notna(), None), on="model")


def select_rows(table: pd.DataFrame, where: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows with these labels, each a value or a list; a column that is missing is a ValueError."""
    require_columns(table, where)
    for column, labels in where.items():
        values = [format_label(value) for value in (labels if isinstance(labels, list) else [labels])]
        table = table[[format_label(value) in values for value in table[column]]]
    return table


def require_columns(table: pd.DataFrame, names: Iterable[str]) -> None:
    """Raise a ValueError for the first column that a table has not."""
    for name in names:
        if name not in table.columns:
            raise ValueError(f"the table has no column {name}; its columns: {', '.join(table.columns)}")


def list_seed_numbers(table: pd.DataFrame, check: Mapping[str, Any]) -> dict[tuple[str, ...], NDArray[np.float64]]:
    """Return per group (the values of `by`) one number for each of its seeds, in the order of the seeds.

    The numbers of a seed, of several tasks or lags for example, become one by the check's statistic. Those that do not
    exist (NaN) do not count.
    """
    measure, reduce = check["measure"], STATISTICS[check["statistic"]]
    numbers = _measure_rows(select_rows(table, check["where"]), measure)
    if "over" in measure:
        reference = _measure_rows(select_rows(table, {**check["where"], **measure["over"]}), measure)
        numbers = _compare(numbers, reference, measure)
    numbers = numbers.dropna(subset="number")
    require_columns(numbers, check["by"])
    groups: dict[tuple[str, ...], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in numbers.to_dict("records"):
        groups[tuple(format_label(row[name]) for name in check["by"])][row.get("seed", 0)].append(row["number"])
    return {key: np.array([reduce(of_seed) for _, of_seed in sorted(seeds.items())]) for key, seeds in groups.items()}


def _measure_rows(rows: pd.DataFrame, measure: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows with their `number`, of every curve one."""
    require_columns(rows, [measure["column"]])
    rows = rows.assign(number=rows[measure["column"]].astype("float64"))
    if "at" not in measure:
        return rows
    at = rows["lag"] if measure["at"] == "lag" else measure["at"]
    identity = [name for name in IDENTITY if name in rows.columns]
    curves = rows[rows["u"] <= at].sort_values("u").groupby(identity, sort=True)
    numbers = [curve.iloc[0].to_dict() | {"number": _measure_curve(curve, measure["kind"])} for _, curve in curves]
    return pd.DataFrame(numbers, columns=rows.columns)


def _measure_curve(curve: pd.DataFrame, kind: str) -> float:
    """Return the number of one curve whose last u is the one that counts."""
    u, x = curve["u"].to_numpy(), curve["number"].to_numpy(dtype=float)
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


def _compare(numbers: pd.DataFrame, reference: pd.DataFrame, measure: Mapping[str, Any]) -> pd.DataFrame:
    apart = {"learning_rate", *measure["over"]}  # each at the learning rate that was chosen for it
    names = [name for name in IDENTITY if name in numbers.columns and name not in apart]
    both = numbers.merge(reference[[*names, "number"]], on=names, suffixes=("", "_reference"), validate="many_to_one")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = both["number"] / both["number_reference"]
    return both.assign(number=ratio if measure["kind"] == "ratio" else both["number"] - both["number_reference"])
