"""The status of an experiment: per model a table of tasks and lags, then every failure with its reason and log."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from records.condition import Condition
from records.paths import log_path
from workflow.experiment.experiment import Experiment
from workflow.jobs.records import load_records
from workflow.jobs.requested import KINDS, Request
from workflow.operations.failures import explain_end, read_end
from workflow.operations.running import checkpoint_folder, is_running

STATES = ("done", "running", "waiting", "failed", "stale")
LISTED = 20
"""Failures, and stale records, that are named one by one."""


class Status(NamedTuple):
    """What became of the job of a requested record."""

    request: Request
    state: str
    """One of `STATES`."""
    reason: str = ""
    """Of one that failed or is stale."""


def find_status(requests: Sequence[Request], *, results: str) -> list[Status]:
    """Return the status of every job; `results` is the experiment's folder.

    A record that config and code would write again is done, another is stale: the next run writes it anew. Where there
    is none a job runs, or has left a log and so failed (or was killed), or waits.
    """
    loaded = {entry.request.path: entry for entry in load_records(requests)}
    statuses = []
    for request in requests:
        log = Path(log_path(request.path))
        if (entry := loaded.get(request.path)) is not None:
            statuses.append(Status(request, "stale" if entry.record is None else "done", entry.reason))
        elif is_running(request, results=results, log=log):
            statuses.append(Status(request, "running"))
        elif log.is_file():
            has_checkpoint = any(checkpoint_folder(request, results=results).glob("*.checkpoint"))
            more = "; the next run goes on from its checkpoint" if has_checkpoint else ""
            statuses.append(Status(request, "failed", explain_end(read_end(log)) + more))
        else:
            statuses.append(Status(request, "waiting"))
    return statuses


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
