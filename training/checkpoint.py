"""Checkpoints: a training job's state on disk, whole or not at all, and never one that belongs to other numbers.

A file is one line of JSON (what it belongs to, and the SHA-256 of what follows), then NumPy arrays as `numpy.savez`
writes them, one of which holds everything else as JSON text. No pickle is ever loaded. The file before the last is
kept: where the last is broken, training continues from there.
"""

import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from records.writing import write_bytes
from training.provenance import package_version
from training.replica import State

MISMATCHES = {
    "format": "it has another format",
    "key": "it belongs to a run with other settings or code",
    "versions": "it was written under other versions of the libraries",
}
"""What another value of the header means."""

FORMAT = 3
"""Changes whenever the state's layout does."""

HEADER_BYTES = 4096
"""More than the first line can have."""

DECISIVE = ("numpy", "torch", "numba")
"""Packages whose version may change the last bits of a number."""


LAST, PREVIOUS, DRAFT = "last.checkpoint", "previous.checkpoint", "draft.checkpoint"
"""The files in the folder of a job, which is named after its key: the hash of its settings and code."""


def save_state(state: State, folder: Path) -> None:
    """Write a state; a kill at any moment, or a full disk, leaves one whole checkpoint that was there before."""
    payload = pack(state)
    header = {**_describe_job(folder), "sha256": hashlib.sha256(payload).hexdigest()}
    write_bytes(folder / DRAFT, json.dumps(header).encode() + b"\n" + payload)
    if (folder / LAST).exists():
        os.replace(folder / LAST, folder / PREVIOUS)
    os.replace(folder / DRAFT, folder / LAST)


def load_state(folder: Path, log: Callable[[str], None]) -> State | None:
    """Return the last whole state of the folder's job, or None; `log` gets a line for every file that is not used.

    A file of a job with another key, or that other versions of the libraries wrote, is not used.
    """
    for path in (folder / LAST, folder / PREVIOUS):
        try:
            return _read_state(path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            log(f"checkpoint {path} is not used: {error}")
    return None


def remove_states(folder: Path) -> None:
    """Remove the checkpoints: the run is recorded."""
    for path in folder.glob("*.checkpoint*"):
        path.unlink(missing_ok=True)


def pack(state: State) -> bytes:
    """Return a state as the bytes of an .npz file without times: equal states are equal bytes."""
    arrays: list[np.ndarray] = []

    def add_array(value: Any) -> dict[str, int]:
        arrays.append(np.asarray(value.cpu() if isinstance(value, torch.Tensor) else value))
        return {"array": len(arrays) - 1}

    text = json.dumps(state, default=add_array)
    target = io.BytesIO()
    np.savez(target, *arrays, state=np.frombuffer(text.encode(), np.uint8), allow_pickle=False)
    return target.getvalue()


def unpack(payload: bytes) -> State:
    """Return the state that `pack` turned into these bytes, with tensors for its arrays."""
    with np.load(io.BytesIO(payload), allow_pickle=False) as archive:

        def restore_array(part: dict[str, Any]) -> Any:
            return torch.from_numpy(archive[f"arr_{part['array']}"]) if part.keys() == {"array"} else part

        state: State = json.loads(archive["state"].tobytes(), object_hook=restore_array)
    return state


def _read_state(path: Path) -> State:
    line, _, payload = path.read_bytes().partition(b"\n")
    try:
        header = dict(json.loads(line[:HEADER_BYTES]))
    except (ValueError, TypeError, RecursionError):
        raise ValueError("it has no header of a checkpoint") from None
    for name, expected in _describe_job(path.parent).items():
        if header.get(name) != expected:
            raise ValueError(f"{MISMATCHES[name]}: expected {expected}; came: {header.get(name)}")
    if hashlib.sha256(payload).hexdigest() != header.get("sha256"):
        raise ValueError("its checksum is wrong: it is damaged or cut off")
    return unpack(payload)


def _describe_job(folder: Path) -> dict[str, Any]:
    versions = {name: package_version(name) for name in DECISIVE}
    return {"format": FORMAT, "key": folder.name, "versions": versions}
