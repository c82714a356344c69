"""Says how far an experiment is: `python -m workflow.operations.status config/default.yaml`.

Per model a table of tasks and lags, then the reason of every failure and where its log is.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from records.condition import Condition
from records.paths import log_of
from workflow.experiment.experiment import Experiment
from workflow.experiment.gate import admit_file
from workflow.jobs.existing_records import existing
from workflow.jobs.requested import Wanted, wanted_records
from workflow.operations.failures import explained, last_line
from workflow.operations.running import checkpoints_of, is_running

STATES = ("done", "running", "waiting", "failed", "stale")
LISTED = 20
"""Failures, and stale records, that are told one by one."""


class Standing(NamedTuple):
    """Where the job of a wanted record stands."""

    wanted: Wanted
    state: str
    """One of `STATES`."""
    why: str = ""
    """Of one that failed or is stale."""


def standings(wanted: Sequence[Wanted], *, results: str) -> list[Standing]:
    """Look up where every job stands; `results` is the experiment's folder.

    A record that config and code would make again is done, another is stale: the next run makes it anew. Where there is
    none a job runs, or has left a log and so failed (or was killed), or waits.
    """
    found = {one.wanted.path: one for one in existing(wanted)}
    standing = []
    for one in wanted:
        log = Path(log_of(one.path))
        there = found.get(one.path)
        if there is not None:
            standing.append(Standing(one, "stale" if there.record is None else "done", there.why))
        elif is_running(one.expected, results=results, log=log):
            standing.append(Standing(one, "running"))
        elif log.is_file():
            kept = any(checkpoints_of(one.expected, results=results).glob("*.checkpoint"))
            more = "; the next run goes on from its checkpoint" if kept else ""
            standing.append(Standing(one, "failed", explained(last_line(log), end=0, settings=None) + more))
        else:
            standing.append(Standing(one, "waiting"))
    return standing


def report(standing: Sequence[Standing], *, experiment: Experiment) -> Iterator[str]:
    """Yield the lines of the report."""
    trained = [one for one in standing if one.wanted.kind == "run"]
    yield f"runs: {_counts(trained)} (one each per condition and block of seeds)"
    for kind in ("baseline", "measurement"):
        others = [one for one in standing if one.wanted.kind == kind]
        if others:
            yield f"{kind}s: {_counts(others)}"
    for title, table in tables(trained, name=experiment.undrawn, labels=experiment.labels).items():
        yield f"\n{title}"
        yield table.to_string()
    for state in ("failed", "stale"):
        told = [one for one in standing if one.state == state]
        if told:
            yield ""
        for one in told[:LISTED]:
            log = f" (log: {log_of(one.wanted.path)})" if state == "failed" else ""
            yield f"{state}: {one.wanted.path}: {one.why}{log}"
        if told[LISTED:]:
            yield f"{state}: and {len(told) - LISTED} more"


def tables(
    trained: Iterable[Standing], *, name: Callable[[Condition], Condition], labels: Mapping[str, Sequence[str]]
) -> dict[str, pd.DataFrame]:
    """Return a table per model (and device, if there are several): tasks and gradients down, lags across.

    A cell is the state of a condition's job, or of its several jobs how many are in each. `name` gives a condition the
    model by which it is listed; `labels` the order.
    """
    cells: dict[Condition, list[str]] = {}
    for one in trained:
        cells.setdefault(name(one.wanted.condition), []).append(one.state)
    several = len({condition.device for condition in cells}) > 1
    rows = [condition._asdict() | {"state": _cell(states)} for condition, states in cells.items()]
    found = pd.DataFrame(rows, columns=[*Condition._fields, "state"])
    ranks = {kind: {label: rank for rank, label in enumerate(labels[f"{kind}s"])} for kind in ("task", "gradient")}
    made = {}
    for model in labels["models"]:
        for device, group in found[found["model"] == model].groupby("device"):
            table = group.pivot(index=["task", "gradient"], columns="lag", values="state").fillna("")
            table = table.sort_index(key=lambda index: index.map(ranks[str(index.name)]))
            made[f"{model}, {device}" if several else model] = table
    return made


def _cell(states: Sequence[str]) -> str:
    if len(states) == 1:
        return states[0]
    return ", ".join(f"{states.count(state)} {state}" for state in STATES if state in states)


def _counts(standing: Sequence[Standing]) -> str:
    return f"{len(standing)}: {_cell([one.state for one in standing])}"


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="the configuration, such as config/default.yaml")
    given = parser.parse_args().config
    experiment = admit_file(given, root=root).experiment
    found = standings(wanted_records(experiment), results=experiment.place.results)
    print(*report(found, experiment=experiment), sep="\n")
