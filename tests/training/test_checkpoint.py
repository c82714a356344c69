"""Checkpoints: what comes back, and what is not used: cut off, corrupted, foreign, of another version or format."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from training import checkpoint
from training.checkpoint import LAST, PREVIOUS, load_state, remove_states, save_state
from training.replica import State


def state(update: int) -> State:
    arrays = {"weights": np.arange(6.0).reshape(2, 3) / 7 + update, "half": np.array([np.nan, np.inf], dtype="float32")}
    more = {
        "streams": [{"state": 2**127 + 1}],
        "moments": {"mean": torch.tensor([0.5])},
        "loss": 0.1 + 0.2,
        "none": None,
    }
    return {"update": update, **arrays, **more}


def same(loaded: State | None, update: int) -> bool:
    return loaded is not None and checkpoint.pack(loaded) == checkpoint.pack(state(update))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Two checkpoints, of updates 1 and 2."""
    folder = tmp_path / ("a" * 64)
    save_state(state(1), folder)
    save_state(state(2), folder)
    return folder


def test_what_was_saved_comes_back_to_the_bit(saved: Path) -> None:
    logged: list[str] = []
    loaded = load_state(saved, logged.append)
    assert same(loaded, 2)
    assert loaded is not None
    assert loaded["streams"][0]["state"] == 2**127 + 1
    assert loaded["half"].dtype == torch.float32
    assert loaded["moments"]["mean"].tolist() == [0.5]
    assert logged == []
    assert load_state(saved.with_name("other"), logged.append) is None
    assert logged == []


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    place = content.index(b"\n") + 200
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def with_header(**changes: object) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        line, _, payload = content.partition(b"\n")
        return json.dumps(json.loads(line) | changes).encode() + b"\n" + payload

    return change


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: b"", "it has no header of a checkpoint"),
        (lambda content: b"\x00" * len(content), "it has no header of a checkpoint"),
        (lambda content: content[:50], "it has no header of a checkpoint"),
        (lambda content: pickle.dumps({"update": 2}), "it has no header of a checkpoint"),
        (cut, "its checksum is wrong"),
        (lambda content: content + b"x", "its checksum is wrong"),
        (flipped, "its checksum is wrong"),
        (lambda content: b'"text"\n', "it has no header of a checkpoint"),
        (with_header(format=0), "it has another format: expected 3; came: 0"),
        (with_header(key="b" * 64), "it belongs to a run with other settings or code: expected aaaa"),
        (with_header(versions={"torch": "1.0"}), "it was written under other versions of the libraries: expected {"),
        (with_header(sha256="0" * 64), "its checksum is wrong"),
    ],
)
def test_a_damaged_or_foreign_one_gives_a_line_and_the_one_before(
    saved: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    (saved / LAST).write_bytes(damage((saved / LAST).read_bytes()))
    logged: list[str] = []
    assert same(load_state(saved, logged.append), 1)
    assert len(logged) == 1
    assert logged[0].startswith(f"checkpoint {saved / LAST} is not used: {reason}")
    assert logged[0].isprintable()
    (saved / PREVIOUS).write_bytes(damage((saved / PREVIOUS).read_bytes()))
    assert load_state(saved, logged.append) is None
    assert len(logged) == 3


def test_a_header_without_end_is_not_read_to_its_end(saved: Path) -> None:
    (saved / LAST).write_bytes(b"[" * 10_000_000)
    logged: list[str] = []
    assert same(load_state(saved, logged.append), 1)
    assert "it has no header" in logged[0]


def test_arrays_of_objects_are_never_unpickled(saved: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved when allow_pickle=False"):
        save_state({"evil": np.array([print], dtype=object)}, saved)
    assert same(load_state(saved, print), 2)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["write", "fsync", "draft", "first replace", "second replace", "after"])
def test_a_kill_at_any_moment_of_a_save_leaves_a_whole_one(
    saved: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, calls = os.replace, iter(["draft", "first replace", "second replace"])

    def fsync(number: int) -> None:
        if moment == "fsync":
            raise Killed

    def replaced(loaded: Path, other: Path) -> None:
        if next(calls) == moment:
            raise Killed
        replace(loaded, other)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replaced)
    if moment == "write":
        draft = saved / f".draft.checkpoint.host.{os.getpid() + 1}"
        draft.write_bytes((saved / LAST).read_bytes()[:300])
    elif moment == "after":
        save_state(state(3), saved)
    else:
        with pytest.raises(Killed):
            save_state(state(3), saved)
    logged: list[str] = []
    assert same(load_state(saved, logged.append), {"after": 3, "second replace": 2}.get(moment, 2))
    assert logged == []
    remove_states(saved)
    assert list(saved.iterdir()) == []
