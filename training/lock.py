"""The lock of a run: one process trains it at a time, also on a file system that several machines share.

The lock file names the host and process of its holder, which touches it every few seconds (its heartbeat). It is stale
when its process is gone from this host, or when whoever waits has not seen it touched for `STALE` seconds (by its own
clock: those of two machines may differ). A holder that was thought dead and comes back finds the lock not its own.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

HEARTBEAT = 10.0
"""Seconds between two touches."""
STALE = 120.0
"""Seconds without a touch after which a holder on another host counts as dead: shared file systems show it late."""
POLL = 1.0
"""Seconds between two looks of a process that waits."""


class Lock:
    """A lock file that this process holds, unless another one took it over."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_held(self) -> bool:
        """Return whether the lock is still this process's."""
        return _read_holder(self.path) == _describe_this_process()


@contextmanager
def hold_lock(path: Path, *, log: Callable[[str], None]) -> Iterator[Lock]:
    """Wait until nobody else holds the lock file `path`, then hold it; `log` gets a line if it waits."""
    while not _acquire(path):
        _wait(path, log=log)
    released = threading.Event()
    heartbeat = threading.Thread(target=_keep_touching, args=(path, released), daemon=True)
    heartbeat.start()
    lock = Lock(path)
    try:
        yield lock
    finally:
        released.set()
        heartbeat.join()
        if lock.is_held():
            path.unlink(missing_ok=True)
            for folder in path.parents[:2]:  # the run's and, of the last run, that of all
                with suppress(OSError):
                    folder.rmdir()


def start_of(process: int) -> str | None:
    """Return when a process of this host began (in ticks since the host did), or None if it does not run.

    Ticks, because times by the clock (as psutil's) change when the clock is set: a holder would seem dead.
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _wait(path: Path, *, log: Callable[[str], None]) -> None:
    """Wait until a lock file has gone, and remove it when it is stale."""
    last, since, is_logged = None, time.monotonic(), False
    while (holder := _read_holder(path)) is not None:
        with suppress(FileNotFoundError):
            sighting = (holder, path.stat().st_mtime)
            if sighting != last:
                last, since = sighting, time.monotonic()
        name = f"process {holder.get('process', 'unknown')} on {holder.get('host', 'an unknown host')}"
        if holder.get("host") == socket.gethostname() and holder.get("process"):
            is_stale = start_of(holder["process"]) != holder.get("since")
        else:
            is_stale = time.monotonic() - since > STALE
        if is_stale:
            if _break_lock(path, holder):
                log(f"{path}: {name} trained this run and is gone; continuing from what it left")
            return
        if not is_logged:
            log(f"{path}: {name} trains this run; waiting for its end")
            is_logged = True
        time.sleep(POLL)


def _describe_this_process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "process": os.getpid(), "since": start_of(os.getpid())}


def _acquire(path: Path) -> bool:
    """Create the lock file; False if there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(_describe_this_process()))
    except (FileExistsError, FileNotFoundError):  # not found: the last holder has just removed the folder
        return False
    return True


def _read_holder(path: Path) -> dict[str, Any] | None:
    """Return what a lock file holds, nothing of one that is being written, or None if there is no file."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _break_lock(path: Path, holder: dict[str, Any]) -> bool:
    """Remove a stale lock file, unless another process has done so and holds the lock by now."""
    aside = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return False
    is_stale = _read_holder(aside) == holder
    if not is_stale:  # the new holder's: give it back; should a third have taken the lock, the second will notice
        with suppress(OSError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)
    return is_stale


def _keep_touching(path: Path, released: threading.Event) -> None:
    while not released.wait(HEARTBEAT):
        with suppress(OSError):  # the disk is away for a moment, or somebody took the file
            os.utime(path)
