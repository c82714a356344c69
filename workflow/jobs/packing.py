"""Packing: one job trains several conditions, one after another, into a store; rule train then adopts what lies there.

The store, results/<experiment>/packed/, has the layout of the runs: a record, its provenance and its log. Nothing in it
is an output of a rule: a job that fails or is killed loses no finished member, and no run depends on being packed.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from records.canonical_json import format_canonical_json
from records.paths import PACKED, RUNS, RecordPath, record_folder
from records.writing import write_text
from workflow.jobs.arguments import Job, build_job

SHORTEST = 2.0
"""Minutes that must be left for a member to begin: a training ends by itself a minute before its limit."""


def store_path(run: Path) -> Path:
    """Return the place in the store of a run record: results/x/packed/... for results/x/runs/..."""
    place = RecordPath.from_path(run)
    return Path(place._replace(folder=str(Path(place.folder).with_name(PACKED))).to_path())


def write_members(path: Path, members: Sequence[Job]) -> None:
    """Write who belongs to a pack."""
    write_text(path, json.dumps([member._asdict() for member in members], default=str) + "\n")


def read_members(path: Path) -> list[Job]:
    """Read who belongs to a pack."""
    return [build_job(member) for member in json.loads(path.read_bytes())]


def is_stored(member: Job) -> bool:
    """Return whether a finished record of just these settings and this code lies in the store."""
    return member.holds(store_path(member.record))


def train_pack(members: Sequence[Job], *, train: Path, threads: int, minutes: float) -> list[str]:
    """Train those that are not in the store, each in a process of its own; return the failures, a line each."""
    began, failed = time.monotonic(), []
    for member in members:
        if is_stored(member):
            continue
        left = minutes - (time.monotonic() - began) / 60
        if left < SHORTEST:
            failed.append(f"{member.label}: no time was left; the next attempt has more")
            continue
        stored = store_path(member.record)
        stored.parent.mkdir(parents=True, exist_ok=True)
        words = ["--entry", member.entry, "--sources", member.sources]
        words += ["--settings", format_canonical_json(member.settings)]
        words += ["--threads", str(threads), "--minutes", str(left)]
        words += ["--record", str(stored), "--provenance", str(provenance_path(stored))]
        log = stored.with_suffix(".log")
        with log.open("w") as stderr:
            code = subprocess.run([sys.executable, str(train), *words], stderr=stderr, check=False).returncode
            if code:
                stderr.write(f"exit status {code if code > 0 else 128 - code}\n")
        if not is_stored(member):
            failed.append(f"{member.label}: {_explain_failure(log, settings=member.settings)}")
    return failed


def adopt_record(job: Job) -> bool:
    """Take a training job's record, its provenance and its log from the store; return whether they were there.

    Where LAGBENCH_PACKED says that nothing should train, a job that finds none there is a RuntimeError.
    """
    if record_folder(job.record).name != RUNS:  # it trains into the store itself
        return False
    only, stored = bool(os.environ.get("LAGBENCH_PACKED")), store_path(job.record)
    log = stored.with_suffix(".log")
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    is_there = job.holds(stored)
    if is_there or only:
        sys.stderr.write(text)
    if is_there:
        for source, target in ((provenance_path(stored), job.provenance), (stored, job.record)):
            write_text(target, source.read_text(encoding="utf-8"))
        for path in (stored, provenance_path(stored), log):  # only now: a kill before leaves the store as it was
            path.unlink(missing_ok=True)
    elif only:
        reason = _explain_failure(log, settings=job.settings) if text else ""
        raise RuntimeError(reason or "no pack has trained it: run the target `packed` first")
    return is_there


def provenance_path(record: Path) -> Path:
    """Return the place of a record's provenance."""
    return record.with_suffix(".provenance.json")


def _explain_failure(log: Path, *, settings: dict[str, Any]) -> str:
    from workflow.jobs.resources import training_need  # of no use to the many jobs that do not fail
    from workflow.operations.failures import explain_end, read_end

    return explain_end(read_end(log), need=training_need(settings))
