"""Published baselines and measurements: what jobs besides the training ones compute, one or several rows of tables."""

from pathlib import Path
from typing import Any, NamedTuple

from records.condition import Condition
from workflow.jobs.records import read_record
from workflow.jobs.requested import Request, list_requests_at
from workflow.statistics.replicas import CONDITION
from workflow.tables.schema.columns import BASELINE
from workflow.tables.schema.computing import compute_table, load_table
from workflow.tables.schema.csv_files import read_provenance, write_csv
from workflow.verification.agreement import Verdict
from workflow.verification.publication import Publication, Row, Run, read_table
from workflow.verification.table_agreement import compare_baseline, compare_measurement

KINDS = ("baseline", "measurement")


class PublishedJob(NamedTuple):
    """A published baseline or measurement."""

    kind: str
    name: str
    """Of its record, below the folder of its kind: cpu/adding/lag=5/lstm, cpu/adding/lag=5/lstm/full/seeds=0-4."""
    path: str
    run: Run
    """A published run of the same condition, whose provenance stands in where the job's is not published."""
    request: Request
    """The settings and sources by the config and code of now, and of a measurement the seeds."""


def find_jobs(published: Publication, kind: str) -> dict[str, PublishedJob]:
    """Return the published jobs of a kind by their names."""
    if not _tables(published, kind):
        return {}
    if kind == "measurement":
        measures = "measurement" in published.experiment.config
        runs = {name.removesuffix(".json"): run for name, run in published.runs.items() if measures}
    else:
        runs = _baseline_runs(published)
    paths = {name: f"{published.experiment.place.results}/{kind}s/{name}.json" for name in runs}
    requests = list_requests_at(published.experiment, kind, paths.values())
    return {name: PublishedJob(kind, name, paths[name], run, requests[paths[name]]) for name, run in runs.items()}


def compare_job(published: Publication, job: PublishedJob, *, folder: Path) -> Verdict:
    """Compare a job's published rows with those of its record, as it was recomputed below `folder`."""
    if not (folder / job.path).exists():
        return Verdict(False, False, "NOT RECOMPUTED")
    return (_compare_baseline if job.kind == "baseline" else _compare_measurement)(published, job, folder)


def find_provenance(published: Publication, job: PublishedJob) -> Path | None:
    """Return the provenance file of a job, if it is published."""
    path = published.folder / f"{job.kind}s" / f"{job.name}.provenance.json"
    return path if path.is_file() else None


def _baseline_runs(published: Publication) -> dict[str, Run]:
    """Return the names of the rows of baselines.csv, each with a run of its point."""
    run_of = {_point(published, run): run for run in published.runs.values()}
    points = {tuple(map(str, point[:4])): point for point in run_of}
    runs = {}
    for row in read_table(published.folder / "baselines.csv"):
        point = points.get(tuple(row.get(name, "") for name in BASELINE))
        if point is None:
            label = ", ".join(f"{name} {row.get(name, '')}" for name in BASELINE)
            raise ValueError(f"baselines.csv has a row ({label}) of no run in provenance.csv and config")
        runs[point.to_path()] = run_of[point]
    return runs


def _compare_baseline(published: Publication, job: PublishedJob, folder: Path) -> Verdict:
    path = folder / job.path
    recomputed = compute_table("baselines", [read_record(job.request, path=path)], published.experiment)
    point = dict(zip(BASELINE, map(str, _point(published, job.run)[:4]), strict=True))
    rows = [row for row in read_table(published.folder / "baselines.csv") if row.items() >= point.items()]
    tests = published.experiment.config["training"]["test_sequences"]
    provenances = _provenances(published, job, path=path)
    key = load_table("baselines").KEY
    return compare_baseline(rows, _as_text(recomputed, folder), key=key, provenances=provenances, tests=tests)


def _compare_measurement(published: Publication, job: PublishedJob, folder: Path) -> Verdict:
    path = folder / job.path
    records = [read_record(job.request, path=path)]
    condition = dict(zip(CONDITION, map(str, job.run.request.condition), strict=True))
    replicas = [condition | {"seed": str(seed)} for seed in job.request.seeds]
    pairs = {}
    for name in _tables(published, job.kind):
        table = read_table(published.folder / f"{name}.csv")
        rows = [row for row in table if any(row.items() >= replica.items() for replica in replicas)]
        pairs[name] = rows, _as_text(compute_table(name, records, published.experiment), folder)
    keys = {name: load_table(name).KEY for name in pairs}
    return compare_measurement(pairs, keys=keys, provenances=_provenances(published, job, path=path))


def _as_text(table: Any, folder: Path) -> list[Row]:
    """Return a table as its file would hold it, every value a text."""
    write_csv(table, folder / "recomputed.csv")
    return read_table(folder / "recomputed.csv")


def _provenances(published: Publication, job: PublishedJob, *, path: Path) -> tuple[Row, Row]:
    """Return the published provenance of a job, or that of its run if none is published, and the one of its record."""
    recomputed = _read_provenance(published, path, folder=path.parent)
    if find_provenance(published, job):
        record = published.folder / f"{job.kind}s" / f"{job.name}.json"
        return _read_provenance(published, record, folder=path.parent), recomputed
    return job.run.provenance, recomputed | {"sources": job.run.request.sources}


def _read_provenance(published: Publication, record: Path, *, folder: Path) -> Row:
    return _as_text(compute_table("provenance", [read_provenance(record)], published.experiment), folder)[0]


def _tables(published: Publication, kind: str) -> list[str]:
    files = published.experiment.registry.tables
    names = [name for name, file in files.items() if file.records == kind]
    return [name for name in names if (published.folder / f"{name}.csv").is_file()]


def _point(published: Publication, run: Run) -> Condition:
    """Return the condition of a run's baseline."""
    return published.experiment.restore_model(run.request.condition)._replace(gradient="")
