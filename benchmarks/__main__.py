"""The benchmark of the fused CPU kernel against its rivals: `python -m benchmarks` measures and writes the tables."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmarks import jobs, machine, memory, online, ratios, speed, targets, teams, update
from benchmarks.figures import memory as memory_figure
from benchmarks.figures import speed as speed_figure
from benchmarks.points import POINTS, QUICK_POINTS
from benchmarks.processes import cpus, in_fresh_process, use_cpus

ROOT = Path(__file__).resolve().parents[1]
QUIET = 0.1
"""CPUs in use by others above which the benchmark complains: a thread that waits for its turn holds up its team."""


class Job(NamedTuple):
    """The arguments of the benchmark."""

    to: Path
    threads: int
    rounds: int
    quick: bool


def main() -> None:
    """Measure speed, memory, a whole update and jobs; write the tables, the figures and the machine's record."""
    job, started = arguments(), time.monotonic()
    use_cpus(job.threads)
    job.to.mkdir(parents=True, exist_ok=True)

    def report_line(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {line}", flush=True)

    others = machine.busy_cpus(seconds=1.0)
    if others > QUIET:
        report_line(f"others use {others:.1f} CPUs of this machine: the numbers will not be worth much")
    peaks = measure_peaks(job, report_line)
    settings = {"rounds": job.rounds, "quick": job.quick, "busy_cpus_at_start": others, "sgemm_peak_gflops": peaks}
    provenance_record = machine.record(root=ROOT, started=started, threads=job.threads, settings=settings)
    table = measure_speed(job, report_line, peaks=peaks)
    lost = ratios.lost_points(table)
    write(table.assign(**provenance_columns(provenance_record)), job.to / "speed.csv")
    write(lost, job.to / "lost.csv")
    speed_figure.write(table, job.to / "speed")
    settled = targets.speed_targets(table)
    for measure in (measure_memory, measure_update, measure_online, measure_jobs):
        settled += measure(job, report_line)
    verdicts = targets.to_table(settled)
    write(verdicts, job.to / "targets.csv")
    provenance_record["benchmark"]["busy_cpus_at_end"] = machine.busy_cpus(seconds=1.0)
    provenance_record["wall_seconds"] = round(time.monotonic() - started, 3)
    (job.to / "machine.json").write_text(json.dumps(provenance_record, indent=2) + "\n")
    print(f"\n{verdicts.to_string(index=False, float_format='{:.3g}'.format, na_rep='')}\n")
    shown = [*ratios.POINT, *ratios.CONTESTANT[:2], "microseconds", "ratio"]
    print("points that we lose:", "none" if lost.empty else f"\n{lost[shown].to_string(index=False)}")
    report_line(f"written: {job.to}")


def arguments() -> Job:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--to", type=Path, help="folder to write to (results/benchmark, or results/benchmark-quick)")
    parser.add_argument("--threads", type=int, default=len(cpus()), help="threads of every contestant (all CPUs)")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each contestant, the first one dropped")
    parser.add_argument("--quick", action="store_true", help="a few points: does it run?")
    given = parser.parse_args()
    if not 1 <= given.threads <= len(cpus()):
        parser.error(f"expected --threads from 1 to {len(cpus())}, the CPUs of this process; came: {given.threads}")
    if given.rounds < 2:
        parser.error(f"expected --rounds of 2 or more, for the first is dropped; came: {given.rounds}")
    rounds = min(given.rounds, 3) if given.quick else given.rounds
    to = given.to or Path("results", "benchmark-quick" if given.quick else "benchmark")
    return Job(to, given.threads, rounds, given.quick)


def measure_peaks(job: Job, report_line: Callable[[str], None]) -> dict[int, float]:
    """Measure the best matrix product on one thread and on all."""
    sizes, repeats = ((1024,), 3) if job.quick else ((1024, 2048), 40)
    peaks: dict[int, float] = {}
    for threads in sorted({1, job.threads}):
        best = in_fresh_process(machine.sgemm_peak, threads, sizes, repeats)
        peaks[threads] = max(*best.values(), *peaks.values())  # more threads can do what fewer do
        shown = ", ".join(f"{library} {gflops:.0f}" for library, gflops in best.items())
        report_line(f"sgemm peak on {threads} threads, GFLOP/s: {shown}")
    return peaks


def measure_speed(job: Job, report_line: Callable[[str], None], *, peaks: dict[int, float]) -> pd.DataFrame:
    """Measure all contestants."""
    at_work = teams.assemble(threads=job.threads)
    if "jax" not in at_work:
        report_line("JAX is not installed (requirements-bench.txt): it does not compete")
    points = QUICK_POINTS if job.quick else POINTS
    try:
        measurements = speed.measure_speed(points, at_work, rounds=job.rounds, report_line=report_line)
    finally:
        for team in at_work.values():
            team.close()
    return ratios.summarise(measurements, peaks=peaks)


def measure_memory(job: Job, report_line: Callable[[str], None]) -> list[targets.Target]:
    """Measure the kernel's memory and that of a long update."""
    growth = memory.measure_growth(
        memory.QUICK_AXES if job.quick else memory.AXES, threads=job.threads, report_line=report_line
    )
    write(growth, job.to / "memory.csv")
    memory_figure.write(growth, job.to / "memory")
    lag = 100 if job.quick else 1000
    peak = in_fresh_process(update.peak_of_update, job.threads, lag, 64)
    report_line(f"memory of a whole update, R 15, H 64, B 32, T {2 * lag}: {peak / 1e9:.2f} GB")
    return targets.memory_targets(growth, float("nan") if job.quick else peak)


def measure_update(job: Job, report_line: Callable[[str], None]) -> list[targets.Target]:
    """Measure the parts of an update, on one thread and on all, and how soon a job makes its first one."""
    updates = 5 if job.quick else 100
    tables = [in_fresh_process(update.measure_update, n, updates) for n in sorted({1, job.threads})]
    write(pd.concat(tables), job.to / "update.csv")
    share = update.kernel_share(tables[-1])
    report_line(f"update: {share:.0%} of its time in the kernel")
    first = jobs.seconds_to_first_update(repeats=1 if job.quick else 5)
    report_line(f"first update of a job: after {first:.1f} s")
    return targets.update_targets(kernel_share=share, first_update=first)


def measure_online(job: Job, report_line: Callable[[str], None]) -> list[targets.Target]:
    """Measure online training of the 1997 network on one thread."""
    table = in_fresh_process(online.measure_online, job.rounds, 100 if job.quick else 1000)
    write(table, job.to / "online.csv")
    settled = targets.online_targets(table)
    report_line(f"online training: {settled[0].measured:.2f} microseconds per step of 156 weights, one replica alone")
    return settled


def measure_jobs(job: Job, report_line: Callable[[str], None]) -> list[targets.Target]:
    """Measure two jobs at once against one after the other."""
    if job.threads < 2:
        report_line("two jobs at once need two CPUs: not measured")
        return []
    updates = 10 if job.quick else 400
    one_by_one = jobs.seconds_of_two_jobs(updates=updates, at_once=False)
    at_once = jobs.seconds_of_two_jobs(updates=updates, at_once=True)
    report_line(f"two jobs: {one_by_one:.1f} s one after the other, {at_once:.1f} s at once")
    return targets.jobs_targets(one_by_one=one_by_one, at_once=at_once)


def provenance_columns(provenance_record: dict[str, Any]) -> dict[str, Any]:
    """Return what every row of the speed table says of machine and software."""
    versions = {name: provenance_record["versions"][name] for name in ("torch", "numba", "numpy", "jax")}
    where = {name: provenance_record[name] for name in ("processor", "threads", "commit", "dirty")}
    return {"device": "cpu"} | where | versions


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table with six digits."""
    table.to_csv(path, index=False, float_format="%.6g")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, ValueError) as error:
        sys.exit(f"benchmark: {error}")
