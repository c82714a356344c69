"""The Snakemake process that makes an experiment, and what one that was killed left behind.

While it lives it holds a lock of the operating system's on a file of its host, .snakemake/drivers/<experiment>/<host>;
no kill leaves such a lock. So one that gets it alone, and finds in the file that another did not come to its end, knows
that Snakemake's own locks on this experiment are dead, and removes them. Of another host nothing is known but its file:
the locks stay, and a line says so, unless both were the same Slurm job, which Slurm starts again only once it is over.

Runs that were finished after their Snakemake was killed or interrupted are booked as incomplete, and would be trained
again. Those whose record is whole and holds what is asked for are taken off Snakemake's books, whoever else is alive: a
record gets its name when it is complete.
"""

import atexit
import fcntl
import json
import os
import socket
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO


class IsBeingMade(RuntimeError):
    """Another Snakemake on this host makes the experiment."""


BOOKS = Path(".snakemake")
"""Snakemake's own folder, of the working directory."""


def drive(
    results: str,
    *,
    runs: Callable[[], Mapping[str, Mapping[str, Any]]],
    books: Path = BOOKS,
    host: str | None = None,
    alone: bool = False,
) -> list[str]:
    """Hold the lock of the experiment whose results are in `results` to the end of this process; say what was mended.

    `runs` tells per run record what it must hold; it is asked only where one is booked as incomplete. Where another
    process on this host holds the lock, `alone` makes it an IsBeingMade, of one line.
    """
    folder = books / "drivers" / Path(results).name
    own = folder / (host or socket.gethostname())
    lines: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = own.open("a+", encoding="utf-8")
        if _lock(file):
            lines += _unlock(results, own=own, books=books)
        elif alone and (other := _read(own)).get("process") != os.getpid():
            who = f"process {other.get('process')}, since {other.get('since')}"
            raise IsBeingMade(
                f"{results}: Snakemake runs here already ({who}); nothing is lost: wait for it, or end it"
            )
        _write(file, {"process": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S"), "job": _job()})
        fcntl.flock(file, fcntl.LOCK_SH)
        atexit.register(_end, file)
        if finished := _take_off_the_books(results, runs=runs, books=books):
            lines.append(f"{results}: runs that were finished without Snakemake's knowing are kept: {finished}")
    except OSError:  # no locks on this file system, or nothing can be written: Snakemake has its own line for that
        pass
    return lines


def require_folder(results: str) -> None:
    """Refuse a place of results that is, or lies below, a symbolic link to nowhere or a file: a ValueError."""
    for path in (Path(results), *Path(results).parents):
        if (path.is_symlink() or path.exists()) and not path.is_dir():
            what = f"a link to {os.readlink(path)}, which is not there" if path.is_symlink() else "a file"
            raise ValueError(f"{results}: expected {path} to be a folder; it is {what}")


def _lock(file: TextIO) -> bool:
    """Lock a file alone, or else together with those that hold it already; say which."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(file, fcntl.LOCK_SH)
        return False
    return True


def _end(file: TextIO) -> None:
    """Leave without a trace, if nobody else on this host makes the experiment."""
    try:
        if _lock(file):
            _write(file, {})
    except OSError:
        pass
    file.close()


def _unlock(results: str, *, own: Path, books: Path) -> Iterator[str]:
    left = {path.name: record for path in own.parent.iterdir() if (record := _read(path))}
    locks = [path for path in (books / "locks").glob("*.lock") if _is_of(path, results)]
    unknown = [
        name for name, session in left.items() if name != own.name and (_job() is None or session.get("job") != _job())
    ]
    if locks and unknown:
        host, session = unknown[0], left[unknown[0]]
        who = f"Snakemake on host {host} (process {session.get('process')}, since {session.get('since')})"
        what = f"if it does not run any more, remove {own.parent / host} and start again"
        yield f"{results}: {who} did not come to its end; {what}"
    elif locks and left:
        for path in [*locks, *(own.parent / name for name in left if name != own.name)]:
            path.unlink(missing_ok=True)
        yield f"{results}: the Snakemake before this one was killed; its lock is removed"


def _take_off_the_books(results: str, *, runs: Callable[[], Mapping[str, Mapping[str, Any]]], books: Path) -> int:
    """Remove Snakemake's marks of an incomplete run from those that are complete; return how many these are."""
    marks: dict[str, list[Path]] = {}
    for path, mark in _marks(books / "incomplete"):
        if path.startswith(f"{results}/"):
            marks.setdefault(path.removesuffix(".json").removesuffix(".provenance"), []).append(mark)
    count = 0
    for path, expected in runs().items() if marks else ():
        run_marks = marks.get(path.removesuffix(".json"))
        if run_marks and _is_whole(Path(path), expected):
            for mark in run_marks:
                mark.unlink(missing_ok=True)
            count += 1
    return count


def _marks(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield per mark the path that it is for, which its name encodes (in pieces, where it is too long for one)."""
    for mark in folder.rglob("*"):
        pieces = [piece.removeprefix("@") for piece in mark.relative_to(folder).parts]
        try:
            path = urlsafe_b64decode("".join(pieces)).decode()
        except ValueError:
            continue
        if mark.is_file():
            yield path, mark


def _is_whole(run: Path, expected: Mapping[str, Any]) -> bool:
    """Return whether a run has its provenance, and a record with the settings and of the code that are asked for."""
    if not run.with_suffix(".provenance.json").is_file():
        return False
    try:
        record = json.loads(run.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and all(record.get(name) == expected[name] for name in ("settings", "sources"))


def _is_of(lock: Path, results: str) -> bool:
    """Return whether a lock of Snakemake's names a file of the experiment, also under another workflow's prefix."""
    try:
        paths: Iterable[str] = lock.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(f"/{results}/" in f"/{path}" for path in paths)


def _job() -> str | None:
    return os.environ.get("SLURM_JOB_ID")


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8") or "{}")
    except FileNotFoundError:
        return {}
    except ValueError:
        return {"process": "unknown"}  # killed while it wrote
    return record if isinstance(record, dict) else {}


def _write(file: TextIO, record: Mapping[str, Any]) -> None:
    file.seek(0)
    file.truncate()
    if record:
        file.write(json.dumps(record))
    file.flush()
