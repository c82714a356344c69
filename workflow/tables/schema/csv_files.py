"""Tables as CSV files: equal tables give equal bytes, and come back exactly; one of records is written in parts."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from records.condition import Condition
from records.paths import RecordPath
from records.writing import write_json
from workflow.experiment.experiment import Experiment
from workflow.experiment.tables import compute_sources, list_settings
from workflow.jobs.records import read_json, read_record
from workflow.jobs.requested import Request, list_requests_at
from workflow.tables.schema.columns import Frames, Records, set_types
from workflow.tables.schema.computing import compute_table, load_table

AT_ONCE = 200
"""Conditions whose records are in memory together: of ten thousand, all would take several GB."""
PIECE = 200_000
"""Rows of learning curves that are in memory together."""


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table: shortest round-trip floats, '\\n', renamed into place."""
    write_csv_parts([table], path)


def write_csv_parts(parts: Iterable[pd.DataFrame], path: Path) -> None:
    """Write a table whose rows come in parts, of which one is in memory at a time; the bytes are those of the whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            for number, part in enumerate(parts):
                part.to_csv(file, index=False, header=not number, lineterminator="\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read_csv(path: Path) -> pd.DataFrame:
    """Read the table that the file is named after, exactly: floats to the last bit, a label such as 'NA' as a label."""
    return pd.read_csv(path, **_choose_types(path))


def read_lags(path: Path, lags: Collection[int]) -> pd.DataFrame:
    """Read the rows of a table at some lags, piece by piece: of learning curves there may be millions."""
    with pd.read_csv(path, **_choose_types(path), chunksize=PIECE) as pieces:
        return pd.concat([piece[piece["lag"].isin(lags)] for piece in pieces], ignore_index=True)


def write_table(name: str, experiment: Experiment, *, inputs: Sequence[str], path: Path) -> None:
    """Write a table that is computed from tables or from records.

    The bytes are those of the whole table: one of records is sorted by condition, so that it can be written in parts.
    """
    file = experiment.registry.tables[name]
    parts: Iterable[Frames | Records]
    if file.needs:
        parts = [{Path(table).stem: read_csv(Path(table)) for table in inputs}]
    elif getattr(load_table(name), "PART", "") == "provenance":
        parts = [[read_provenance(Path(record)) for record in inputs]]
    else:
        parts = _read_parts(list_requests_at(experiment, file.records, inputs))
    write_csv_parts((compute_table(name, part, experiment) for part in parts), path)


def write_rows_table(
    name: str,
    experiment: Experiment,
    *,
    compute_rows: Callable[[Mapping[str, Any]], Iterable[dict[str, Any]]],
    describe: Callable[..., dict[str, Any]],
    path: Path,
) -> None:
    """Write a table whose rows a function of training/ computes, and its provenance, which `describe` returns."""
    calls = list_settings(experiment, name)
    rows = [row for settings in calls for row in compute_rows(settings)]
    write_csv(set_types(rows, load_table(name).COLUMNS), path)
    provenance = describe(settings={"calls": calls}, sources=compute_sources(experiment, name))
    write_json(path.with_suffix(".provenance.json"), provenance)


def read_provenance(record: Path) -> dict[str, Any]:
    """Read the provenance next to a record, with `run`, the record's path below the folder of its kind."""
    name = f"{RecordPath.from_path(record).name}.json"
    path = record.with_suffix(".provenance.json")
    try:
        return {"run": name} | read_json(path)
    except ValueError as error:
        raise ValueError(f"provenance {path}: {error}; run the workflow again") from None


def _read_parts(requests: Mapping[str, Request]) -> Iterator[list[dict[str, Any]]]:
    paths: dict[Condition, list[str]] = {}
    for path, request in requests.items():
        paths.setdefault(request.condition, []).append(path)
    conditions = sorted(paths)
    for begin in range(0, len(conditions), AT_ONCE):
        part = [path for condition in conditions[begin : begin + AT_ONCE] for path in paths[condition]]
        yield [read_record(requests[path], path=Path(path)) for path in part]


def _choose_types(path: Path) -> dict[str, Any]:
    declared = load_table(path.stem).COLUMNS
    names = pd.read_csv(path, nrows=0, encoding="utf-8").columns
    types = {name: declared[name].dtype for name in names if name in declared}
    blank = {name: [""] for name in names if types.get(name) != "str"}
    return {"dtype": types, "keep_default_na": False, "na_values": blank, "encoding": "utf-8"}
