"""Tables as CSV files: equal tables give equal bytes, and come back exactly."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from workflow.tables.schema.columns import Columns
from workflow.tables.schema.computing import load_table

PIECE = 200_000
"""Rows of learning curves that are in memory together."""


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table: shortest round-trip floats, '\\n', renamed into place."""
    write_csv_parts([table], path)


def write_csv_parts(parts: Iterable[pd.DataFrame], path: Path) -> None:
    """Write a table whose rows come in parts, of which one is in memory at a time; the bytes are those of the whole."""
    with _open_draft(path) as draft:
        for number, part in enumerate(parts):
            how = {"mode": "a" if number else "w", "header": not number, "lineterminator": "\n", "encoding": "utf-8"}
            part.to_csv(draft, index=False, **how)  # type: ignore[call-overload]


def read_csv(path: Path, *, columns: Columns | None = None) -> pd.DataFrame:
    """Read a table that was written so, exactly: floats to the last bit, a label such as 'NA' as a label.

    Without `columns` they are those of the table that has the file's name.
    """
    return pd.read_csv(path, **_choose_types(path, columns))


def read_lags(path: Path, lags: Collection[int]) -> pd.DataFrame:
    """Read the rows of a table at some lags, piece by piece: of learning curves there may be millions."""
    with pd.read_csv(path, **_choose_types(path, None), chunksize=PIECE) as pieces:
        return pd.concat([select_lags(piece)(lags) for piece in pieces], ignore_index=True)


def select_lags(table: pd.DataFrame) -> Callable[[Collection[int]], pd.DataFrame]:
    """Return a function that returns the rows of a table at some lags, as `read_lags` does of a file."""
    return lambda lags: table[table["lag"].isin(lags)]


def _choose_types(path: Path, columns: Columns | None) -> dict[str, Any]:
    declared = load_table(path.stem).COLUMNS if columns is None else columns
    names = pd.read_csv(path, nrows=0, encoding="utf-8").columns
    types = {name: declared[name].dtype for name in names if name in declared}
    blank = {name: [""] for name in names if types.get(name) != "str"}
    return {"dtype": types, "keep_default_na": False, "na_values": blank, "encoding": "utf-8"}


@contextmanager
def _open_draft(path: Path) -> Iterator[Path]:
    """Yield the name of a file to write, which is then renamed into place, or removed on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
