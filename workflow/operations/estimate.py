"""The estimate of what an experiment will cost before it is begun.

Only jobs count whose records are not there, or stale. A job's time is that of its parts times their numbers
(calibration.py). "At most" trains every replica to the end of its budget; "expected" lets them leave
as early as those of finished runs did, of the same condition, else task, else experiment, and where none is known, as
in the main job.
"""

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from records.condition import Condition
from workflow.experiment.experiment import Experiment
from workflow.jobs.records import load_records, select_kind
from workflow.jobs.requested import requested_records
from workflow.operations.calibration import Calibration, Costs, Job, calibrate, chosen, costs_by
from workflow.statistics.replicas import CONDITION
from workflow.tables.schema.computing import compute_table
from workflow.tables.schema.csv_files import read_csv

USUAL_SHARE = 0.85
"""Of their budgets, what the replicas of the main job use (results/reference/default/summary.csv)."""

POINT_BYTES, REPLICA_BYTES, JOB_BYTES = 260, 1100, 6000
"""Of a point of a curve and of a replica in record and tables, and of a job's provenance, log and settings."""


LEFT_OUT = (
    "At most: no replica leaves before its budget is spent. Left out: Snakemake itself, compiling the kernel, tables "
    "and figures (a minute or two), waiting in a queue; other machines are slower or faster."
)


class Amount(NamedTuple):
    """What a job costs, or several: seconds of one core (or GPU), bytes of memory at once, bytes on disk."""

    most: float
    expected: float
    memory: float
    disk: float


class Row(NamedTuple):
    """The jobs of a kind on a device."""

    kind: str
    device: str
    requested: int
    missing: int
    amounts: list[Amount]
    unknown: int
    """Missing jobs that nothing is known about."""


def amount(settings: Mapping[str, Any], costs: Costs, *, kind: str, share: float, started: float) -> Amount:
    """Return what a job costs that uses a share of its budget; `started` is what the start of its process takes."""
    how = settings["training"]
    if kind == "baseline":
        seconds = started + costs["fixed"] + settings["guessing"]["guesses"] * costs["update"]
        return Amount(seconds, seconds, costs["memory"], JOB_BYTES)
    seeds = len(settings["seeds"])
    updates = settings["task"]["sequences"] // how["batch_size"]
    points = math.ceil(updates / how["evaluate_every"])
    validation = 0 if how["protocol"] == "online" else how["validation_sequences"]
    test = 0 if kind == "measurement" else how["test_sequences"]
    once = started + costs["fixed"] * (seeds if kind == "measurement" else 1)
    once += seeds * costs["sampling"] * (how["validation_sequences"] + test)
    once += costs["evaluation"] * (validation + test)
    budget = updates * costs["update"] + points * validation * costs["evaluation"]
    replicas = seeds * len(settings["learning_rates"])
    memory = costs["memory"] + seeds * (test + validation) * costs["bytes_per_sequence"]
    disk = JOB_BYTES + replicas * (REPLICA_BYTES + share * points * POINT_BYTES)
    return Amount(once + budget, once + share * budget, memory, disk)


def shares(tables: Sequence[pd.DataFrame]) -> Callable[[Condition], float]:
    """Return what tells the share of their budget that the replicas of a condition use.

    It is that of the first of the tables of replicas that has the condition, else that has its task, else any.
    """
    known_shares: list[dict[Any, float]] = [{}, {}, {}]
    for table in reversed(tables):
        for level, keys in zip(known_shares, (CONDITION, ["task"], ["device"]), strict=True):
            sums = (
                table.assign(allowed=table["budget"] // table["batch_size"]).groupby(keys)[["updates", "allowed"]].sum()
            )
            level |= {
                tuple(key) if len(keys) > 1 else key: row[0] / row[1]
                for key, row in zip(sums.index, sums.to_numpy(), strict=True)
            }

    def share(condition: Condition) -> float:
        keys = (tuple(condition), condition.task, condition.device)
        return next((level[key] for level, key in zip(known_shares, keys, strict=True) if key in level), USUAL_SHARE)

    return share


def estimate(
    jobs: Sequence[Job], calibration: Calibration, *, done: Collection[str], share: Callable[[Condition], float]
) -> list[Row]:
    """Return what the jobs cost whose records are not among those done, by kind and device."""
    tell, rows = costs_by(calibration), []
    for kind, device in dict.fromkeys((job.request.kind, job.request.condition.device) for job in jobs):
        group = [job for job in jobs if (job.request.kind, job.request.condition.device) == (kind, device)]
        missing = [job for job in group if job.request.path not in done]
        costs = [(job, tell(job)) for job in missing]
        amounts = [
            amount(
                job.request.settings,
                parts,
                kind=kind,
                share=share(job.request.condition),
                started=calibration.started,
            )
            for job, parts in costs
            if parts is not None
        ]
        rows.append(Row(kind, device, len(group), len(missing), amounts, len(missing) - len(amounts)))
    return rows


def report_estimate(experiment: Experiment, *, cores: int, seconds: float) -> Iterator[str]:
    """Yield the lines of the estimate for a number of cores; after so many seconds no further job is timed."""
    began = time.monotonic()
    jobs = [Job(request, experiment.restore_model(request.condition)) for request in requested_records(experiment)]
    loaded = [entry for entry in load_records(job.request for job in jobs) if entry.record is not None]
    done = {entry.request.path for entry in loaded}
    missing = [job for job in jobs if job.request.path not in done]
    yield f"{experiment.config['experiment']}: {len(experiment.conditions)} conditions"
    picked = chosen(missing)
    calibration = calibrate(picked, processes=cores, seconds=seconds) if missing else Calibration(0.0, [], {})
    runs = select_kind(loaded, "run")
    tables = [compute_table("summary", runs, experiment)] if runs else []
    share = shares([*tables, *_published(experiment)])
    yield from report_rows(estimate(jobs, calibration, done=done, share=share), experiment, cores=cores)
    for path, reason in calibration.refused.items():
        yield f"not timed: {path}: {reason}"
    took = time.monotonic() - began
    yield f"timed {len(calibration.timed)} of the {len(picked)} jobs between which all others lie, in {took:.0f} s"
    yield LEFT_OUT


def report_rows(rows: Sequence[Row], experiment: Experiment, *, cores: int) -> Iterator[str]:
    """Yield the lines of the estimate."""
    yield pd.DataFrame([_line(row) for row in rows]).to_string(index=False, na_rep="")
    amounts = [job for row in rows for job in row.amounts if row.device == "cpu"]
    if amounts:
        at_once = max(cores // experiment.config["threads"], 1)
        most, expected = ([job[which] for job in amounts] for which in (0, 1))
        yield f"core-hours: {_hours(expected)}, at most {_hours(most)}"
        spans = [_span(max(sum(seconds) / cores, *seconds)) for seconds in (expected, most)]
        yield f"on {cores} cores with nothing else to do: {spans[0]}, at most {spans[1]}"
        peaks = sorted((job.memory for job in amounts), reverse=True)[:at_once]
        yield f"memory: up to {_size(peaks[0])} in one job, {_size(sum(peaks))} in the {len(peaks)} that run at once"
    yield f"disk: about {_size(sum(job.disk for row in rows for job in row.amounts))} of records, logs and tables"
    for row in rows:
        if row.unknown:
            yield f"not in it: {row.unknown} {row.kind} jobs on {row.device}, which could not be timed on this machine"


def _line(row: Row) -> dict[str, Any]:
    return {
        "jobs": f"{row.kind}s" + ("" if row.device == "cpu" else f", {row.device}"),
        "in all": row.requested,
        "missing": row.missing,
        "core-hours" if row.device == "cpu" else "GPU-hours": _hours(job.expected for job in row.amounts),
        "at most": _hours(job.most for job in row.amounts),
        "GB in a job": f"{max((job.memory for job in row.amounts), default=0) / 1e9:.2f}",
    }


def _hours(seconds: Iterable[float]) -> str:
    hours = sum(seconds) / 3600
    return f"{hours:.0f}" if hours >= 100 else f"{hours:.2g}"


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 1):.0f} MB"


def _published(experiment: Experiment) -> list[pd.DataFrame]:
    path = experiment.root / "results" / "reference" / experiment.config["experiment"] / "summary.csv"
    return [read_csv(path)] if path.is_file() else []
