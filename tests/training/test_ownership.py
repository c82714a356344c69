"""Owner's files: one process at a time, and the rule for owners that are gone."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from training import ownership
from training.ownership import began, owning


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "GLANCE", 0.02)
    monkeypatch.setattr(ownership, "BEAT", 0.05)
    monkeypatch.setattr(ownership, "STALE", 0.6)


def write(path: Path, **owner: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(owner))


def test_an_owner_s_file_names_it_beats_and_goes_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "key" / "owner"
    with owning(path, say=print) as owner:
        assert json.loads(path.read_text()) == {
            "host": socket.gethostname(),
            "process": os.getpid(),
            "since": began(os.getpid()),
        }
        assert owner.holds()
        os.utime(path, (0, 0))
        time.sleep(0.3)
        assert path.stat().st_mtime > 0
    assert list(tmp_path.iterdir()) == []


def test_the_second_waits_for_the_first(tmp_path: Path) -> None:
    path, said, order = tmp_path / "key" / "owner", list[str](), list[str]()

    def second() -> None:
        with owning(path, say=said.append):
            order.append("second")

    waiting = threading.Thread(target=second)
    with owning(path, say=print):
        waiting.start()
        time.sleep(0.3)
        order.append("first")
    waiting.join(timeout=5)
    assert order == ["first", "second"]
    assert said == [f"{path}: process {os.getpid()} on {socket.gethostname()} trains this run; waiting for its end"]


def test_many_at_once_are_never_two(tmp_path: Path) -> None:
    path, inside, most = tmp_path / "key" / "owner", list[int](), list[int]()

    def one(number: int) -> None:
        with owning(path, say=lambda line: None):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.01)
            inside.remove(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert most == [1] * 8


def test_an_owner_whose_process_is_gone_is_stale_at_once(tmp_path: Path) -> None:
    path, said = tmp_path / "key" / "owner", list[str]()
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    write(path, host=socket.gethostname(), process=gone.pid, since="1")
    begun = time.monotonic()
    with owning(path, say=said.append) as owner:
        assert owner.holds()
    assert time.monotonic() - begun < 0.5
    assert said == [
        f"{path}: process {gone.pid} on {socket.gethostname()} trained this run and is gone; going on from what it left"
    ]


def test_another_process_of_the_same_number_is_not_the_owner(tmp_path: Path) -> None:
    path, said = tmp_path / "key" / "owner", list[str]()
    write(path, host=socket.gethostname(), process=os.getppid(), since="1")
    with owning(path, say=said.append):
        assert len(said) == 1


@pytest.mark.parametrize("content", ['{"host": "elsewhere", "process": 1, "since": "5"}', "", "{", "[1]"])
def test_one_of_another_host_is_stale_when_it_no_longer_beats(tmp_path: Path, content: str) -> None:
    path, said = tmp_path / "key" / "owner", list[str]()
    path.parent.mkdir()
    path.write_text(content)
    os.utime(path, (0, 0))  # the clocks of two hosts may differ: old is not yet stale
    begun = time.monotonic()
    with owning(path, say=said.append):
        assert 0.6 <= time.monotonic() - begun < 3
    assert len(said) == 2


def test_one_of_another_host_that_beats_is_waited_for(tmp_path: Path) -> None:
    path, over = tmp_path / "key" / "owner", threading.Event()
    write(path, host="elsewhere", process=1, since="5")

    def beat() -> None:
        for number in range(20):
            os.utime(path, (number, number))
            time.sleep(0.06)
        over.set()
        path.unlink()

    threading.Thread(target=beat).start()
    with owning(path, say=lambda line: None):
        assert over.is_set()


def test_an_owner_that_was_thought_dead_notices(tmp_path: Path) -> None:
    path = tmp_path / "key" / "owner"
    with owning(path, say=print) as owner:
        write(path, host="elsewhere", process=1, since="5")
        assert not owner.holds()
    assert json.loads(path.read_text())["host"] == "elsewhere"
