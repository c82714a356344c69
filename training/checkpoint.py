"""Checkpoints: a training job's state on disk, whole or not at all, and never one that belongs to other numbers.

A file is one line of JSON (format, key, versions, size and SHA-256 of what follows), then a ZIP of NumPy arrays, the
first of which is the rest of the state as JSON text. No pickle is ever loaded. The file before the last is kept: where
the last is broken, training goes on from there.
"""

import hashlib
import importlib.metadata
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.state import State

FORMAT = 1
"""Changes whenever the state's layout does."""

HEADER_BYTES = 4096
"""More than the first line can have."""


DECISIVE = ("numpy", "torch", "numba")
"""Packages whose version may change the last bits of a number."""


class Checkpoints:
    """The checkpoints of one training job, the last and the one before, in a folder of their own.

    `key` is the hash of the settings and the code that determine the numbers: a checkpoint with another, or one that
    other versions of the libraries wrote, is not read.
    """

    def __init__(self, folder: Path, *, key: str) -> None:
        self.folder = folder
        self.key = key
        self.last = folder / "last.checkpoint"
        self.previous = folder / "previous.checkpoint"

    def save(self, state: State) -> None:
        """Write a state; a kill at any moment, or a full disk, leaves one whole checkpoint that was there before."""
        payload = packed(state)
        digest = hashlib.sha256(payload).hexdigest()
        header = {"format": FORMAT, "key": self.key, "versions": versions(), "bytes": len(payload), "sha256": digest}
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".draft.{os.getpid()}"
        try:
            with draft.open("wb") as file:
                file.write(json.dumps(header).encode() + b"\n" + payload)
                file.flush()
                os.fsync(file.fileno())
            if self.last.exists():
                os.replace(self.last, self.previous)
            os.replace(draft, self.last)
            _sync(self.folder)
        finally:
            draft.unlink(missing_ok=True)

    def load(self, say: Callable[[str], None]) -> State | None:
        """Return the last whole state of this job, or None; `say` gets a line for every file that cannot be used."""
        for path in (self.last, self.previous):
            try:
                return _read(path, key=self.key)
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                say(f"checkpoint {path} is not used: {error}")
        return None

    def remove(self) -> None:
        """Remove the checkpoints: the run is recorded."""
        for path in (self.last, self.previous, *self.folder.glob(".draft.*")):
            path.unlink(missing_ok=True)


def versions() -> dict[str, str | None]:
    """Return the versions of the libraries that decide the last bits, None for one that is not installed."""
    return {name: _version(name) for name in DECISIVE}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def packed(state: State) -> bytes:
    """Return a state as a ZIP of NumPy arrays, without times: equal states are equal bytes."""
    rest = np.frombuffer(json.dumps(state.rest).encode(), np.uint8)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, array in {"rest": rest, **state.arrays}.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getvalue())
    return target.getvalue()


def _read(path: Path, *, key: str) -> State:
    content = path.read_bytes()
    line, _, payload = content.partition(b"\n")
    try:
        header = json.loads(line[:HEADER_BYTES])
        found = {name: header[name] for name in ("format", "key", "versions", "bytes", "sha256")}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError("it has no header of a checkpoint") from None
    if found["format"] != FORMAT:
        raise ValueError(f"it has format {found['format']}, this version reads {FORMAT}")
    if found["key"] != key:
        raise ValueError("it belongs to a run with other settings or code")
    if found["versions"] != versions():
        raise ValueError(f"it was written under {_told(found['versions'])}; here are {_told(versions())}")
    size, digest = found["bytes"], found["sha256"]
    if len(payload) != size:
        raise ValueError(f"it is cut off: {len(payload)} of {size} bytes")
    if hashlib.sha256(payload).hexdigest() != digest:
        raise ValueError("its checksum is wrong")
    return unpacked(payload)


def unpacked(payload: bytes) -> State:
    """Return the state that `packed` made these bytes of."""
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        arrays = {
            name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
            for name in archive.namelist()
        }
    return State(arrays, json.loads(arrays.pop("rest").tobytes()))


def _told(found: object) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items()) if isinstance(found, dict) else str(found)


def _sync(folder: Path) -> None:
    """Make a rename survive a power failure, where the file system can."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(opened)
    except OSError:
        pass
    finally:
        os.close(opened)
