"""The published results of an experiment: a folder with summary.csv, provenance.csv, and their config."""

import csv
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from records.condition import Condition
from records.paths import RecordPath, place
from workflow.experiment.experiment import Experiment, complete
from workflow.experiment.reading import read
from workflow.jobs.requested import Request, list_requests_at

TABLES = ("summary.csv", "provenance.csv")
REFERENCE = Path("results", "reference")
REPLICA = ("device", "task", "lag", "model", "gradient", "seed", "learning_rate")
COMPARED = ("solved", "diverged", "validation_accuracy", "test_accuracy", "success_accuracy", "test_sequences")
Row = dict[str, str]


class Run(NamedTuple):
    """A published run: one condition and seed block, the unit that is recomputed."""

    name: str
    """The path of its record below runs/: cpu/adding/lag=5/lstm/full/seeds=0-4.json."""
    request: Request
    """The settings and sources by the config and code of now, and the seeds whose rows are published."""
    provenance: Row
    rows: list[Row]
    """Its replicas in summary.csv, every value as written."""


class Publication(NamedTuple):
    """What an experiment published."""

    folder: Path
    config: Path
    experiment: Experiment
    runs: dict[str, Run]


def locate(config: Path, *, root: Path) -> tuple[Path, Path]:
    """Return the folder of the published tables and the config that belongs to them.

    A config that lies next to its tables is theirs; those of another are looked for in results/<experiment>/ of the
    working directory and then in results/reference/<experiment>/ of the source tree, where a copy of the config lies.
    """
    if _is_published(config.parent):
        return config.parent, config
    results = Path(place(complete(read(config), root=root)["experiment"]).results)
    if _is_published(results):
        return results, config
    reference = root / REFERENCE / results.name
    if _is_published(reference):
        return reference, reference / "config.yaml"
    raise ValueError(f"expected {' and '.join(TABLES)} in {results} or in {reference}; there are none")


def read_publication(config: Path, *, root: Path) -> Publication:
    """Read published results; tables that do not belong together or to the config are a ValueError."""
    folder, config = locate(config, root=root)
    experiment = Experiment(complete(read(config), root=root), root=root)
    provenance = {row.get("run", ""): row for row in read_table(folder / "provenance.csv")}
    summary = read_table(folder / "summary.csv")
    missing = [name for name in (*REPLICA, *COMPARED) if summary and name not in summary[0]]
    if not summary or missing:
        raise ValueError(f"{folder / 'summary.csv'}: expected {', '.join(missing) or 'rows'}; came none")
    return Publication(folder, config, experiment, _runs(experiment, provenance, summary=summary))


def read_table(path: Path) -> list[Row]:
    """Read a table with every value as it is written."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{name: value or "" for name, value in row.items() if name} for row in csv.DictReader(file)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a CSV file; came {error}") from None


def key(row: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values that name a replica."""
    return tuple(row[name] for name in REPLICA)


def _runs(experiment: Experiment, provenance: Mapping[str, Row], *, summary: Iterable[Row]) -> dict[str, Run]:
    paths = {name: f"{experiment.place.runs}/{name}" for name in provenance}
    conditions = {name: _condition(name, conditions=set(experiment.conditions)) for name in provenance}
    requests = list_requests_at(experiment, "run", paths.values())
    run_of = {
        (*map(str, conditions[name]), str(seed)): name for name in provenance for seed in requests[paths[name]].seeds
    }
    rows: dict[str, list[Row]] = {name: [] for name in provenance}
    for row in summary:
        run = run_of.get(key(row)[:6])
        if run is None:
            label = ", ".join(f"{name} {value}" for name, value in zip(REPLICA, key(row), strict=True))
            raise ValueError(f"summary.csv has a replica ({label}) of no run in provenance.csv and config")
        rows[run].append(row)
    return {name: Run(name, requests[paths[name]], provenance[name], rows[name]) for name in sorted(provenance)}


def _condition(name: str, *, conditions: Container[Condition]) -> Condition:
    try:
        place = RecordPath.from_path(name)
    except ValueError:
        place = RecordPath("", Condition("", "", 0, ""))
    if place.folder or not place.seeds or place.condition not in conditions:
        raise ValueError(f"provenance.csv names a run {name[:150]!r}; the config has no such condition and seed block")
    return place.condition


def _is_published(folder: Path) -> bool:
    return all((folder / name).is_file() for name in TABLES)
