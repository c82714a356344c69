"""The estimate of what an experiment will cost before it is begun.

Only jobs count whose records are not there, or stale. Jobs that differ in the lag alone, or in the hidden size that a
search has sampled, form a series: its largest and its smallest job are timed a little, those between are interpolated.
Where time is short, series lend each other their costs. "At most" trains every replica to the end of its budget;
"expected" lets them leave as early as those of finished runs did, of the same condition, else task, else experiment,
and where there are none, as in the main job.
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.jobs.requested import KINDS, Request, requested_records
from workflow.operations.status import Status, find_status, select_records
from workflow.statistics.replicas import CONDITION
from workflow.tables.schema.computing import compute_table
from workflow.tables.schema.csv_files import read_csv

ADAPTER = Path(__file__).resolve().parents[1] / "scripts" / "calibrate.py"
SERIES = ["kind", "device", "task", "model", "gradient"]
COST = ["once", "unit"]
"""Seconds whatever the budget, and per update or guess: training/calibration.py."""
USUAL_SHARE = 0.85
"""Of their budgets, what the replicas of the main job use (results/reference/default/summary.csv)."""
POINT_BYTES, REPLICA_BYTES, JOB_BYTES = 260, 1100, 6000
"""Of a point of a curve and of a replica in record and tables, and of a job's provenance, log and settings."""
LEFT_OUT = (
    "At most: no replica leaves before its budget is spent. Left out: Snakemake itself, compiling the kernel, tables "
    "and figures (a minute or two), waiting in a queue; other machines are slower or faster."
)


def report_estimate(experiment: Experiment, *, cores: int, seconds: float) -> Iterator[str]:
    """Yield the lines of the estimate for a number of cores; after so many seconds no further job is timed."""
    began, requests = time.monotonic(), requested_records(experiment)
    statuses = [find_status(request) for request in requests]
    yield f"{experiment.config['experiment']}: {len(experiment.conditions)} conditions"
    summary = [compute_table("summary", runs, experiment)] if (runs := select_records(statuses, "run")) else []
    published = experiment.root / "results" / "reference" / experiment.config["experiment"] / "summary.csv"
    summary += [read_csv(published)] if published.is_file() else []
    jobs = list_jobs(experiment, statuses, summary=summary)
    timed = choose_jobs(jobs[jobs["missing"]])
    costs, refused = time_jobs([requests[row] for row in timed], processes=cores, seconds=seconds)
    costs.index = pd.Index(timed[: len(costs)])
    yield from report_jobs(estimate_seconds(jobs, costs.dropna()), cores=cores, threads=experiment.config["threads"])
    yield from (f"not timed: {path}: {reason}" for path, reason in refused.items())
    took = time.monotonic() - began
    yield f"timed {len(costs.dropna())} of the {len(timed)} jobs between which all others lie, in {took:.0f} s"
    yield LEFT_OUT


def list_jobs(experiment: Experiment, statuses: Iterable[Status], *, summary: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return a row per requested record: its series, the work of an update in no unit, its budget, memory and disk.

    `summary` has the replicas of finished runs, from which the share of the budget is computed that is used.
    """
    replicas = pd.concat(summary) if summary else pd.DataFrame(columns=[*CONDITION, "updates", "budget", "batch_size"])
    replicas = replicas.assign(allowed=replicas["budget"] // replicas["batch_size"])
    totals = [replicas.groupby(keys)[["updates", "allowed"]].sum() for keys in (CONDITION, "task")]
    shares, of_tasks = (dict(sums["updates"] / sums["allowed"]) for sums in totals)
    usual = replicas["updates"].sum() / replicas["allowed"].sum() if len(replicas) else USUAL_SHARE
    rows = []
    for request, state, *_ in statuses:
        condition, settings = request.condition, request.settings
        share = float(shares.get(tuple(condition), of_tasks.get(condition.task, usual)))
        rows.append(
            {
                "kind": request.kind,
                **experiment.restore_model(condition)._asdict(),
                "path": request.path,
                "missing": state != "done",
                "memory": KINDS[request.kind].estimate_need(settings).memory,
                **describe_budget(settings, share=share),
            }
        )
    return pd.DataFrame(rows)


def describe_budget(settings: Mapping[str, Any], *, share: float) -> dict[str, float]:
    """Return what an update computes, how many there are at most and are expected, and the bytes on disk."""
    units, replicas = settings["model"]["hidden_size"], 1
    if "guessing" in settings:
        most = expected = settings["guessing"]["guesses"]
        disk = JOB_BYTES
    else:
        replicas = len(settings["seeds"]) * len(settings["learning_rates"])
        most = settings["task"]["sequences"] // settings["training"]["batch_size"]
        expected = share * most
        points = math.ceil(most / settings["training"]["evaluate_every"])
        disk = JOB_BYTES + replicas * (REPLICA_BYTES + share * points * POINT_BYTES)
    work = settings["task"]["lag"] * replicas * units * (units + 16)
    return {"work": float(work), "most": most, "expected": expected, "disk": disk}


def choose_jobs(jobs: pd.DataFrame) -> list[int]:
    """Return the rows of the jobs to be timed, those first without which others cannot be estimated."""
    first = jobs.groupby(SERIES[:-1])["gradient"].transform("first")
    series = jobs.assign(further=jobs["gradient"] != first).sort_values(["work", "path"]).groupby(SERIES)
    ends = pd.concat([series.tail(1).assign(end=0), series.head(1).assign(end=1)])
    ends = ends[~ends.index.duplicated()].sort_values(["further", "end"], kind="stable")
    of_each_kind = ends.groupby(["kind", "device"]).head(1)
    return list(dict.fromkeys([*of_each_kind.index, *ends.index]))


def time_jobs(
    requests: Sequence[Request], *, processes: int, seconds: float, python: str = sys.executable
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Time jobs on so many processes at once, as a run would use the machine; begin none after `seconds`.

    Return the cost of each, NaN if it was not timed, and why jobs could not be, by path. A process that is killed, by
    want of memory for example, ends only its own share.
    """
    costs, refused = pd.DataFrame(np.nan, index=range(len(requests)), columns=COST), {}

    def work(share: range) -> subprocess.CompletedProcess[str]:
        jobs = [{"kind": requests[row].kind, "settings": requests[row].settings} for row in share]
        command = [python, str(ADAPTER), str(seconds)]
        return subprocess.run(command, input=json.dumps(jobs), stdout=subprocess.PIPE, text=True, check=False)

    shares = [range(first, len(requests), processes) for first in range(min(processes, len(requests)))]
    with ThreadPoolExecutor(max(len(shares), 1)) as pool:
        for share, done in zip(shares, pool.map(work, shares), strict=True):
            answers = [json.loads(line) for line in done.stdout.splitlines()]
            if done.returncode and len(answers) < len(share):
                answers.append({"error": "the process was killed"})
            for row, answer in zip(share, answers, strict=False):
                if "error" in answer:
                    refused[requests[row].path] = answer["error"]
                else:
                    costs.loc[row] = answer
    return costs, refused


def estimate_seconds(jobs: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Return the jobs with the seconds that they take, expected and at most, by the costs of some of them.

    A cost is on the line between those of the jobs of a series, beyond its ends in proportion to the work. A series of
    which none was timed takes those of other gradients, else of other models, else of other tasks; else it is NaN.
    """
    jobs = jobs.assign(**dict.fromkeys(COST, np.nan))
    timed = jobs.drop(columns=COST).join(costs, how="inner")
    for length in range(2, len(SERIES) + 1):  # the most alike last, which replace the others
        alike = dict(list(timed.groupby(SERIES[:length])))
        for name, group in jobs.groupby(SERIES[:length]):
            if name in alike:
                points = alike[name].groupby("work")[COST].mean()
                scale = group["work"] / group["work"].clip(points.index.min(), points.index.max())
                for cost in COST:
                    jobs.loc[group.index, cost] = scale * np.interp(group["work"], points.index, points[cost])
    budgets = {name: jobs["once"] + jobs[name] * jobs["unit"] for name in ("most", "expected")}
    return jobs.assign(**budgets)


def report_jobs(jobs: pd.DataFrame, *, cores: int, threads: int) -> Iterator[str]:
    """Yield the lines of the estimate; the seconds of a job that is not known are NaN."""
    rows, unknown = [], []
    for (kind, device), group in jobs.groupby(["kind", "device"], sort=False):
        missing = group[group["missing"]]
        estimated = missing.dropna(subset="most")
        rows.append(
            {
                "jobs": f"{kind}s" + ("" if device == "cpu" else f", {device}"),
                "in all": len(group),
                "missing": len(missing),
                "core-hours" if device == "cpu" else "GPU-hours": _hours(estimated["expected"]),
                "at most": _hours(estimated["most"]),
                "GB in a job": f"{0 if missing.empty else missing['memory'].max() / 1e9:.2f}",
            }
        )
        if count := len(missing) - len(estimated):
            unknown.append(f"not in it: {count} {kind} jobs on {device}, which could not be timed on this machine")
    yield pd.DataFrame(rows).to_string(index=False, na_rep="")
    estimated = jobs[jobs["missing"]].dropna(subset="most")
    on_cpu = estimated[estimated["device"] == "cpu"]
    if len(on_cpu):
        yield f"core-hours: {_hours(on_cpu['expected'])}, at most {_hours(on_cpu['most'])}"
        spans = [_span(max(on_cpu[name].sum() / cores, on_cpu[name].max())) for name in ("expected", "most")]
        yield f"on {cores} cores with nothing else to do: {spans[0]}, at most {spans[1]}"
        peaks = on_cpu["memory"].nlargest(max(cores // threads, 1))
        each, together = _size(peaks.max()), _size(peaks.sum())
        yield f"memory: at most {each} in one job, {together} in the {len(peaks)} that run at once"
    yield f"disk: about {_size(estimated['disk'].sum())} of records, logs and tables"
    yield from unknown


def _hours(seconds: pd.Series) -> str:
    hours = seconds.sum() / 3600
    return f"{hours:.0f}" if hours >= 100 else f"{hours:.2g}"


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 1):.0f} MB"
