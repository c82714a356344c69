"""Recomputes records, by the workflow itself, in a folder where nothing published lies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from workflow.jobs.records import read_record
from workflow.tables.schema.computing import compute_table
from workflow.tables.schema.csv_files import read_provenance, write_csv
from workflow.verification.publication import Publication, Row, Run, read_table

PATIENCE = 20  # seconds in which a Snakemake that is stopped may tidy up
QUIET = ("--quiet", "all", "--workflow-profile", "none", "--executor", "local", "--scheduler", "greedy", "--keep-going")


class Recomputed(NamedTuple):
    """A recomputed run: its rows as summary.csv would hold them, and its provenance."""

    rows: list[Row]
    provenance: Row


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM stop this process as Ctrl-C does, so that nothing is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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


def touch(config: Path, paths: Iterable[str], *, root: Path) -> None:
    """Let Snakemake take records of the working directory for what their rules would write now."""
    command = [sys.executable, "-m", "snakemake", *paths, "--touch", "--cores", "1", "--quiet", "all"]
    code, text = _run([*command, "--snakefile", str(root / "Snakefile"), "--configfile", str(config)])
    if code != 0:
        raise ValueError(f"Snakemake could not take note of the restamped records: {text.strip().splitlines()[-1]}")


def read_run(published: Publication, run: Run, path: Path, *, folder: Path) -> Recomputed:
    """Read a recomputed run through tables in `folder`, so that values are texts as published ones are."""
    records = {"summary": read_record(run.request, path=path), "provenance": read_provenance(path)}
    rows = {}
    for name, record in records.items():
        write_csv(compute_table(name, [record], published.experiment), folder / f"{name}.csv")
        rows[name] = read_table(folder / f"{name}.csv")
    return Recomputed(rows["summary"], rows["provenance"][0])


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
