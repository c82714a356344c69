"""Makes the tables and figures of what there is so far.

They go to results/<experiment>/partial/, beside a map of what is there and what is missing. Nothing is trained, no
other file is touched, and what cannot be made yet is left out. Once all is done the tables are those of the experiment,
byte for byte.
"""

import importlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from records.log import describe_error
from records.writing import write_json
from workflow.experiment.experiment import Experiment
from workflow.experiment.measurement import MEASURED
from workflow.figures.style.look import Labels, Tables, save
from workflow.jobs.records import Loaded, load_records, select_kind
from workflow.jobs.requested import Request, requested_records
from workflow.operations.coverage import coverage_table, draw_coverage
from workflow.tables.baselines import baselines_table
from workflow.tables.derived import DERIVED, derive
from workflow.tables.measurements import measured_tables
from workflow.tables.summary import at_lags, curves_table, provenance_table, read_csv, summary_table, write_csv

USUAL = ("summary", "curves", "provenance", "statistics")


class Draft:
    """The files of a partial result, while they are made, and why some cannot be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables: dict[str, pd.DataFrame] = {}
        self.lacking: dict[str, str] = {}

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Take note of why a table or figure cannot be made, whatever the reason, and go on."""
        try:
            yield
        except Exception as error:
            self.lacking[name] = describe_error(error)

    def add(self, name: str, table: pd.DataFrame) -> None:
        """Write a table, and keep it as those that are made of it read it."""
        path = self.folder / f"{name}.csv"
        write_csv(table, path)
        self.tables[name] = read_csv(path)


def make_partial(experiment: Experiment) -> tuple[Path, dict[str, Any]]:
    """Make the partial result of an experiment in place of an earlier one; return its folder and its provenance."""
    folder = Path(experiment.place.results, "partial")
    wanted = requested_records(experiment)
    found = list(load_records(wanted))
    draft = Draft(folder.with_name(f".partial.{os.getpid()}"))
    try:
        _make_tables(draft, experiment, found)
        draft.add("coverage", coverage_table(wanted, found, name=experiment.undrawn))
        provenance = _provenance(experiment, wanted, found) | {"not_made": draft.lacking}
        _draw(draft, experiment, counts=provenance["runs"])
        write_json(draft.folder / "partial.json", provenance)
        if folder.exists():
            shutil.rmtree(folder)
        draft.folder.rename(folder)
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)
    return folder, provenance


def report(folder: Path, provenance: Mapping[str, Any]) -> Iterator[str]:
    """Yield what to tell of a partial result, a line each."""
    for kind in ("runs", "baselines", "measurements"):
        count = provenance[kind]
        if count["wanted"]:
            stale = f", {count['stale']} stale" if count["stale"] else ""
            yield f"{kind}: {count['done']} of {count['wanted']} done{stale}"
    for name, why in provenance["not_made"].items():
        yield f"not made yet: {name}: {why}"
    yield f"coverage: {Path(folder, 'figures', 'coverage.png').absolute()}"
    yield f"figures:  {Path(folder, 'figures').absolute()}"
    yield f"tables:   {folder.absolute()}"


def _make_tables(draft: Draft, experiment: Experiment, found: Sequence[Loaded]) -> None:
    """Make all tables that can be made of the records that exist."""
    runs, guesses, measured = (select_kind(found, kind) for kind in ("run", "baseline", "measurement"))
    asked = [*USUAL, *([] if "search" in experiment.config else ["comparisons"]), *experiment.config["tables"]]
    if runs:
        draft.add("summary", summary_table(runs))
        draft.add("curves", curves_table(runs))
        with draft.attempt("provenance"):
            paths = [Path(one.request.path) for one in found if one.request.kind == "run" and one.record is not None]
            write_csv(provenance_table(paths, Path(experiment.place.runs)), draft.folder / "provenance.csv")
    if guesses:
        draft.add("baselines", baselines_table(guesses))
    if measured:
        for name, table in measured_tables(measured).items():
            draft.add(name, table)
    for name in asked:
        if name in draft.lacking or (draft.folder / f"{name}.csv").exists():
            continue
        with draft.attempt(name):
            if name in DERIVED:
                draft.add(name, derive(name, draft.tables, experiment=experiment))
            elif name in (*USUAL, "baselines", *MEASURED):
                raise ValueError("none of its records is there and up to date")
            else:  # made of no records: it is there or not
                draft.add(name, read_csv(Path(experiment.place.results, f"{name}.csv")))


def _draw(draft: Draft, experiment: Experiment, *, counts: Mapping[str, int]) -> None:
    """Draw the map of coverage, and all figures that can be drawn of the tables; unfinished ones are marked."""
    labels = Labels(**{kind: tuple(names) for kind, names in experiment.labels.items()})
    coverage = draft.tables["coverage"]
    of_all = Tables(coverage, coverage, at_lags(coverage), labels, {"coverage": coverage})
    save(draw_coverage(of_all), draft.folder / "figures" / "coverage")
    for name in experiment.config["figures"]:
        needed = ("summary", "statistics", "curves", *experiment.known.figures[name])
        with draft.attempt(f"figure {name}"):
            made = draft.tables
            lacking = [table for table in needed if table not in made]
            if lacking:
                raise ValueError(f"it shows {', '.join(lacking)}, which cannot be made yet")
            tables = Tables(made["summary"], made["statistics"], at_lags(made["curves"]), labels, made)
            figure = importlib.import_module(f"workflow.figures.{name}").draw(tables)
            if counts["done"] < counts["wanted"]:
                mark = f"partial: {counts['done']} of {counts['wanted']} runs"
                figure.text(0.5, 0.5, mark, ha="center", va="center", fontsize=26, alpha=0.14, rotation=20)
            save(figure, draft.folder / "figures" / name)


def _provenance(experiment: Experiment, wanted: Sequence[Request], found: Sequence[Loaded]) -> dict[str, Any]:
    """Say what a partial result is made of, and what of it is missing."""
    counts = {
        f"{kind}s": {
            "wanted": sum(one.kind == kind for one in wanted),
            "done": len(select_kind(found, kind)),
            "stale": sum(one.request.kind == kind and one.record is None for one in found),
        }
        for kind in ("run", "baseline", "measurement")
    }
    stale = {one.request.path: one.reason for one in found if one.record is None}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"experiment": experiment.config["experiment"], "made": now, **counts, "left_out": stale}
