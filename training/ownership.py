"""Who trains a run: one process at a time, also on a file system that several machines share.

The owner's file names its host and process and is touched every few seconds while it lives. It is stale when its
process is gone from this host, or when whoever waits has not seen it touched for `STALE` seconds (by its own clock:
those of two machines may differ). An owner that was thought dead and comes back finds the file not its own.
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

BEAT = 10.0
"""Seconds between two touches."""
STALE = 120.0
"""Seconds without a touch after which an owner on another host is taken for dead: shared file systems tell late."""
GLANCE = 1.0
"""Seconds between two looks of one that waits."""


class Owner:
    """The owner's file of this process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def holds(self) -> bool:
        """Say whether the run is still this process's."""
        return _read(self.path) == _ourselves()


@contextmanager
def owning(path: Path, *, say: Callable[[str], None]) -> Iterator[Owner]:
    """Wait until nobody else owns the run whose owner's file is `path`, then own it; `say` gets a line if it waits."""
    watch, told = _Watch(path), False
    while not _taken(path):
        owner = _read(path)
        if owner is None:
            continue  # it has just gone
        if watch.is_stale(owner):
            if _broken(path, owner):
                say(f"{path}: {_name(owner)} trained this run and is gone; going on from what it left")
            continue
        if not told:
            say(f"{path}: {_name(owner)} trains this run; waiting for its end")
            told = True
        time.sleep(GLANCE)
    over = threading.Event()
    beating = threading.Thread(target=_beat, args=(path, over), daemon=True)
    beating.start()
    held = Owner(path)
    try:
        yield held
    finally:
        over.set()
        beating.join()
        if held.holds():
            path.unlink(missing_ok=True)
            for folder in path.parents[:2]:  # the run's and, of the last run, that of all
                with suppress(OSError):
                    folder.rmdir()


class _Watch:
    """Looks at an owner's file again and again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: tuple[object, float] | None = None
        self.since = 0.0

    def is_stale(self, owner: dict[str, Any]) -> bool:
        if owner.get("host") == socket.gethostname() and owner.get("process"):
            return began(owner["process"]) != owner.get("since")
        try:
            seen = (owner, self.path.stat().st_mtime)
        except FileNotFoundError:
            return False
        if seen != self.seen:
            self.seen, self.since = seen, time.monotonic()
        return time.monotonic() - self.since > STALE


def began(process: int) -> str | None:
    """Return when a process of this host began (in ticks since the host did), or None if it does not run."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _ourselves() -> dict[str, Any]:
    return {"host": socket.gethostname(), "process": os.getpid(), "since": began(os.getpid())}


def _name(owner: dict[str, Any]) -> str:
    return f"process {owner.get('process', 'unknown')} on {owner.get('host', 'an unknown host')}"


def _taken(path: Path) -> bool:
    """Make the owner's file; False if there is one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        opened = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except (FileExistsError, FileNotFoundError):  # not found: the last owner has just removed the folder
        return False
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        file.write(json.dumps(_ourselves()))
    return True


def _read(path: Path) -> dict[str, Any] | None:
    """Return what an owner's file says, nothing of one that is being written, or None if there is no file."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _broken(path: Path, owner: dict[str, Any]) -> bool:
    """Remove a stale owner's file, unless another process has done so and owns the run by now."""
    aside = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return False
    stale = _read(aside) == owner
    if not stale:  # the new owner's: give it back; should a third have taken the run, the second will notice
        with suppress(OSError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)
    return stale


def _beat(path: Path, over: threading.Event) -> None:
    while not over.wait(BEAT):
        with suppress(OSError):  # the disk is away for a moment, or somebody took the file
            os.utime(path)
