"""Recomputes records, by the workflow itself, in a folder where nothing published lies, and compares them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from workflow.jobs.records import read_record
from workflow.jobs.requested import KINDS
from workflow.tables.schema.computing import compute_table
from workflow.verification.agreement import compare_baseline, compare_measurement, compare_run
from workflow.verification.comparison import Verdict, convert_to_texts
from workflow.verification.publication import Publication, PublishedJob

PATIENCE = 20  # seconds in which a Snakemake that is stopped may tidy up
QUIET = ("--quiet", "all", "--workflow-profile", "none", "--executor", "local", "--scheduler", "greedy", "--keep-going")


def recompute(config: Path, paths: Iterable[str], *, folder: Path, root: Path, cores: str) -> list[str]:
    """Compute records below `folder` by the code at `root`; return Snakemake's messages on those that fail."""
    paths = list(paths)
    command = [sys.executable, "-m", "snakemake", *paths, "--cores", cores, *QUIET]
    command += ["--snakefile", str(root / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(config.resolve())]
    code, text = _run(command)
    if code == 0 or all((folder / path).exists() for path in paths):
        return []
    lines = [line for line in text.splitlines() if line.strip()]
    return [line for line in lines if line.startswith(("failed: ", "config: "))] or lines[-1:]


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
