"""The load benchmark: `python -m benchmarks.load` measures the pipeline's own overhead and memory.

Each of its parts, `overhead` and `memory`, writes a table and what it was measured on (overhead.csv, overhead.json).
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks import machine
from benchmarks.load import experiments
from benchmarks.load.pipeline import Watched, watch

ROOT = Path(__file__).resolve().parents[2]
TRAINING_SECONDS = 10.0
"""Of the condition at which the overhead is held against its limit."""
MOST_SHARE, MOST_MEGABYTES = 0.25, 1500.0


class Measure(NamedTuple):
    """One measured number, and the target that it must not exceed, if there is one."""

    measure: str
    conditions: int
    value: float
    unit: str
    target: float | None = None

    @property
    def verdict(self) -> str:
        """Return whether the target is met."""
        return "reported" if self.target is None else "met" if self.value <= self.target else "missed"


def main() -> None:
    """Run many tiny conditions to the end, then look at the memory that many more take; write tables and machine."""
    job, began = arguments(), time.monotonic()

    def report_line(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    for part in job.parts or PARTS:
        started = time.monotonic()
        settings = vars(job) | {"parts": [part], "to": None, "busy_cpus_at_start": machine.busy_cpus(seconds=1.0)}
        with tempfile.TemporaryDirectory() as folder:
            measures = PARTS[part](job, Path(folder), report_line)
        settings["busy_cpus_at_end"] = machine.busy_cpus(seconds=1.0)
        job.to.mkdir(parents=True, exist_ok=True)
        rows = [measure._asdict() | {"verdict": measure.verdict} for measure in measures]
        pd.DataFrame(rows).to_csv(job.to / f"{part}.csv", index=False, float_format="%.4g")
        machine_record = machine.record(root=ROOT, started=started, threads=job.cores, settings=settings)
        (job.to / f"{part}.json").write_text(json.dumps(machine_record, indent=2) + "\n")


def measure_overhead(job: argparse.Namespace, folder: Path, report_line: Callable[[str], None]) -> list[Measure]:
    """Run conditions that train next to nothing from the start to the last figure: all the time is overhead."""
    config, count = experiments.write(experiments.tiny(job.conditions), folder), job.conditions
    seen = watch(["--cores", str(job.cores)], config=config, root=ROOT)
    records = sum(1 for path in folder.rglob("seeds=*.json") if "provenance" not in path.name)
    if records != count:
        raise RuntimeError(f"expected {count} run records; came {records}")
    each, held = seen.cpu_seconds / count, seen.wall_seconds * job.cores / count
    report_line(
        f"{count} conditions: {seen.wall_seconds:.0f} s; each {each:.2f} s of a CPU, and holds one for {held:.2f} s"
    )
    shares = {"CPU": each / (each + TRAINING_SECONDS), "wall": held / (held + TRAINING_SECONDS)}
    return [
        Measure("wall time", count, seen.wall_seconds, "s"),
        Measure("CPU time of a condition", count, each, "s"),
        Measure("time of a core per condition", count, held, "s"),
        *(
            Measure(f"share of overhead at 10 s ({clock} time)", count, x, "", MOST_SHARE)
            for clock, x in shares.items()
        ),
        *_peaks(seen, count),
    ]


def measure_memory(job: argparse.Namespace, folder: Path, report_line: Callable[[str], None]) -> list[Measure]:
    """Plan many conditions, then make the tables and a figure of their records."""
    content, count = experiments.large(job.large), job.large
    config = experiments.write(content, folder)
    planned = watch(["--cores", str(job.cores), "--dry-run"], config=config, root=ROOT)
    report_line(f"dry run of {count} conditions: {planned.wall_seconds:.0f} s, {planned.cpu_seconds:.0f} s of a CPU")
    experiments.pretend(content, folder, root=ROOT)
    report_line(f"{count} run records written")
    results = f"results/{content['experiment']}"
    targets = [*(f"{results}/{table}.csv" for table in experiments.TABLES)]
    targets += [f"{results}/figures/{figure}.png" for figure in experiments.FIGURES]
    watched = watch(["--cores", "1", *targets], config=config, root=ROOT)
    report_line(f"tables and figures: {watched.wall_seconds:.0f} s, {watched.cpu_seconds:.0f} s of a CPU")
    return [
        Measure("wall time of a dry run", count, planned.wall_seconds, "s"),
        Measure("CPU time of a dry run", count, planned.cpu_seconds, "s"),
        Measure("CPU time of tables and figures", count, watched.cpu_seconds, "s"),
        Measure(
            "peak memory of snakemake --dry-run", count, planned.peak_bytes["snakemake"] / 1e6, "MB", MOST_MEGABYTES
        ),
        *_peaks(watched, count),
    ]


def _peaks(seen: Watched, count: int) -> list[Measure]:
    return [
        Measure(f"peak memory of {name}", count, peak / 1e6, "MB", MOST_MEGABYTES)
        for name, peak in sorted(seen.peak_bytes.items())
        if name != "other"
    ]


PARTS: Mapping[str, Callable[[argparse.Namespace, Path, Callable[[str], None]], list[Measure]]] = {
    "overhead": measure_overhead,
    "memory": measure_memory,
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{' or '.join(PARTS)} (default both)")
    parser.add_argument("--conditions", type=int, default=2000, help="conditions to run to the end, a multiple of 4")
    parser.add_argument(
        "--large", type=int, default=10_000, help="conditions whose memory is measured, a multiple of 4"
    )
    parser.add_argument("--cores", type=int, default=2, help="cores that Snakemake may use")
    parser.add_argument("--to", type=Path, default=Path("results/load"), help="folder for the tables")
    given = parser.parse_args()
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"unknown part {min(unknown)!r}; known: {', '.join(PARTS)}")
    return given


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, ValueError) as error:
        sys.exit(f"load: {error}")
