"""Lock files: one process at a time, and the rule for holders that are gone."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from training import lock
from training.lock import hold_lock, start_of


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "POLL", 0.02)
    monkeypatch.setattr(lock, "HEARTBEAT", 0.05)
    monkeypatch.setattr(lock, "STALE", 0.6)


def write(path: Path, **holder: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(holder))


def test_a_lock_file_names_its_holder_beats_and_goes_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "key" / "lock"
    with hold_lock(path, log=print) as held:
        assert json.loads(path.read_text()) == {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": start_of(os.getpid()),
        }
        assert held.is_held()
        os.utime(path, (0, 0))
        time.sleep(0.3)
        assert path.stat().st_mtime > 0
    assert list(tmp_path.iterdir()) == []


def test_the_second_waits_for_the_first(tmp_path: Path) -> None:
    path, logged, order = tmp_path / "key" / "lock", list[str](), list[str]()

    def second() -> None:
        with hold_lock(path, log=logged.append):
            order.append("second")

    waiting = threading.Thread(target=second)
    with hold_lock(path, log=print):
        waiting.start()
        time.sleep(0.3)
        order.append("first")
    waiting.join(timeout=5)
    assert order == ["first", "second"]
    assert logged == [f"{path}: process {os.getpid()} on {socket.gethostname()} trains this run; waiting for its end"]


def test_many_at_once_are_never_two(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "key" / "lock", list[int](), list[int]()

    def hold_for_a_moment(number: int) -> None:
        with hold_lock(path, log=lambda line: None):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.01)
            inside.remove(number)

    threads = [threading.Thread(target=hold_for_a_moment, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert most == [1] * 8


def test_a_lock_whose_process_is_gone_is_stale_at_once(tmp_path: Path) -> None:
    path, logged = tmp_path / "key" / "lock", list[str]()
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    write(path, host=socket.gethostname(), process=gone.pid, since="1")
    started = time.monotonic()
    with hold_lock(path, log=logged.append) as held:
        assert held.is_held()
    assert time.monotonic() - started < 0.5
    assert logged == [
        f"{path}: process {gone.pid} on {socket.gethostname()} trained this run and is gone; "
        "continuing from what it left"
    ]


def test_another_process_of_the_same_number_is_not_the_holder(tmp_path: Path) -> None:
    path, logged = tmp_path / "key" / "lock", list[str]()
    write(path, host=socket.gethostname(), process=os.getppid(), since="1")
    with hold_lock(path, log=logged.append):
        assert len(logged) == 1


@pytest.mark.parametrize("content", ['{"host": "elsewhere", "process": 1, "since": "5"}', "", "{", "[1]"])
def test_one_of_another_host_is_stale_when_it_no_longer_beats(tmp_path: Path, content: str) -> None:
    path, logged = tmp_path / "key" / "lock", list[str]()
    path.parent.mkdir()
    path.write_text(content)
    os.utime(path, (0, 0))  # the clocks of two hosts may differ: old is not yet stale
    started = time.monotonic()
    with hold_lock(path, log=logged.append):
        assert 0.6 <= time.monotonic() - started < 3
    assert len(logged) == 2


def test_one_of_another_host_that_beats_is_waited_for(tmp_path: Path) -> None:
    path, over = tmp_path / "key" / "lock", threading.Event()
    write(path, host="elsewhere", process=1, since="5")

    def beat() -> None:
        for number in range(20):
            os.utime(path, (number, number))
            time.sleep(0.06)
        over.set()
        path.unlink()

    threading.Thread(target=beat).start()
    with hold_lock(path, log=lambda line: None):
        assert over.is_set()


def test_a_holder_that_was_thought_dead_notices(tmp_path: Path) -> None:
    path = tmp_path / "key" / "lock"
    with hold_lock(path, log=print) as held:
        write(path, host="elsewhere", process=1, since="5")
        assert not held.is_held()
    assert json.loads(path.read_text())["host"] == "elsewhere"
