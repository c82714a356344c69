"""Published baselines and measurements: what jobs beside the training ones made, a row or some rows of tables each."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from records.condition import Condition
from records.paths import BASELINE as BASELINE_PATH
from workflow.experiment.measurement import MEASURED
from workflow.jobs.baseline import Baselines, Point
from workflow.jobs.measurement import Measurements
from workflow.tables.baselines import baselines_table, read_baselines
from workflow.tables.columns import BASELINE, CONDITION
from workflow.tables.measurements import measured_tables, read_measurements
from workflow.tables.summary import provenance_table, write_csv
from workflow.verification.agreement import Verdict
from workflow.verification.publication import Publication, Row, Run, table
from workflow.verification.table_agreement import compare_baseline, compare_measurement

KINDS: Mapping[str, tuple[str, ...]] = {"baseline": ("baselines",), "measurement": MEASURED}
"""The tables that each kind of job has rows in."""
SERIES = (*CONDITION, "snapshot")
NAMED_BY: Mapping[str, tuple[str, ...]] = {
    "baselines": tuple(BASELINE),
    "snapshots": (*SERIES, "seed"),
    "gradient_versus_lag": (*SERIES, "seed", "flow", "quantity", "u"),
    "path_shares": (*SERIES, "seed", "path", "quantity", "u"),
    "attribution": (*SERIES, "seed", "kind", "paths", "quantity", "u"),
    "alignment": (*SERIES, "seed", "update", "quantity"),
}
"""The columns that name a row."""


class Job(NamedTuple):
    """A published baseline or measurement."""

    kind: str
    name: str
    """Of its record, below the folder of its kind: cpu/adding/lag=5/lstm, cpu/adding/lag=5/lstm/full/seeds=0-4."""
    path: str
    run: Run
    """A published run of the same condition, whose provenance tells where the record has none."""


def names(published: Publication, kind: str) -> dict[str, Run]:
    """Return the names of the published jobs of a kind, each with a run of its condition."""
    if not _tables(published, kind):
        return {}
    if kind == "measurement":
        is_asked = "measurement" in published.experiment.config
        return {name.removesuffix(".json"): run for name, run in published.runs.items() if is_asked}
    of_point = {_point(published, run): run for run in published.runs.values()}
    points = {tuple(map(str, point)): point for point in of_point}
    found = {}
    for row in table(published.folder / "baselines.csv"):
        point = points.get(tuple(row.get(name, "") for name in BASELINE))
        if point is None:
            named = ", ".join(f"{name} {row.get(name, '')}" for name in BASELINE)
            raise ValueError(f"baselines.csv has a row ({named}) of no run in provenance.csv and config")
        found[BASELINE_PATH.format(**point._asdict())] = of_point[point]
    return found


def job(published: Publication, kind: str, *, name: str) -> Job:
    """Return a published job by its name."""
    path = f"{published.experiment.place.results}/{kind}s/{name}.json"
    return Job(kind, name, path, names(published, kind)[name])


def verdict(published: Publication, job: Job, *, folder: Path) -> Verdict:
    """Compare a job's published rows with those of its record, as it was made again below `folder`."""
    if not (folder / job.path).exists():
        return Verdict(False, False, "NOT RECOMPUTED")
    return (_verdict_on_baseline if job.kind == "baseline" else _verdict_on_measurement)(published, job, folder)


def _verdict_on_baseline(published: Publication, job: Job, folder: Path) -> Verdict:
    path = folder / job.path
    wanted = Baselines(published.experiment).expected([job.path])[job.path]
    made = baselines_table(read_baselines([path], expected={str(path): wanted}))
    point = dict(zip(BASELINE, map(str, _point(published, job.run)), strict=True))
    rows = [row for row in table(published.folder / "baselines.csv") if row.items() >= point.items()]
    of, tests = _provenances(published, job, path=path), published.experiment.config["training"]["test_sequences"]
    return compare_baseline(rows, _as_written(made, folder), key=NAMED_BY["baselines"], of=of, tests=tests)


def _verdict_on_measurement(published: Publication, job: Job, folder: Path) -> Verdict:
    path = folder / job.path
    wanted = Measurements(published.experiment).expected([job.path])[job.path]
    made = measured_tables(read_measurements([path], expected={str(path): wanted}))
    condition = dict(zip(CONDITION, map(str, _condition(job.run)), strict=True))
    replicas = [condition | {"seed": str(seed)} for seed in wanted["seeds"]]
    pairs = {}
    for name in _tables(published, job.kind):
        of_table = table(published.folder / f"{name}.csv")
        rows = [row for row in of_table if any(row.items() >= replica.items() for replica in replicas)]
        pairs[name] = rows, _as_written(made[name], folder)
    return compare_measurement(pairs, keys=NAMED_BY, of=_provenances(published, job, path=path))


def _as_written(made: Any, folder: Path) -> list[Row]:
    """Return a table that was made as its file would hold it, every value a text."""
    write_csv(made, folder / "made.csv")
    return table(folder / "made.csv")


def _provenances(published: Publication, job: Job, *, path: Path) -> tuple[Row, Row]:
    """Return the provenance of a job as it was made, or that of its run if none is published, and as it is here."""
    here = _provenance(path, folder=path.parent)
    beside = published.folder / f"{job.kind}s" / f"{job.name}.json"
    if beside.with_suffix(".provenance.json").is_file():
        return _provenance(beside, folder=path.parent), here
    return job.run.provenance, here | {"sources": job.run.expected["sources"]}


def _provenance(record: Path, *, folder: Path) -> Row:
    return _as_written(provenance_table([record], record.parent), folder)[0]


def _tables(published: Publication, kind: str) -> list[str]:
    return [name for name in KINDS[kind] if (published.folder / f"{name}.csv").is_file()]


def _condition(run: Run) -> Condition:
    about = run.expected["settings"]
    names = (about["task"]["name"], about["task"]["lag"], about["model"]["name"], about["gradient"]["name"])
    return Condition(about["device"], *names)


def _point(published: Publication, run: Run) -> Point:
    return Point(*published.experiment.undrawn(_condition(run))[:4])
