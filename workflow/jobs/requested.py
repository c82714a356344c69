"""The records that an experiment requests: of each kind of job those that its tables are computed from."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from records.blocks import Block, list_blocks_on_disk
from records.canonical_json import compute_digest
from records.condition import Condition
from records.paths import RUNS, RecordPath
from workflow.experiment.experiment import Experiment
from workflow.experiment.tables import list_tables, sort_tables
from workflow.jobs import baseline, measurement, run
from workflow.jobs.resources import Need


class Kind(Protocol):
    """A kind of job: a file of this folder."""

    RULE: str
    """The rule that runs its jobs."""
    ENTRY: str
    """The function that computes a record from settings, a report of progress and a checkpointer: module:name."""
    FOLDER: str
    """The folder of its records below the experiment's results."""
    PATTERN: str
    """The path of a record below that folder, with wildcards and without suffix."""
    PARTS: set[str]
    """What a record holds at least."""

    def list_conditions(self, experiment: Experiment, /) -> list[Condition]:
        """Return the conditions that have jobs of this kind."""

    def build_settings(self, experiment: Experiment, condition: Condition, *, seeds: Sequence[int]) -> dict[str, Any]:
        """Return everything that determines the numbers of one job, and nothing else."""

    def estimate_need(self, settings: Mapping[str, Any], /) -> Need:
        """Return the memory and time that a job needs."""

    def select_seeds(self, record: Mapping[str, Any], *, seeds: Sequence[int]) -> dict[str, Any]:
        """Return a record with the rows of these seeds alone."""


KINDS: Mapping[str, Kind] = {"run": run, "baseline": baseline, "measurement": measurement}
FORMATS = ("pdf", "svg", "png")


class Request(NamedTuple):
    """A record that an experiment requests, one job's work."""

    kind: str
    path: str
    """Relative to the working directory."""
    condition: Condition
    settings: Mapping[str, Any]
    """What determines the record's numbers, with `sources`, the digest of the code."""
    sources: str
    seeds: tuple[int, ...] = ()
    """Those whose rows are requested."""

    @property
    def digests(self) -> tuple[str, str]:
        """The digests of settings and code, as the record's provenance holds them."""
        return compute_digest(self.settings), self.sources


def requested_records(experiment: Experiment) -> list[Request]:
    """Return the records that the tables of an experiment, and those of its figures, are computed from: runs first."""
    kinds = {experiment.registry.tables[table].records for table in sort_tables(experiment)}
    return [request for kind in KINDS if kind in kinds for request in list_requests(experiment, kind)]


def requested_files(experiment: Experiment) -> list[str]:
    """Return the tables and figures that an experiment requests."""
    place, figures = experiment.place, experiment.config["figures"]
    tables = [f"{place.results}/{table}.csv" for table in list_tables(experiment)]
    return tables + [f"{place.figures}/{figure}.{suffix}" for figure in figures for suffix in FORMATS]


def list_requests(experiment: Experiment, kind: str) -> list[Request]:
    """Return the records of a kind: seed blocks on disk first, new ones for the seeds that these lack."""
    runs, requests = Path(experiment.place.results, RUNS), []
    for condition in KINDS[kind].list_conditions(experiment):
        blocks = [Block((), ())]
        if condition.gradient:
            blocks = experiment.blocks(condition, existing=list_blocks_on_disk(runs / condition.to_path()))
        requests += [build_request(experiment, kind, condition, block=block) for block in blocks]
    return requests


def list_requests_at(experiment: Experiment, kind: str, paths: Iterable[str]) -> dict[str, Request]:
    """Return the requests for records at the given paths, whose seed blocks these name; a prefix before is allowed."""
    places = {path: RecordPath.from_path(path) for path in paths}
    blocks: dict[Condition, list[tuple[int, ...]]] = {}
    for place in places.values():
        blocks.setdefault(place.condition, []).append(place.seeds)
    assigned = {
        condition: dict(experiment.blocks(condition, existing=existing) if condition.gradient else [])
        for condition, existing in blocks.items()
    }
    return {
        path: build_request(
            experiment, kind, place.condition, block=Block(place.seeds, assigned[place.condition].get(place.seeds, ()))
        )
        for path, place in places.items()
    }


def build_request(experiment: Experiment, kind: str, condition: Condition, *, block: Block) -> Request:
    """Return the request for one record."""
    job = KINDS[kind]
    path = RecordPath(f"{experiment.place.results}/{job.FOLDER}", condition, block.seeds).to_path()
    settings = job.build_settings(experiment, condition, seeds=block.seeds)
    return Request(kind, path, condition, settings, experiment.sources(condition, entry=job.ENTRY), block.requested)


def digest_requests(requests: Iterable[Request], *, old: Mapping[str, tuple[str, str]] | None = None) -> str:
    """Return a digest of all that the records must hold; `old` has other digests for some of them, by path."""
    old = old or {}
    return compute_digest(
        [[request.path, *old.get(request.path, request.digests), request.seeds] for request in requests]
    )
