"""Tables and figures of the records that exist so far.

They go to results/<experiment>/partial/, next to a map of what is there and what is missing. Nothing is trained, no
other file is touched, and what cannot be computed yet is left out. Once all is done the tables are those of the
experiment, byte for byte.
"""

import importlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from records.log import describe_error
from records.writing import write_json
from workflow.experiment.experiment import Experiment
from workflow.experiment.tables import sort_tables
from workflow.figures.style.coverage import draw_coverage
from workflow.figures.style.look import Labels, Tables, save
from workflow.jobs.requested import KINDS, requested_records
from workflow.operations.status import Status, find_status, select_records
from workflow.tables.schema.computing import compute_table, load_table
from workflow.tables.schema.csv_files import read_csv, read_lags, read_provenance, write_csv


class Draft:
    """The files of a partial result while they are written, and why some cannot be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables: dict[str, pd.DataFrame] = {}
        self.errors: dict[str, str] = {}

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Note why a table or figure cannot be computed, whatever the reason, and go on."""
        try:
            yield
        except Exception as error:
            self.errors[name] = describe_error(error)

    def add(self, name: str, table: pd.DataFrame) -> None:
        """Write a table, and keep it as those that are computed from it read it."""
        write_csv(table, path := self.folder / f"{name}.csv")
        self.tables[name] = read_csv(path)


def write_partial(experiment: Experiment) -> tuple[Path, dict[str, Any]]:
    """Write the partial result of an experiment in place of an earlier one; return its folder and its provenance."""
    folder = Path(experiment.place.results, "partial")
    statuses = [find_status(request) for request in requested_records(experiment)]
    draft = Draft(folder.with_name(f".partial.{os.getpid()}"))
    try:
        for name in sort_tables(experiment):
            with draft.attempt(name):
                draft.add(name, _compute(name, experiment, statuses=statuses, tables=draft.tables))
        draft.add("coverage", compute_table("coverage", list_states(statuses), experiment))
        provenance = _describe(experiment, statuses) | {"not_made": draft.errors}
        _draw(draft, experiment, counts=provenance["runs"])
        write_json(draft.folder / "partial.json", provenance)
        if folder.exists():
            shutil.rmtree(folder)
        draft.folder.rename(folder)
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)
    return folder, provenance


def report_partial(folder: Path, provenance: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the report on a partial result."""
    for kind in ("runs", "baselines", "measurements"):
        count = provenance[kind]
        if count["wanted"]:
            stale = f", {count['stale']} stale" if count["stale"] else ""
            yield f"{kind}: {count['done']} of {count['wanted']} done{stale}"
    for name, reason in provenance["not_made"].items():
        yield f"not there yet: {name}: {reason}"
    yield f"coverage: {Path(folder, 'figures', 'coverage.png').absolute()}"
    yield f"figures:  {Path(folder, 'figures').absolute()}"
    yield f"tables:   {folder.absolute()}"


def _compute(
    name: str, experiment: Experiment, *, statuses: Sequence[Status], tables: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Compute a table from the records that exist, or from those tables that there are."""
    file = experiment.registry.tables[name]
    if file.records:
        records = select_records(statuses, file.records)
        if not records:
            raise ValueError("none of its records is there and up to date")
        if getattr(load_table(name), "PART", "") == "provenance":
            done = [status.request for status in statuses if status.request.kind == file.records and status.record]
            records = [read_provenance(Path(request.path)) for request in done]
        return compute_table(name, records, experiment)
    if file.entry:
        return read_csv(Path(experiment.place.results, f"{name}.csv"))
    try:
        return compute_table(name, tables, experiment)
    except ValueError:  # not every condition has its baseline yet
        return compute_table(name, {table: tables[table] for table in file.needs if table in tables}, experiment)


def _draw(draft: Draft, experiment: Experiment, *, counts: Mapping[str, int]) -> None:
    """Draw the map of coverage, and all figures whose tables are there; unfinished ones are marked."""
    curves = partial(read_lags, draft.folder / "curves.csv")
    labels = Labels(**{kind: tuple(names) for kind, names in experiment.labels.items()})
    coverage = draft.tables["coverage"]
    no_curves = partial(read_lags, draft.folder / "coverage.csv")
    tables = Tables(coverage, coverage, no_curves, labels, {"coverage": coverage})
    save(draw_coverage(tables), draft.folder / "figures" / "coverage")
    for name in experiment.config["figures"]:
        with draft.attempt(f"figure {name}"):
            needs = ("summary", "statistics", "curves", *experiment.registry.figures[name].needs)
            missing = [table for table in needs if table not in draft.tables]
            if missing:
                raise ValueError(f"it shows {', '.join(missing)}, which is not there yet")
            summary, statistics = (draft.tables[table] for table in needs[:2])
            tables = Tables(summary, statistics, curves, labels, draft.tables)
            figure = importlib.import_module(f"workflow.figures.{name}").draw(tables)
            if counts["done"] < counts["wanted"]:
                mark = f"partial: {counts['done']} of {counts['wanted']} runs"
                figure.text(0.5, 0.5, mark, ha="center", va="center", fontsize=26, alpha=0.14, rotation=20)
            save(figure, draft.folder / "figures" / name)


def list_states(statuses: Iterable[Status]) -> list[dict[str, Any]]:
    """Return what the table of coverage is computed from: per requested run its condition, seeds and state."""
    return [
        {"condition": request.condition, "seeds": len(request.seeds), "state": state}
        for request, state, *_ in statuses
        if request.kind == "run"
    ]


def _describe(experiment: Experiment, statuses: Sequence[Status]) -> dict[str, Any]:
    """Describe what a partial result is computed from, and what of it is missing."""
    counts = {}
    for kind in KINDS:
        states = [status.state for status in statuses if status.request.kind == kind]
        counts[f"{kind}s"] = {"wanted": len(states), "done": states.count("done"), "stale": states.count("stale")}
    stale = {status.request.path: status.reason for status in statuses if status.state == "stale"}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"experiment": experiment.config["experiment"], "made": now, **counts, "left_out": stale}
