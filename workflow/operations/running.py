"""Whether a job runs at this moment, also on another machine: read from what it touches while it lives."""

import json
import os
import socket
import time
from pathlib import Path

from records.log import REASON
from records.paths import CHECKPOINTS, compute_key
from workflow.jobs.requested import Request
from workflow.operations.failures import read_end

FRESH = 120.0
"""Seconds without a sign of life after which a job is taken for dead; caches of shared file systems are late."""


def is_running(request: Request, *, results: str, log: Path) -> bool:
    """Return whether the job of a record that is not there is at work.

    A job that trains, a measuring one too, holds a lock file that it touches every few seconds; of another kind of job,
    and of one that has not come that far, the log must be younger than `FRESH` and not end with a reason why it failed.
    """
    lock = checkpoint_folder(request, results=results) / "lock"
    age = _age(lock)
    if age is not None:
        return age < FRESH and not _is_gone(lock)
    age = _age(log)
    return age is not None and age < FRESH and not _has_ended(log)


def checkpoint_folder(request: Request, *, results: str) -> Path:
    """Return the folder of the checkpoints of a job that trains."""
    return Path(results, CHECKPOINTS, compute_key(request.settings, sources=request.sources))


def _has_ended(log: Path) -> bool:
    end = read_end(log)
    return bool(end.status) or end.line.startswith(REASON)


def _age(path: Path) -> float | None:
    """Return how long ago a file was touched, in seconds, or None if there is none."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return None


def _is_gone(lock: Path) -> bool:
    """Return whether the lock's holder, on this host, is no more."""
    try:
        content = json.loads(lock.read_text(encoding="utf-8"))
        host, process = content["host"], int(content["process"])
    except (OSError, ValueError, TypeError, KeyError):
        return False
    if host != socket.gethostname():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
