"""The published results of an experiment: a folder with summary.csv, provenance.csv, other tables, and their config."""

from collections.abc import Container, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from records.condition import Condition
from records.paths import RecordPath, place
from workflow.experiment.experiment import Experiment, complete
from workflow.experiment.reading import read
from workflow.jobs.requested import KINDS, Request, list_requests_at
from workflow.statistics.replicas import REPLICA
from workflow.tables.schema.computing import compute_table
from workflow.tables.schema.csv_files import read_provenance
from workflow.verification.comparison import Row, convert_to_texts, describe_row, read_table

TABLES = ("summary.csv", "provenance.csv")
REFERENCE = Path("results", "reference")
COMPARED = ("solved", "diverged", "validation_accuracy", "test_accuracy", "success_accuracy", "test_sequences")


class PublishedJob(NamedTuple):
    """A published run, baseline or measurement: the unit that is recomputed."""

    request: Request
    """The settings and sources by the config and code of now, and the seeds whose rows are published."""
    tables: Mapping[str, pd.DataFrame]
    """The published tables of its kind."""
    run: Row
    """The published provenance of the run of its condition."""

    @property
    def name(self) -> str:
        """Of its record, below the folder of its kind: cpu/adding/lag=5/lstm/full/seeds=0-4."""
        return RecordPath.from_path(self.request.path).name

    @property
    def label(self) -> str:
        """Its name in reports."""
        return self.name if self.request.kind == "run" else f"{self.request.kind} {self.name}"

    def select_rows(self, table: str) -> pd.DataFrame:
        """Return its published rows of a table."""
        rows = self.tables[table]
        for name, value in self.request.condition.to_wildcards().items():
            rows = rows[rows[name] == value]
        return rows[rows["seed"].isin(map(str, self.request.seeds))] if "seed" in rows else rows


class Publication(NamedTuple):
    """What an experiment published."""

    folder: Path
    config: Path
    experiment: Experiment
    jobs: list[PublishedJob]

    def find_provenance(self, job: PublishedJob) -> Row | None:
        """Return the published provenance of a job itself, if there is one."""
        record = self.folder / KINDS[job.request.kind].FOLDER / f"{job.name}.json"
        if job.request.kind == "run":
            return job.run
        return self.read_provenance(record) if record.with_suffix(".provenance.json").is_file() else None

    def read_provenance(self, record: Path) -> Row:
        """Return the provenance next to a record, every value a text."""
        table = compute_table("provenance", [read_provenance(record)], self.experiment)
        return convert_to_texts(table).iloc[0].to_dict()


def locate(config: Path, *, root: Path) -> tuple[Path, Path]:
    """Return the folder of the published tables and the config that belongs to them.

    A config that lies next to its tables is theirs; those of another are looked for in results/<experiment>/ of the
    working directory and then in results/reference/<experiment>/ of the source tree, where a copy of the config lies.
    """
    results = Path(place(complete(read(config), root=root)["experiment"]).results)
    reference = root / REFERENCE / results.name
    for folder, own in ((config.parent, config), (results, config), (reference, reference / "config.yaml")):
        if all((folder / name).is_file() for name in TABLES):
            return folder, own
    raise ValueError(f"expected {' and '.join(TABLES)} in {results} or in {reference}; there are none")


def read_publication(config: Path, *, root: Path) -> Publication:
    """Read published results; tables that do not belong together or to the config are a ValueError."""
    folder, config = locate(config, root=root)
    experiment = Experiment(complete(read(config), root=root), root=root)
    runs = {row.get("run", ""): row for row in read_table(folder / "provenance.csv").to_dict("records")}
    conditions = set(experiment.conditions)
    places = {name: _find_place(name, conditions=conditions) for name in runs}
    jobs = []
    for kind, file in KINDS.items():
        tables = _read_tables(experiment, kind=kind, folder=folder)
        run_of = {}
        for name, run in runs.items():
            condition, seeds = places[name].condition, places[name].seeds
            if kind == "baseline":  # all gradients and sampled sizes of a model share it
                condition, seeds = experiment.restore_model(condition)._replace(gradient=""), ()
            run_of[RecordPath(f"{experiment.place.results}/{file.FOLDER}", condition, seeds).to_path()] = run
        requests = list_requests_at(experiment, kind, run_of) if tables else {}
        _refuse_foreign_rows(tables, requests.values())
        jobs += [PublishedJob(requests[path], tables, run_of[path]) for path in sorted(requests)]
    return Publication(folder, config, experiment, jobs)


def _read_tables(experiment: Experiment, *, kind: str, folder: Path) -> dict[str, pd.DataFrame]:
    """Return the published tables of a kind of job; of runs the learning curves do not count."""
    names = [name for name, table in experiment.registry.tables.items() if table.records == kind]
    if kind == "run":
        summary = read_table(folder / "summary.csv")
        missing = [name for name in (*REPLICA, *COMPARED) if name not in summary]
        if summary.empty or missing:
            what = "rows" if summary.empty else ", ".join(missing)
            raise ValueError(f"{folder / 'summary.csv'}: expected {what}; came none")
        return {"summary": summary}
    if kind == "measurement" and "measurement" not in experiment.config:
        return {}
    return {name: read_table(folder / f"{name}.csv") for name in names if (folder / f"{name}.csv").is_file()}


def _find_place(name: str, *, conditions: Container[Condition]) -> RecordPath:
    with suppress(ValueError):
        path = RecordPath.from_path(name)
        if path.seeds and not path.folder and path.condition in conditions:
            return path
    raise ValueError(f"provenance.csv names a run {name[:150]!r}; the config has no such condition and seed block")


def _refuse_foreign_rows(tables: Mapping[str, pd.DataFrame], requests: Iterable[Request]) -> None:
    """Refuse a table with a row of no job."""
    jobs = set()
    for request in requests:
        condition = tuple(request.condition.to_wildcards().values())
        jobs |= {(*condition, str(seed)) for seed in request.seeds} or {condition}
    for name, table in tables.items():
        columns = [column for column in (*Condition._fields, "seed") if column in table]
        for row in table[columns].itertuples(index=False, name=None):
            if row not in jobs:
                label = describe_row(columns, row)
                raise ValueError(f"{name}.csv has a row ({label}) of no run in provenance.csv and config")
