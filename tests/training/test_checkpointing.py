"""When a training job saves its state, and how it ends: by time, by signal, before its limit, without a disk."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.training.checkpointers import expect_stop
from training import checkpointing
from training.checkpoint import load_state
from training.checkpointing import FileCheckpointer, open_checkpointer
from training.replica import State


def state(update: int) -> State:
    return {"weights": np.arange(3.0), "update": update, "updates": 9}


def training(checkpointer: FileCheckpointer, *, updates: range, pause: float = 0.0) -> None:
    for update in updates:
        time.sleep(pause)
        checkpointer.offer(lambda update=update: state(update))  # type: ignore[misc]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / ("a" * 64)


def last_update(folder: Path) -> int:
    loaded = load_state(folder, print)
    assert loaded is not None
    return int(loaded["update"])


def test_it_keeps_a_state_when_the_interval_is_over_and_none_before(folder: Path) -> None:
    with open_checkpointer(folder, log=print, every=0.2) as checkpointer:
        training(checkpointer, updates=range(1, 4))
        assert not (folder / "last.checkpoint").exists()
        time.sleep(0.21)
        training(checkpointer, updates=range(4, 6))
        assert last_update(folder) == 4
    assert not folder.parent.exists()  # all is recorded


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_update_with_its_state(folder: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    line = rf"^stopped by {number.name} after update 2 of 9; the next start continues from there$"
    with expect_stop(folder, line) as checkpointer:
        assert signal.getsignal(number) is before  # what asks for no state is ended at once
        assert checkpointer.load() is None
        training(checkpointer, updates=range(1, 2))
        os.kill(os.getpid(), number)
        assert signal.getsignal(number) is before  # a second one does what it always does
        training(checkpointer, updates=range(2, 9))
    assert signal.getsignal(number) is before
    assert last_update(folder) == 2
    assert not (folder / "lock").exists()


def test_it_ends_before_its_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpointing, "MARGIN", 0.2)
    begun = time.monotonic()
    with expect_stop(folder, "^stopped by its time limit after update ", limit=0.5) as checkpointer:
        training(checkpointer, updates=range(1, 100), pause=0.02)
    assert 0.3 <= time.monotonic() - begun < 0.5
    assert last_update(folder) > 5


def test_the_next_goes_on_and_counts(folder: Path) -> None:
    with expect_stop(folder, "SIGTERM after update 3") as checkpointer:
        checkpointer.signal = "SIGTERM"
        training(checkpointer, updates=range(3, 4))
    logged: list[str] = []
    with expect_stop(folder, "SIGTERM after update 5", log=logged.append) as checkpointer:
        loaded = checkpointer.load()
        assert loaded is not None
        assert loaded["update"] == 3
        assert logged == ["continuing after update 3 of 9, restart 1"]
        checkpointer.processors = ["another"]
        checkpointer.signal = "SIGTERM"
        training(checkpointer, updates=range(5, 6), pause=0.1)
    with open_checkpointer(folder, log=logged.append, every=1000) as checkpointer:
        checkpointer.load()
        assert "; before: another: last bits may differ" in logged[-2]
        assert logged[-1] == "continuing after update 5 of 9, restart 2"
        provenance = checkpointer.extend_provenance({"wall_seconds": 7.0})
        assert provenance["restarts"] == 2
        assert provenance["wall_seconds"] > 7.1
        assert provenance["processor"].startswith("another, ")


def test_without_room_on_the_disk_training_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    with expect_stop(
        folder,
        r"could not be written \(\[Errno 28\] No space left on device: .*\); the next",
        log=logged.append,
        every=0,
    ) as checkpointer:
        training(checkpointer, updates=range(1, 2))

        def full(number: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        training(checkpointer, updates=range(2, 3))
        (line,) = logged
        assert line.startswith("no checkpoint after update 2 of 9: [Errno 28] No space left on device: ")
        assert last_update(folder) == 1
        checkpointer.signal = "SIGTERM"
        training(checkpointer, updates=range(3, 4))
    assert last_update(folder) == 1


def test_one_whose_run_was_taken_over_writes_nothing(folder: Path) -> None:
    with expect_stop(folder, "another process has taken this run over", log=print, every=0) as checkpointer:
        training(checkpointer, updates=range(1, 2))
        (folder / "lock").write_text('{"host": "elsewhere", "process": 1, "since": "5"}')
        training(checkpointer, updates=range(2, 3))
    assert last_update(folder) == 1
