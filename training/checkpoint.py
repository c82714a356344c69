"""Checkpoints: a training job's state on disk, whole or not at all, and never one that belongs to other numbers.

A file is one line of JSON (format, key, versions, size and SHA-256 of what follows), then NumPy arrays as `numpy.savez`
writes them, one of which holds the scalars as JSON text. No pickle is ever loaded. The file before the last is kept:
where the last is broken, training continues from there.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from records.writing import write_bytes
from training.provenance import package_version
from training.state import State

FORMAT = 2
"""Changes whenever the state's layout does."""

HEADER_BYTES = 4096
"""More than the first line can have."""

DECISIVE = ("numpy", "torch", "numba")
"""Packages whose version may change the last bits of a number."""


class Checkpoints:
    """The checkpoints of one training job, the last and the one before, in a folder of their own.

    `key` is the hash of the settings and the code that determine the numbers: a checkpoint with another, or one that
    other versions of the libraries wrote, is not loaded.
    """

    def __init__(self, folder: Path, *, key: str) -> None:
        self.folder = folder
        self.key = key
        self.last = folder / "last.checkpoint"
        self.previous = folder / "previous.checkpoint"

    def save(self, state: State) -> None:
        """Write a state; a kill at any moment, or a full disk, leaves one whole checkpoint that was there before."""
        payload = pack(state)
        digest = hashlib.sha256(payload).hexdigest()
        header = {"format": FORMAT, "key": self.key, "versions": versions(), "bytes": len(payload), "sha256": digest}
        draft = self.folder / ".draft"
        write_bytes(draft, json.dumps(header).encode() + b"\n" + payload)
        if self.last.exists():
            os.replace(self.last, self.previous)
        os.replace(draft, self.last)

    def load(self, log: Callable[[str], None]) -> State | None:
        """Return the last whole state of this job, or None; `log` gets a line for every file that cannot be used."""
        for path in (self.last, self.previous):
            try:
                return _load(path, key=self.key)
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                log(f"checkpoint {path} is not used: {error}")
        return None

    def remove(self) -> None:
        """Remove the checkpoints: the run is recorded."""
        for path in (self.last, self.previous, *self.folder.glob(".*draft*")):
            path.unlink(missing_ok=True)


def versions() -> dict[str, str | None]:
    """Return the versions of the libraries that decide the last bits, None for one that is not installed."""
    return {name: package_version(name) for name in DECISIVE}


def pack(state: State) -> bytes:
    """Return a state as the bytes of an .npz file without times: equal states are equal bytes."""
    scalars: Any = np.frombuffer(json.dumps(state.scalars).encode(), np.uint8)
    target, arrays = io.BytesIO(), {"scalars": scalars, **state.arrays}
    np.savez(target, allow_pickle=False, **arrays)
    return target.getvalue()


def unpack(payload: bytes) -> State:
    """Return the state that `pack` turned into these bytes."""
    with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
        arrays = dict(archive)
    return State(arrays, json.loads(arrays.pop("scalars").tobytes()))


def _load(path: Path, *, key: str) -> State:
    content = path.read_bytes()
    line, _, payload = content.partition(b"\n")
    try:
        header = json.loads(line[:HEADER_BYTES])
        header = {name: header[name] for name in ("format", "key", "versions", "bytes", "sha256")}
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError("it has no header of a checkpoint") from None
    if header["format"] != FORMAT:
        raise ValueError(f"it has format {header['format']}, this version reads {FORMAT}")
    if header["key"] != key:
        raise ValueError("it belongs to a run with other settings or code")
    if header["versions"] != versions():
        raise ValueError(f"it was written under {_list(header['versions'])}; here are {_list(versions())}")
    if len(payload) != header["bytes"]:
        raise ValueError(f"it is cut off: {len(payload)} of {header['bytes']} bytes")
    if hashlib.sha256(payload).hexdigest() != header["sha256"]:
        raise ValueError("its checksum is wrong")
    return unpack(payload)


def _list(packages: object) -> str:
    return ", ".join(f"{k} {v}" for k, v in packages.items()) if isinstance(packages, Mapping) else str(packages)
