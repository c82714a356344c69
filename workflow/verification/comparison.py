"""Compares two tables value by value, each a text: which rows and columns only one has, and which values differ.

A derived table must be equal byte for byte, or, as other versions of numpy or scipy may round otherwise, with every
number within 1e-9 of the published one (relative; below 1e-12 both are 0), and every count, flag and text equal.
Measured: numpy 2.1 with scipy 1.15, and other numbers of BLAS threads, move derived tables of numpy 2.4 with scipy 1.17
by at most a relative 1e-14.
"""

import math
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from workflow.tables.schema.columns import Columns

RELATIVE, ABSOLUTE = 1e-9, 1e-12
Row = dict[Any, str]


class Verdict(NamedTuple):
    """The outcome of comparing a table or a job."""

    agrees: bool
    exact: bool
    """Whether every value was equal."""
    message: str


class Difference(NamedTuple):
    """A value that is published as another text than it is recomputed, in a row that is named in words."""

    row: str
    column: str
    published: str
    recomputed: str

    @property
    def values(self) -> str:
        """The two values in words."""
        return f"published {self.published or 'nothing'}, recomputed {self.recomputed or 'nothing'}"

    @property
    def text(self) -> str:
        """The difference in words."""
        return f"in row ({self.row}), column {self.column}: {self.values}"

    def is_near(self, *, relative: float, absolute: float = 0.0) -> bool:
        """Return whether both are finite numbers within a tolerance of each other."""
        before, now = (pd.to_numeric(text, errors="coerce") for text in (self.published, self.recomputed))
        return bool(np.isfinite([before, now]).all() and math.isclose(before, now, rel_tol=relative, abs_tol=absolute))


def compare_table(
    published: pd.DataFrame, recomputed: pd.DataFrame, *, key: Sequence[str], columns: Columns
) -> Verdict:
    """Compare a derived table whose bytes are not those that were recomputed."""
    unmatched, differences = compare_texts(published, recomputed, key=key)
    unmatched += [value.text for value in differences if not is_close(value, columns=columns)]
    if unmatched:
        return describe_differences(unmatched)
    count = f"{format_count(len(differences), 'number')} {'are' if len(differences) != 1 else 'is'} written otherwise"
    message = f"equal within {RELATIVE:g} ({count})" if differences else "equal"
    if lacking := [str(column) for column in recomputed if column not in published]:
        message += f", but older: it has no column {', '.join(lacking)}"
    return Verdict(True, message == "equal", message)


def is_close(value: Difference, *, columns: Columns) -> bool:
    """Return whether two values of a column are the same number: counts exactly, others to nine digits."""
    dtype = columns[value.column].dtype if value.column in columns else "float64"
    if dtype == "float64":
        return value.is_near(relative=RELATIVE, absolute=ABSOLUTE)
    return dtype != "str" and value.is_near(relative=0)


def compare_texts(
    published: pd.DataFrame, recomputed: pd.DataFrame, *, key: Sequence[str]
) -> tuple[list[str], list[Difference]]:
    """Return in words what rows and columns only one of two tables has, and the values that differ in the others.

    The columns `key` name a row. A column that only the recomputed table has does not count: the other is older.
    """
    columns = list(published)
    unmatched = [f"has a column {name} that is not recomputed" for name in columns if name not in recomputed]
    unmatched += [f"has no column {name}" for name in key if name not in columns]
    if unmatched:
        return unmatched, []
    before, now = name_rows(published, key), name_rows(recomputed, key)
    repeated = before.index.duplicated(keep="last")
    lost = before.index.difference(now.index, sort=False)
    unmatched += [f"has the row ({row}) twice" for row in before.index[repeated].unique()]
    unmatched += [f"has no row ({row})" for row in now.index.difference(before.index, sort=False)]
    unmatched += [f"has a row ({row}) that is not recomputed" for row in lost]
    before = before[~repeated].drop(lost)
    old, new = before.to_numpy(), now.loc[before.index, columns].to_numpy()
    places = np.argwhere(old != new)
    return unmatched, [Difference(before.index[i], columns[j], old[i, j], new[i, j]) for i, j in places]


def name_rows(table: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Return a table whose index names its rows in words by the columns `key`."""
    rows = table[[*key]].itertuples(index=False)
    return table.set_index(pd.Index([describe_row(key, row) for row in rows], dtype="str"))


def describe_row(key: Sequence[str], values: Sequence[object]) -> str:
    """Return the values that name a row in words."""
    return ", ".join(f"{name} {value}" for name, value in zip(key, values, strict=True))


def describe_differences(differences: Sequence[str], *, rule: str = "") -> Verdict:
    """Return the verdict on a table that differs: the first difference, and how many more there are."""
    more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
    colon = f", {rule}:" if rule else "" if differences[0].startswith("in ") else ":"
    return Verdict(False, False, f"DIFFERS{colon} {differences[0]}{more}")


def format_count(count: int, noun: str) -> str:
    """Return a count of things in words."""
    return f"{count} {noun}{'s' if count != 1 else ''}"


def read_table(source: Path | StringIO) -> pd.DataFrame:
    """Read a table with every value as it is written."""
    try:
        return pd.read_csv(source, dtype=str, keep_default_na=False, encoding="utf-8").fillna("")
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except ValueError as error:
        raise ValueError(f"{source}: expected a CSV file; came {error}") from None


def convert_to_texts(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it would be read from its file."""
    return read_table(StringIO(table.to_csv(index=False)))
