"""Recomputes published tables and a sample of jobs, by the workflow itself, and reports whether they agree."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from records.log import printable
from workflow.experiment.gate import finds_gpu
from workflow.experiment.reading import read
from workflow.jobs.records import read_record
from workflow.jobs.requested import KINDS
from workflow.tables.schema.computing import compute_table
from workflow.verification.agreement import compare_baseline, compare_measurement, compare_run
from workflow.verification.comparison import Verdict, convert_to_texts
from workflow.verification.publication import Publication, PublishedJob, read_publication
from workflow.verification.tables import check_tables

PATIENCE = 20  # seconds in which a Snakemake that is stopped may tidy up
QUIET = ("--quiet", "all", "--workflow-profile", "none", "--executor", "local", "--scheduler", "greedy", "--keep-going")
T = TypeVar("T")


def verify_config(config: Path, *, size: int, seed: int, cores: str, root: Path) -> bool:
    """Verify and report what a config published, at most `size` of its runs; return whether all agrees."""
    published = read_publication(config, root=root)
    computable = select_computable(published.jobs)
    jobs = {kind: [job for job in computable if job.request.kind == kind] for kind in KINDS}
    sizes = {kind: size if kind == "run" else 1 for kind in KINDS}
    sample = {kind: choose_sample(jobs[kind], size=sizes[kind], seed=seed) for kind in KINDS}
    if left_out := sum(job.request.kind == "run" for job in published.jobs) - len(jobs["run"]):
        report(f"left out: {left_out} runs on cuda, as torch finds no GPU on this machine")
    verdicts = verify_tables(published)
    if not jobs["run"]:
        raise ValueError(f"{published.folder}: no published run can be computed on this machine")
    seconds = sum(float(job.run.get("wall_seconds") or 0) for job in sample["run"])
    counts = [f"{len(sample[kind])} of {len(jobs[kind])} {kind}s" for kind in KINDS if jobs[kind]]
    chosen = f"{', '.join(counts)}, chosen with SEED={seed}"
    report(f"{published.folder}: {chosen}; the runs took {seconds:.0f} s when they were published")
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


def recompute(config: Path, paths: Iterable[str], *, folder: Path, root: Path, cores: str) -> list[str]:
    """Compute records below `folder` by the code at `root`; return Snakemake's messages on those that fail."""
    paths = list(paths)
    command = [sys.executable, "-m", "snakemake", *paths, "--cores", cores, *QUIET]
    command += ["--snakefile", str(root / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(config.resolve()), *override_paths(read(config), folder=folder)]
    code, text = _run(command)
    if code == 0 or all((folder / path).exists() for path in paths):
        return []
    lines = [line for line in text.splitlines() if line.strip()]
    return [line for line in lines if line.startswith(("failed: ", "config: "))] or lines[-1:]


def override_paths(config: Mapping[str, Any], *, folder: Path) -> list[str]:
    """Return the words that let Snakemake find, from `folder`, what a configuration names in the working directory."""

    def locate(path: str) -> str:
        return next((str(p.absolute()) for p in (folder / path, Path(path)) if p.exists()), path)

    paths = {name: config[name] for name in ("plugins", "claims") if config.get(name)}
    located = {name: locate(path) if isinstance(path, str) else list(map(locate, path)) for name, path in paths.items()}
    return ["--config", *(f"{name}={json.dumps(value)}" for name, value in located.items())] if located else []


def compare_job(published: Publication, job: PublishedJob, *, folder: Path) -> Verdict:
    """Compare a published job with its record, as it was recomputed below `folder`."""
    path, experiment = folder / job.request.path, published.experiment
    if not path.exists():
        return Verdict(False, False, "NOT RECOMPUTED")
    record = read_record(job.request, path=path)
    tables = {name: compute_table(name, [record], experiment) for name in job.tables}
    pairs = {name: (job.select_rows(name), convert_to_texts(table)) for name, table in tables.items()}
    own, recomputed = published.find_provenance(job), published.read_provenance(path)
    if own is None:
        recomputed["sources"] = experiment.sources(job.request.condition, entry=KINDS["run"].ENTRY)
    provenances = own or job.run, recomputed
    if job.request.kind == "run":
        return compare_run(pairs, provenances=provenances)
    if job.request.kind == "measurement":
        return compare_measurement(pairs, provenances=provenances)
    tests = job.request.settings["training"]["test_sequences"]
    return compare_baseline(pairs, provenances=provenances, tests=tests)


def touch(config: Path, paths: Iterable[str], *, root: Path) -> None:
    """Let Snakemake take records of the working directory for what their rules would write now."""
    command = [sys.executable, "-m", "snakemake", *paths, "--touch", "--cores", "1", "--quiet", "all"]
    code, text = _run([*command, "--snakefile", str(root / "Snakefile"), "--configfile", str(config)])
    if code != 0:
        raise ValueError(f"Snakemake could not take note of the restamped records: {text.strip().splitlines()[-1]}")


def _verify_jobs(published: Publication, jobs: Sequence[PublishedJob], *, cores: str, root: Path) -> bool:
    """Recompute jobs, report the verdict on each, and return whether all agree."""
    with tempfile.TemporaryDirectory(prefix="lagbench-verify-") as name:
        folder = Path(name)
        paths = [job.request.path for job in jobs]
        failures = recompute(published.config, paths, folder=folder, root=root, cores=cores)
        verdicts = [compare_job(published, job, folder=folder) for job in jobs]
    for line in [*(f"{job.label}: {verdict.message}" for job, verdict in zip(jobs, verdicts, strict=True)), *failures]:
        report(line)
    runs = [verdict for job, verdict in zip(jobs, verdicts, strict=True) if job.request.kind == "run"]
    exact = sum(verdict.exact for verdict in runs)
    within = sum(verdict.agrees for verdict in runs) - exact
    rule = " (results/README.md has the rule)" if within else ""
    report(f"{exact + within} of {len(runs)} runs agree: {exact} bit for bit, {within} within tolerance{rule}")
    return all(verdict.agrees for verdict in verdicts)


def _run(command: list[str]) -> tuple[int, str]:
    """Run Snakemake, and stop it and its jobs on a KeyboardInterrupt; return its exit status and output."""
    environment = os.environ | {"MAKELEVEL": "1"}  # so that it does not report where tables are
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            text, _ = process.communicate()
        except KeyboardInterrupt:
            for how in (signal.SIGINT, signal.SIGKILL):
                with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(process.pid, how)
                    process.communicate(timeout=PATIENCE)
            raise
    return process.returncode, text
