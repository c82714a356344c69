"""Verifies published results and reports: the sample, the verdict on each table and job, and whether all agree."""

import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from records.log import printable
from workflow.experiment.gate import finds_gpu
from workflow.jobs.requested import KINDS
from workflow.verification.comparison import Verdict
from workflow.verification.publication import Publication, PublishedJob, read_publication
from workflow.verification.recomputation import compare_job, recompute
from workflow.verification.tables import check_tables

T = TypeVar("T")


def verify_config(config: Path, *, size: int, seed: int, cores: str, root: Path) -> bool:
    """Verify and report what a config published, at most `size` of its runs; return whether all agrees."""
    published = read_publication(config, root=root)
    jobs, sample = {}, {}
    computable = select_computable(published.jobs)
    for kind in KINDS:
        jobs[kind] = [job for job in computable if job.request.kind == kind]
        sample[kind] = choose_sample(jobs[kind], size=size if kind == "run" else 1, seed=seed)
    runs = sum(job.request.kind == "run" for job in published.jobs)
    if len(jobs["run"]) < runs:
        report(f"left out: {runs - len(jobs['run'])} runs on cuda, as torch finds no GPU on this machine")
    verdicts = verify_tables(published)
    if not jobs["run"]:
        raise ValueError(f"{published.folder}: no published run can be computed on this machine")
    seconds = sum(float(job.run.get("wall_seconds") or 0) for job in sample["run"])
    counts = [f"{len(sample[kind])} of {len(jobs[kind])} {kind}s" for kind in KINDS if jobs[kind]]
    report(
        f"{published.folder}: {', '.join(counts)}, chosen with SEED={seed}; "
        f"the runs took {seconds:.0f} s when they were published"
    )
    agree = _verify_jobs(published, [job for kind in KINDS for job in sample[kind]], cores=cores, root=root)
    differing = [name for name, verdict in verdicts.items() if not verdict.agrees]
    if differing:
        report(f"DIFFERS, see above: {', '.join(differing)}")
    return agree and not differing


def choose_sample(population: Sequence[T], *, size: int, seed: int) -> list[T]:
    """Choose `size` members of a population, or all if there are fewer, and keep their order."""
    if size < 1:
        raise ValueError(f"expected a sample of at least 1 run; came {size}")
    chosen = random.Random(seed).sample(range(len(population)), min(size, len(population)))
    return [population[index] for index in sorted(chosen)]


def verify_tables(published: Publication) -> dict[str, Verdict]:
    """Recompute the published derived tables, report the verdict on each, and return the verdicts by file name."""
    verdicts = {}
    for name, verdict in check_tables(published):
        report(f"{name}.csv: {verdict.message if verdict else 'not published'}")
        if verdict:
            verdicts[f"{name}.csv"] = verdict
    agreeing = sum(verdict.agrees for verdict in verdicts.values())
    report(f"{agreeing} of {len(verdicts)} derived tables agree")
    return verdicts


def select_computable(jobs: list[PublishedJob]) -> list[PublishedJob]:
    """Return the jobs that this machine has the device for."""
    without_gpu = [job for job in jobs if job.request.condition.device != "cuda"]
    return jobs if len(without_gpu) == len(jobs) or finds_gpu(sys.executable) else without_gpu


def report(line: str, *, command: str = "verify") -> None:
    """Write a line to the terminal."""
    print(f"{command}: {printable(line)}", flush=True)


def _verify_jobs(published: Publication, jobs: Sequence[PublishedJob], *, cores: str, root: Path) -> bool:
    """Recompute jobs, report the verdict on each, and return whether all agree."""
    with tempfile.TemporaryDirectory(prefix="lagbench-verify-") as name:
        folder = Path(name)
        paths = [job.request.path for job in jobs]
        failures = recompute(published.config, paths, folder=folder, root=root, cores=cores)
        verdicts = [compare_job(published, job, folder=folder) for job in jobs]
    for job, verdict in zip(jobs, verdicts, strict=True):
        report(f"{job.label}: {verdict.message}")
    for line in failures:
        report(line)
    runs = [verdict for job, verdict in zip(jobs, verdicts, strict=True) if job.request.kind == "run"]
    exact = sum(verdict.exact for verdict in runs)
    within = sum(verdict.agrees for verdict in runs) - exact
    rule = " (results/README.md has the rule)" if within else ""
    report(f"{exact + within} of {len(runs)} runs agree: {exact} bit for bit, {within} within tolerance{rule}")
    return all(verdict.agrees for verdict in verdicts)
