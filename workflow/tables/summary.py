"""Turns run records into the tables of replicas, curves and provenance, and tables into CSV files and back."""

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from workflow.jobs.records import read_json, read_record
from workflow.jobs.requested import Request
from workflow.tables.columns import COUNTS, CURVES, FLAGS, LABELS, MAYBE_COUNTS, REPLICA, SUMMARY

__all__ = [
    "at_lags",
    "curves_table",
    "provenance_table",
    "read_csv",
    "read_lags",
    "summary_table",
    "write_csv",
    "write_tables",
]

AT_ONCE = 200
"""Conditions whose runs are in memory together: of ten thousand, all would take several GB."""
PIECE = 200_000
"""Rows of learning curves that are in memory together."""


def write_tables(requests: Mapping[str, Request], *, summary: Path, curves: Path) -> None:
    """Write the tables of replicas and of curves of the run records that are requested, by their paths.

    The bytes are those of the whole tables: both are sorted by condition, so that they can be written in parts.
    """
    of_condition: dict[tuple, list[str]] = {}
    for path, request in requests.items():
        of_condition.setdefault(request.condition, []).append(path)
    conditions = sorted(of_condition)
    parts = [conditions[begin : begin + AT_ONCE] for begin in range(0, len(conditions), AT_ONCE)]
    with _draft(summary) as replicas, _draft(curves) as points:
        for number, part in enumerate(parts):
            paths = [path for condition in part for path in of_condition[condition]]
            runs = [read_record(requests[path], path=Path(path)) for path in paths]
            for table, draft in ((summary_table(runs), replicas), (curves_table(runs), points)):
                _append(table, draft, header=number == 0)


def summary_table(runs: Sequence[Mapping]) -> pd.DataFrame:
    """Make the table of replicas, one row each, sorted by condition, seed and learning rate."""
    rows = [_condition(run) | _constants(run) | _replica(run, replica) for run in runs for replica in run["replicas"]]
    table = typed(pd.DataFrame(rows, columns=SUMMARY)).sort_values(REPLICA, ignore_index=True)
    twice = table[table.duplicated(REPLICA)]
    if not twice.empty:
        name = ", ".join(f"{key} {twice.iloc[0][key]}" for key in REPLICA)
        raise ValueError(f"replica ({name}) stands in two run records; delete the one that is not wanted")
    return table


def curves_table(runs: Sequence[Mapping]) -> pd.DataFrame:
    """Make the table of learning curves, one row per replica and evaluation, sorted by replica and update."""
    rows = [_condition(run) | point for run in runs for point in run["curves"]]
    return typed(pd.DataFrame(rows, columns=CURVES)).sort_values([*REPLICA, "update"], ignore_index=True)


def provenance_table(paths: Sequence[Path], root: Path) -> pd.DataFrame:
    """Make the table of what varies between reruns, one row per run record, keyed by its path below `root`.

    Reads X.provenance.json beside each X.json. Nested values become columns with dotted names (versions.torch).
    """
    rows = []
    for path in sorted(paths):
        about = path.with_suffix(".provenance.json")
        try:
            content = read_json(about)
        except ValueError as error:
            raise ValueError(f"provenance {about}: {error}; run the workflow again") from None
        rows.append({"run": path.relative_to(root).as_posix()} | _flat(content))
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["run"]
    return pd.DataFrame(rows, columns=columns)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Give every column its type, so that a table in memory equals the same table read from its file."""
    return table.astype(_kinds(table.columns))


def _kinds(columns: Iterable[str]) -> dict[str, str]:
    kinds = dict.fromkeys(columns, "float64")
    counted = {"solved", "diverged"} if "solved_fraction" in kinds else set()
    for names, kind in [
        (LABELS, "str"),
        (COUNTS, "int64"),
        (MAYBE_COUNTS, "Int64"),
        (FLAGS, "bool"),
        (counted, "int64"),
    ]:
        kinds |= {name: kind for name in kinds if name in names}
    return kinds


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table so that equal tables give equal bytes: shortest round-trip floats, '\\n', renamed into place."""
    with _draft(path) as draft:
        _append(table, draft, header=True)


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table that `write_csv` wrote, exactly: floats to the last bit, a label such as 'NA' as a label."""
    return typed(pd.read_csv(path, **_reading(path)))


def read_lags(path: Path, lags: Collection[int]) -> pd.DataFrame:
    """Read the rows of a table at some lags, piece by piece: of learning curves there may be millions."""
    with pd.read_csv(path, **_reading(path), chunksize=PIECE) as pieces:
        return typed(pd.concat([at_lags(piece)(lags) for piece in pieces], ignore_index=True))


def at_lags(table: pd.DataFrame) -> Callable[[Collection[int]], pd.DataFrame]:
    """Return what gives the rows of a table at some lags."""
    return lambda lags: table[table["lag"].isin(lags)]


def _reading(path: Path) -> dict[str, Any]:
    kinds = _kinds(pd.read_csv(path, nrows=0, encoding="utf-8").columns)
    blank = {name: [""] for name in kinds if name not in LABELS}
    return {"dtype": kinds, "keep_default_na": False, "na_values": blank, "encoding": "utf-8"}


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """Give the name of a file to write, which is then renamed into place, or removed on an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _append(table: pd.DataFrame, path: Path, *, header: bool) -> None:
    table.to_csv(path, mode="w" if header else "a", header=header, index=False, lineterminator="\n", encoding="utf-8")


def _condition(run: Mapping) -> dict:
    settings = run["settings"]
    return {
        "device": settings["device"],
        "task": settings["task"]["name"],
        "lag": settings["task"]["lag"],
        "model": settings["model"]["name"],
        "gradient": settings["gradient"]["name"],
    }


def _constants(run: Mapping) -> dict:
    settings, training = run["settings"], run["settings"]["training"]
    task, model, gradient = settings["task"], settings["model"], settings["gradient"]
    return {
        "num_steps": gradient["k2"],
        "chance_loss": run["chance"]["loss"],
        "chance_accuracy": run["chance"]["accuracy"],
        "floor_loss": run["floor"]["loss"],
        "floor_accuracy": run["floor"]["accuracy"],
        "scored_steps": run["scored_steps"],
        "success_accuracy": run["success_accuracy"],
        "sequence_length": run["sequence_length"],
        "task_file": task["task"],
        "task_options": _compact(task["options"]),
        "cell": model["cell"],
        "hidden_size": model["hidden_size"],
        "model_options": _compact(model["options"]),
        "paths": "+".join(gradient["paths"]),
        "k1": gradient["k1"],
        "budget": task["sequences"],
        "protocol": training["protocol"],
        "kernel": run["kernel"],
        "dtype": training["dtype"],
        "optimiser": _compact(settings["optimiser"]),
        "batch_size": training["batch_size"],
        "clip_norm": training["clip_norm"],
        "evaluate_every": training["evaluate_every"],
        "validation_sequences": training["validation_sequences"],
        "test_sequences": training["test_sequences"],
    }


def _replica(run: Mapping, replica: Mapping) -> dict:
    sequences = replica["updates"] * run["settings"]["training"]["batch_size"]
    return {name: replica[name] for name in SUMMARY if name in replica} | {"sequences": sequences}


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _flat(content: Mapping, *, prefix: str = "") -> dict:
    flat: dict = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            flat |= _flat({key: value[key] for key in sorted(value)}, prefix=f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
