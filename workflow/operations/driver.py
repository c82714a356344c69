"""The Snakemake process that computes an experiment: one at a time on a host, and the locks of one that was killed go.

While it lives it holds a lock of the operating system's on a file of its host, .snakemake/drivers/<experiment>/<host>;
no kill leaves such a lock. So a process that gets it, and reads in the file that another did not come to its end, knows
that Snakemake's own locks on this experiment are dead. Of another host nothing is known but its file: the locks stay,
and a line says so, unless both were the same Slurm job, which Slurm starts again only once it is over.
"""

import atexit
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

FOLDER = Path(".snakemake", "drivers")


class OtherDriverError(RuntimeError):
    """Another Snakemake on this host computes the experiment."""


def drive(results: str, *, persistence: Callable[[], Any], host: str | None = None) -> list[str]:
    """Hold the lock file of the experiment whose results are in `results` to the end of this process.

    Return a line on dead locks, which Snakemake removes: `persistence` opens what it keeps of a folder. Where
    another process on this host holds the file it is an OtherDriverError; a file system without locks, or that cannot
    be written, is left to Snakemake.
    """
    path = FOLDER / Path(results).name / (host or socket.gethostname())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _read(path)
            if other.get("process") == os.getpid():
                return []
            who = f"process {other.get('process')}, since {other.get('since')}"
            message = f"{results}: Snakemake runs here already ({who}); nothing is lost: wait for it, or end it"
            raise OtherDriverError(message) from None
        lines = list(_release_dead_locks(results, path=path, persistence=persistence))
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        _write(file, json.dumps({"process": os.getpid(), "since": now, "job": os.environ.get("SLURM_JOB_ID")}))
        atexit.register(_write, file, "")
        return lines
    except OSError:
        return []


def require_folder(results: str) -> None:
    """Refuse a place of results that is, or lies below, a symbolic link to nowhere or a file: a ValueError."""
    for path in (Path(results), *Path(results).parents):
        if (path.is_symlink() or path.exists()) and not path.is_dir():
            what = f"a link to {os.readlink(path)}, which is not there" if path.is_symlink() else "a file"
            raise ValueError(f"{results}: expected {path} to be a folder; it is {what}")


def _release_dead_locks(results: str, *, path: Path, persistence: Callable[[], Any]) -> Iterator[str]:
    """Let Snakemake write its locks anew without those on files of the experiment, if all its drivers are dead."""
    unfinished = {file.name: driver for file in path.parent.iterdir() if (driver := _read(file))}
    locks = list(persistence()._read_locks())
    others = [(kind, key) for kind, key in locks if f"/{results}/" not in f"/{key}"]  # a prefix may come before
    if not unfinished or locks == others:
        return
    job = os.environ.get("SLURM_JOB_ID")
    for host, driver in unfinished.items():
        if host != path.name and (job is None or driver.get("job") != job):
            who = f"Snakemake on host {host} (process {driver.get('process')}, since {driver.get('since')})"
            what = f"if it does not run any more, remove {path.with_name(host)} and start again"
            yield f"{results}: {who} did not come to its end; {what}"
            return
    persistence().unlock()
    for lock_type in ("input", "output"):
        persistence()._write_locks(lock_type, [key for kind, key in others if kind == lock_type])
    for host in unfinished:
        if host != path.name:
            path.with_name(host).unlink(missing_ok=True)
    yield f"{results}: the Snakemake before this one was killed; its lock is removed"


def _read(path: Path) -> dict[str, Any]:
    try:
        driver = json.loads(path.read_text(encoding="utf-8") or "{}")
    except FileNotFoundError:
        return {}
    except ValueError:
        return {"process": "unknown"}  # killed while it wrote
    return driver if isinstance(driver, dict) else {}


def _write(file: TextIO, text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
