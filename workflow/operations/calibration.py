"""What the parts of every job cost on this machine: some jobs are timed a little, the others lie between them.

Those that differ in the lag alone, or in the hidden size that a search has drawn, form a series: its largest and its
smallest job are timed, and what lies between is interpolated. Where time is short, jobs lend each other their costs, by
the work that they do: those of other gradients first, then those of other models, then those of other tasks.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from records.condition import Condition
from workflow.jobs.requested import Request

Costs = dict[str, float]
"""What training/calibration.py times, by the name of the part."""

ADAPTER = Path(__file__).resolve().parents[1] / "scripts" / "calibrate.py"


class Job(NamedTuple):
    """A job to be estimated: what it computes, and the condition by which it is listed."""

    request: Request
    condition: Condition

    @property
    def work(self) -> float:
        """How much an update computes, in no unit: what costs are interpolated over."""
        settings = self.request.settings
        units, replicas = settings["model"]["hidden_size"], len(settings.get("seeds", [0]))
        replicas *= len(settings.get("learning_rates", [0]))
        return float(settings["task"]["lag"] * replicas * units * (units + 16))

    def series(self, length: int) -> tuple[Any, ...]:
        """Return the first `length` of what jobs with alike costs have in common: all four are a series."""
        condition = self.condition
        return ((self.request.kind, condition.device), condition.task, condition.model, condition.gradient)[:length]


class Calibration(NamedTuple):
    """What was timed."""

    started: float
    """Seconds of the start of a training job's process, its imports included."""
    timed: list[tuple[Job, Costs]]
    refused: dict[str, str]
    """Why jobs could not be timed, by their path."""


def chosen(jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs to be timed, those first without which others cannot be estimated."""
    rounds: list[list[Job]] = [[], [], [], []]
    models: dict[tuple[Any, ...], dict[tuple[Any, ...], list[Job]]] = {}
    for job in jobs:
        models.setdefault(job.series(3), {}).setdefault(job.series(4), []).append(job)
    for serieses in models.values():
        for number, series in enumerate(serieses.values()):
            series.sort(key=lambda job: (job.work, job.request.path))
            ends = [series[-1], series[0]] if series[0].work < series[-1].work else series[-1:]
            for end, job in enumerate(ends):
                rounds[end if number == 0 else 2 + end].append(job)
    ordered = [job for turn in rounds for job in turn]
    first = {job.series(1): job for job in reversed(ordered)}  # of every kind one
    return [*first.values(), *(job for job in ordered if job not in first.values())]


def calibrate(jobs: Sequence[Job], *, processes: int, seconds: float, python: str = sys.executable) -> Calibration:
    """Time the jobs in turn on so many processes at once, as a run would use the machine; begin none after `seconds`.

    A process that is killed, by want of memory for example, ends only its own share.
    """
    waiting, calibration = list(reversed(jobs)), Calibration(0.0, [], {})
    started: list[float] = []

    def work() -> None:
        with (
            suppress(BrokenPipeError),
            subprocess.Popen(
                [python, str(ADAPTER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as process,
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            first = process.stdout.readline()
            if not first:
                return
            started.append(json.loads(first)["started"])
            until = time.monotonic() + seconds
            while waiting and time.monotonic() < until:
                job = waiting.pop()
                piece = {"kind": job.request.kind, "settings": job.request.settings}
                print(json.dumps(piece), file=process.stdin, flush=True)
                answer = process.stdout.readline()
                costs = json.loads(answer or '{"error": "the process was killed"}')
                if "error" in costs:
                    calibration.refused[job.request.path] = costs["error"]
                else:
                    calibration.timed.append((job, costs))
                if not answer:
                    return

    threads = [threading.Thread(target=work) for _ in range(max(min(processes, len(jobs)), 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return calibration._replace(started=max(started, default=0.0))


def costs_by(calibration: Calibration) -> Callable[[Job], Costs | None]:
    """Return what tells the costs of a job, timed or not; None for one that nothing like it was timed for."""
    groups: dict[tuple[Any, ...], dict[float, list[Costs]]] = {}
    for job, costs in calibration.timed:
        for length in (4, 3, 2, 1):
            groups.setdefault(job.series(length), {}).setdefault(job.work, []).append(costs)
    means = {
        key: {
            work: {part: sum(costs[part] for costs in timed) / len(timed) for part in timed[0]}
            for work, timed in group.items()
        }
        for key, group in groups.items()
    }

    def tell(job: Job) -> Costs | None:
        known_costs = next((means[key] for length in (4, 3, 2, 1) if (key := job.series(length)) in means), None)
        return None if known_costs is None else interpolate(known_costs, work=job.work)

    return tell


def interpolate(known_costs: Mapping[float, Costs], *, work: float) -> Costs:
    """Return costs at some work from those known at others: on the line between neighbours, beyond the ends in
    proportion to the work; memory, and what is paid once, as at the nearest.
    """
    below = max((at for at in known_costs if at <= work), default=None)
    above = min((at for at in known_costs if at >= work), default=None)
    if below is None or above is None:
        nearest = above if below is None else below
        assert nearest is not None
        scaled = {"evaluation", "update", "sampling"}
        return {part: cost * (work / nearest if part in scaled else 1) for part, cost in known_costs[nearest].items()}
    share = 0.0 if above == below else (work - below) / (above - below)
    return {
        part: (1 - share) * known_costs[below][part] + share * known_costs[above][part] for part in known_costs[below]
    }
