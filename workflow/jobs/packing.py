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
from typing import Any, NamedTuple

from records.paths import PACKED, RUNS
from records.writing import write_text
from workflow.jobs.arguments import Job

SHORTEST = 2.0
"""Minutes that must be left for a member to begin: a training ends by itself a minute before its limit."""


class Member(NamedTuple):
    """A training job that a pack does: its run record, and what determines the numbers."""

    run: str
    settings: dict[str, Any]
    sources: str

    @property
    def stored(self) -> Path:
        """Where its record is put."""
        return stored(Path(self.run))

    @property
    def label(self) -> str:
        """The condition and the seed block."""
        return "/".join(Path(self.run).with_suffix("").parts[-5:])


def stored(run: Path) -> Path:
    """Return the place in the store of a run record: results/x/packed/... for results/x/runs/..."""
    return run.parents[5].with_name(PACKED) / run.relative_to(run.parents[5])


def write_members(path: Path, members: Sequence[Member]) -> None:
    """Write who belongs to a pack."""
    write_text(path, json.dumps([member._asdict() for member in members]) + "\n")


def read_members(path: Path) -> list[Member]:
    """Read who belongs to a pack."""
    return [Member(**member) for member in json.loads(path.read_bytes())]


def is_stored(member: Member) -> bool:
    """Say whether a finished record of just these settings and this code lies in the store."""
    return _matches(member.stored, settings=member.settings, sources=member.sources)


def train_pack(members: Sequence[Member], *, train: Path, threads: int, minutes: float) -> list[str]:
    """Train those that are not in the store, each in a process of its own; return the failures, a line each."""
    began, failed = time.monotonic(), []
    for member in members:
        if is_stored(member):
            continue
        left = minutes - (time.monotonic() - began) / 60
        if left < SHORTEST:
            failed.append(f"{member.label}: no time was left; the next attempt has more")
            continue
        member.stored.parent.mkdir(parents=True, exist_ok=True)
        settings = json.dumps(member.settings, sort_keys=True, separators=(",", ":"))  # the text goes into the record
        words = ["--settings", settings, "--sources", member.sources, "--threads", str(threads)]
        words += ["--run", str(member.stored), "--provenance", str(_provenance(member.stored))]
        log = member.stored.with_suffix(".log")
        with log.open("w") as stderr:
            done = subprocess.run(
                [sys.executable, str(train), *words, "--minutes", str(left)], stderr=stderr, check=False
            )
        if done.returncode or not is_stored(member):
            ended = done.returncode if done.returncode >= 0 else 128 - done.returncode
            failed.append(f"{member.label}: {_why(log, status=ended, settings=member.settings)}")
    return failed


def adopted(job: Job) -> bool:
    """Take a training job's record, its provenance and its log from the store; return whether they were there.

    Where LAGBENCH_PACKED says that nothing should train, a job that finds none there is a RuntimeError.
    """
    if job.run.parts[-7:-6] != (RUNS,):  # it trains into the store itself
        return False
    only, place = bool(os.environ.get("LAGBENCH_PACKED")), stored(job.run)
    log = place.with_suffix(".log")
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    found = _matches(place, settings=job.settings, sources=job.sources)
    if found or only:
        sys.stderr.write(text)
    if found:
        for source, target in ((_provenance(place), job.provenance), (place, job.run)):
            write_text(target, source.read_text(encoding="utf-8"))
        for path in (place, _provenance(place), log):  # only now: a kill before leaves the store as it was
            path.unlink(missing_ok=True)
    elif only:
        why = _why(log, status=0, settings=job.settings) if text else ""
        raise RuntimeError(why or "no pack has trained it: run the target `packed` first")
    return found


def _why(log: Path, *, status: int, settings: dict[str, Any]) -> str:
    from workflow.operations.failures import explained, last_line  # of no use to the many jobs that do not fail

    return explained(last_line(log), end=status, settings=settings)


def _provenance(record: Path) -> Path:
    return record.with_suffix(".provenance.json")


def _matches(record: Path, *, settings: dict[str, Any], sources: str) -> bool:
    if not (record.exists() and _provenance(record).exists()):
        return False
    made = json.loads(record.read_bytes())
    return bool(made["settings"] == settings and made["sources"] == sources)
