"""A table's file, written from the files of the tables or of the records that it is computed from."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from records.condition import Condition
from records.paths import RecordPath
from records.writing import write_json
from workflow.experiment.experiment import Experiment
from workflow.experiment.tables import compute_sources, list_settings
from workflow.jobs.records import read_json, read_record
from workflow.jobs.requested import Request, list_requests_at
from workflow.tables.schema.computing import compute_records_table, compute_table, load_table
from workflow.tables.schema.csv_files import read_csv, write_csv, write_csv_parts

AT_ONCE = 200
"""Conditions whose records are in memory together: of ten thousand, all would take several GB."""


def write_table(name: str, experiment: Experiment, *, inputs: Iterable[str], path: Path) -> None:
    """Write a table that is computed from tables."""
    tables = {Path(file).stem: read_csv(Path(file)) for file in inputs}
    write_csv(compute_table(name, tables, experiment), path)


def write_records_table(name: str, experiment: Experiment, *, records: Iterable[str], path: Path) -> None:
    """Write a table that is computed from records.

    The bytes are those of the whole table: it is sorted by condition, so that it can be written in parts.
    """
    kind = experiment.registry.tables[name].records
    if getattr(load_table(name), "PART", "") == "provenance":
        parts: Iterable[list[dict[str, Any]]] = [[read_provenance(Path(record)) for record in records]]
    else:
        parts = _read_parts(list_requests_at(experiment, kind, records))
    write_csv_parts((compute_records_table(name, part, experiment) for part in parts), path)


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
    write_csv(
        compute_records_table(name, [row for settings in calls for row in compute_rows(settings)], experiment), path
    )
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


def _read_parts(requests: dict[str, Request]) -> Iterator[list[dict[str, Any]]]:
    paths: dict[Condition, list[str]] = {}
    for path, request in requests.items():
        paths.setdefault(request.condition, []).append(path)
    conditions = sorted(paths)
    for begin in range(0, len(conditions), AT_ONCE):
        part = [path for condition in conditions[begin : begin + AT_ONCE] for path in paths[condition]]
        yield [read_record(requests[path], path=Path(path)) for path in part]
