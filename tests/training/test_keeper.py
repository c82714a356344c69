"""When a training job keeps its state, and how it ends: by time, by signal, before its limit, without a disk."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from training import keeper
from training.checkpoint import Checkpoints
from training.keeper import FileKeeper, keeping
from training.state import State


def state(update: int) -> State:
    return State({"weights": np.arange(3.0)}, {"update": update, "updates": 9})


def training(kept: FileKeeper, *, updates: range, pause: float = 0.0) -> None:
    for update in updates:
        time.sleep(pause)
        kept.offer(lambda update=update: state(update))  # type: ignore[misc]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / ("a" * 64)


def last_update(folder: Path) -> int:
    found = Checkpoints(folder, key=folder.name).load(print)
    assert found is not None
    return int(found.rest["update"])


@contextmanager
def stopping(
    folder: Path,
    match: str,
    *,
    say: Callable[[str], None] = print,
    every: float = 1000,
    limit: float | None = None,
) -> Iterator[FileKeeper]:
    """A job that ends by an error, with a line that matches."""
    try:
        with keeping(folder, say=say, every=every, limit=limit) as kept:
            yield kept
    except RuntimeError as error:
        reason = str(error)
    else:
        pytest.fail("it did not stop")
    assert re.search(match, reason), reason
    assert reason.isprintable()


def test_it_keeps_a_state_when_the_interval_is_over_and_none_before(folder: Path) -> None:
    with keeping(folder, say=print, every=0.2) as kept:
        training(kept, updates=range(1, 4))
        assert not kept.checkpoints.last.exists()
        time.sleep(0.21)
        training(kept, updates=range(4, 6))
        assert last_update(folder) == 4
    assert not folder.parent.exists()  # all is recorded


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_update_with_its_state(folder: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    line = rf"^stopped by {number.name} after update 2 of 9; the next start goes on from there$"
    with stopping(folder, line) as kept:
        training(kept, updates=range(1, 2))
        os.kill(os.getpid(), number)
        assert signal.getsignal(number) is before  # a second one does what it always does
        training(kept, updates=range(2, 9))
    assert signal.getsignal(number) is before
    assert last_update(folder) == 2
    assert not (folder / "owner").exists()


def test_it_ends_before_its_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "MARGIN", 0.2)
    begun = time.monotonic()
    with stopping(folder, "^stopped by its time limit after update ", limit=0.5) as kept:
        training(kept, updates=range(1, 100), pause=0.02)
    assert 0.3 <= time.monotonic() - begun < 0.5
    assert last_update(folder) > 5


def test_the_next_goes_on_and_counts(folder: Path) -> None:
    with stopping(folder, "SIGTERM after update 3") as kept:
        kept.told = "SIGTERM"
        training(kept, updates=range(3, 4))
    said: list[str] = []
    with stopping(folder, "SIGTERM after update 5", say=said.append) as kept:
        found = kept.found()
        assert found is not None
        assert found.rest["update"] == 3
        assert said == ["going on after update 3 of 9, restart 1"]
        kept.processors = ["another"]
        kept.told = "SIGTERM"
        training(kept, updates=range(5, 6), pause=0.1)
    with keeping(folder, say=said.append, every=1000) as kept:
        kept.found()
        assert "; before: another: last bits may differ" in said[-2]
        assert said[-1] == "going on after update 5 of 9, restart 2"
        about = kept.provenance({"wall_seconds": 7.0})
        assert about["restarts"] == 2
        assert about["wall_seconds"] > 7.1
        assert about["processor"].startswith("another, ")


def test_without_room_on_the_disk_training_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with stopping(
        folder, r"could not be written \(\[Errno 28\] No space left on device\); the next", say=said.append, every=0
    ) as kept:
        training(kept, updates=range(1, 2))

        def full(number: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        training(kept, updates=range(2, 3))
        assert said == ["no checkpoint after update 2 of 9: [Errno 28] No space left on device; training goes on"]
        assert last_update(folder) == 1
        kept.told = "SIGTERM"
        training(kept, updates=range(3, 4))
    assert last_update(folder) == 1


def test_one_whose_run_was_taken_over_writes_nothing(folder: Path) -> None:
    with stopping(folder, "another process has taken this run over", say=print, every=0) as kept:
        training(kept, updates=range(1, 2))
        (folder / "owner").write_text('{"host": "elsewhere", "process": 1, "since": "5"}')
        training(kept, updates=range(2, 3))
    assert last_update(folder) == 1
