"""The status of an experiment: per model a table of tasks and lags, then every failure with its reason and log."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from records.condition import Condition
from records.log import REASON
from records.paths import checkpoint_folder, compute_key, log_path
from workflow.experiment.experiment import Experiment
from workflow.jobs.records import check_record, read_json
from workflow.jobs.requested import KINDS, Request
from workflow.operations.failures import explain_end, read_end

STATES = ("done", "running", "waiting", "failed", "stale")
LISTED = 20
"""Failures, and stale records, that are named one by one."""
FRESH = 120.0
"""Seconds without a sign of life after which a job is taken for dead; caches of shared file systems are late."""


class Status(NamedTuple):
    """What became of the job of a requested record."""

    request: Request
    state: str
    """One of `STATES`."""
    reason: str = ""
    """Of one that failed or is stale."""
    record: dict[str, Any] | None = None
    """Of one that is done, with the rows of the requested seeds."""


def find_status(request: Request) -> Status:
    """Return the status of a record's job.

    A record that config and code would write again is done, another is stale: the next run writes it anew. Where there
    is none a job runs, or has left a log and so failed (or was killed), or waits.
    """
    path, log = Path(request.path), Path(log_path(request.path))
    if path.is_file():
        try:
            return Status(request, "done", record=check_record(read_json(path), request))
        except (ValueError, KeyError, TypeError) as error:
            return Status(request, "stale", " ".join(str(error).split()))
    checkpoints = checkpoint_folder(path, key=compute_key(request.settings, sources=request.sources))
    if _is_running(log, lock=checkpoints / "lock"):
        return Status(request, "running")
    if not log.is_file():
        return Status(request, "waiting")
    more = "; the next run goes on from its checkpoint" if any(checkpoints.glob("*.checkpoint")) else ""
    return Status(request, "failed", explain_end(read_end(log)) + more)


def select_records(statuses: Iterable[Status], kind: str) -> list[dict[str, Any]]:
    """Return the records of a kind that are done."""
    return [status.record for status in statuses if status.request.kind == kind and status.record is not None]


def report_status(statuses: Sequence[Status], *, experiment: Experiment) -> Iterator[str]:
    """Yield the lines of the report."""
    for kind in KINDS:
        jobs = [status for status in statuses if status.request.kind == kind]
        if jobs:
            yield f"{kind}s: {_counts(jobs)}" + (
                " (one each per condition and block of seeds)" if kind == "run" else ""
            )
    runs = [status for status in statuses if status.request.kind == "run"]
    for title, table in build_tables(runs, name=experiment.restore_model, labels=experiment.labels).items():
        yield f"\n{title}"
        yield table.to_string()
    for state in ("failed", "stale"):
        listed = [status for status in statuses if status.state == state]
        if listed:
            yield ""
        for status in listed[:LISTED]:
            log = f" (log: {log_path(status.request.path)})" if state == "failed" else ""
            yield f"{state}: {status.request.path}: {status.reason}{log}"
        if listed[LISTED:]:
            yield f"{state}: and {len(listed) - LISTED} more"


def build_tables(
    runs: Iterable[Status], *, name: Callable[[Condition], Condition], labels: Mapping[str, Sequence[str]]
) -> dict[str, pd.DataFrame]:
    """Return a table per model (and device, if there are several): tasks and gradients down, lags across.

    A cell is the state of a condition's job, or of its several jobs how many are in each. `name` gives a condition the
    model by which it is listed; `labels` the order.
    """
    cells: dict[Condition, list[str]] = {}
    for status in runs:
        cells.setdefault(name(status.request.condition), []).append(status.state)
    several = len({condition.device for condition in cells}) > 1
    rows = [condition._asdict() | {"state": _cell(states)} for condition, states in cells.items()]
    states = pd.DataFrame(rows, columns=[*Condition._fields, "state"])
    ranks = {kind: {label: rank for rank, label in enumerate(labels[f"{kind}s"])} for kind in ("task", "gradient")}
    tables = {}
    for model in labels["models"]:
        for device, group in states[states["model"] == model].groupby("device"):
            table = group.pivot(index=["task", "gradient"], columns="lag", values="state").fillna("")
            table = table.sort_index(key=lambda index: index.map(ranks[str(index.name)]))
            tables[f"{model}, {device}" if several else model] = table
    return tables


def _cell(states: Sequence[str]) -> str:
    if len(states) == 1:
        return states[0]
    return ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)


def _counts(statuses: Sequence[Status]) -> str:
    return f"{len(statuses)}: {_cell([status.state for status in statuses])}"


def _is_running(log: Path, *, lock: Path) -> bool:
    """Return whether a job is at work, also on another machine, by what it touches while it lives.

    One that trains holds a lock file that it touches every few seconds; of another, and of one that has not come that
    far, the log must be younger than `FRESH` and not end with a failure.
    """
    for file, has_ended in ((lock, _is_lock_dead), (log, _has_failed)):
        if file.exists():
            return time.time() - file.stat().st_mtime < FRESH and not has_ended(file)
    return False


def _has_failed(log: Path) -> bool:
    end = read_end(log)
    return bool(end.status) or end.line.startswith(REASON)


def _is_lock_dead(lock: Path) -> bool:
    """Return whether the lock's holder, on this host, is no more."""
    try:
        holder = json.loads(lock.read_text(encoding="utf-8"))
        if holder["host"] == socket.gethostname():
            os.kill(int(holder["process"]), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        pass
    return False
