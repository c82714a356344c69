"""A Snakemake that was killed: its lock goes if it is provably dead, and what was finished stays finished."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.settings import TINY_RUNS
from tests.workflow.conftest import Tree, copy_tree
from tests.workflow.test_rules import import_as_module
from workflow.operations.driver import IsBeingMade, drive, require_folder

ROOT = Path(__file__).resolve().parents[2]
RESULTS = "results/tiny"
LOCKS = Path(".snakemake/locks")
HOLDER = """
import subprocess, sys, time
from workflow.operations.driver import drive
said = drive("results/tiny", runs=dict)
subprocess.Popen(["sleep", "60"])
print(said, flush=True)
time.sleep(60)
"""
RUN = f"{RESULTS}/runs/cpu/copy/lag=11/rnn/full/seeds=0-2.json"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    LOCKS.mkdir(parents=True)
    (LOCKS / "0.output.lock").write_text(f"{RUN}\n{RESULTS}/summary.csv\n")
    (LOCKS / "1.output.lock").write_text("results/tiny2/summary.csv\nnotes/results/tinyest.csv\n")
    return tmp_path


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    """A process that makes the experiment, with a job of its own, in a process group that ends with the test."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "[]\n"
    yield holder
    with suppress(ProcessLookupError):  # the test has ended it
        os.killpg(holder.pid, signal.SIGKILL)
    holder.communicate()


def take_over(*, host: str | None = None) -> str:
    """Start another one, and return what it says; it ends at once."""
    code = (
        f'from workflow.operations.driver import drive; print(*drive("{RESULTS}", runs=dict, host={host!r}), sep="\\n")'
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def locks() -> list[str]:
    return sorted(path.name for path in LOCKS.iterdir())


def test_lock_of_a_killed_driver_goes_though_its_job_still_runs(holder):
    holder.kill()
    holder.wait()
    assert take_over() == f"{RESULTS}: the Snakemake before this one was killed; its lock is removed\n"
    assert locks() == ["1.output.lock"]
    (LOCKS / "0.output.lock").write_text(RUN)
    assert take_over() == "\n"  # the one before came to its end: whose lock this is nobody knows
    assert locks() == ["0.output.lock", "1.output.lock"]


def test_lock_of_a_living_driver_stays(holder):
    assert take_over() == "\n"
    assert len(locks()) == 2
    holder.kill()
    holder.wait()
    assert "its lock is removed" in take_over()


def test_make_is_refused_in_one_line_while_another_snakemake_lives(holder):
    with pytest.raises(IsBeingMade, match=rf"\(process {holder.pid}, since [^)]+\); nothing is lost: [^\n]+$"):
        drive(RESULTS, runs=dict, alone=True)
    assert len(locks()) == 2
    assert str(holder.pid) in next(Path(".snakemake/drivers/tiny").iterdir()).read_text()


def test_results_below_a_link_to_nowhere_are_refused(folder):
    require_folder(RESULTS)
    Path("results").symlink_to("nowhere")
    with pytest.raises(ValueError, match=r"^results/tiny: expected results to be a folder; it is a link to nowhere"):
        require_folder(RESULTS)
    (folder / "nowhere").mkdir()
    require_folder(RESULTS)


def test_lock_of_another_host_stays_and_a_line_says_what_to_do(holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    (left,) = Path(".snakemake/drivers/tiny").iterdir()
    output = take_over(host="elsewhere")
    assert output.startswith(f"{RESULTS}: Snakemake on host {left.name} (process {holder.pid}, since ")
    assert output.endswith(f"if it does not run any more, remove {left} and start again\n")
    assert len(output.splitlines()) == 1
    assert len(locks()) == 2


def test_slurm_job_that_starts_again_on_another_host_takes_over(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    left = Path(".snakemake/drivers/tiny/elsewhere")
    left.parent.mkdir(parents=True)
    left.write_text(json.dumps({"process": 1, "since": "then", "job": "8"}))
    assert "on host elsewhere" in take_over()
    left.write_text(json.dumps({"process": 1, "since": "then", "job": "7"}))
    assert "its lock is removed" in take_over()
    assert not left.exists()


def test_locks_of_an_unknown_owner_stay():
    assert drive(RESULTS, runs=dict) == []
    assert len(locks()) == 2


def test_file_system_without_locks_is_left_to_snakemake(folder, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("workflow.operations.driver.fcntl.flock", refuse)
    assert drive(RESULTS, runs=dict) == []
    assert len(locks()) == 2


def test_only_a_whole_run_of_the_asked_settings_is_taken_off_the_books():
    request = {
        name: {"settings": {"lag": 2}, "sources": "s", "seeds": [0]} for name in ("whole", "other", "bare", "torn")
    }
    incomplete = Path(".snakemake/incomplete")
    incomplete.mkdir()
    for name in request:
        for file in (f"{RESULTS}/runs/{name}.json", f"{RESULTS}/runs/{name}.provenance.json"):
            (incomplete / urlsafe_b64encode(file.encode()).decode()).write_text("{}")
    long = incomplete / "@eA"
    long.mkdir()
    (long / "unreadable!").touch()
    runs = Path(RESULTS, "runs")
    runs.mkdir(parents=True)
    for name, sources in (("whole", "s"), ("other", "t"), ("bare", "s")):
        (runs / f"{name}.json").write_text(json.dumps({"settings": {"lag": 2}, "sources": sources}))
    (runs / "torn.json").write_text('{"settings": {"lag"')
    for name in ("whole", "other", "torn"):
        (runs / f"{name}.provenance.json").touch()
    output = drive(RESULTS, runs=lambda: {f"{RESULTS}/runs/{name}.json": group for name, group in request.items()})
    assert output == [f"{RESULTS}: runs that were finished without Snakemake's knowing are kept: 1"]
    assert len([path for path in incomplete.iterdir() if path.is_file()]) == 2 * 3
    assert not list(incomplete.glob(urlsafe_b64encode(f"{RESULTS}/runs/whole.json".encode()).decode()))


# Snakemake itself, in the middle of a tiny experiment

COUNTED = """process.limit_threads("""
COUNTING = """import os, time
    with open("started", "a") as starts:
        starts.write(f"{job.label} {os.getpid()}\\n")
    time.sleep(2)
    process.limit_threads("""


@pytest.fixture(scope="module")
def undisturbed(pristine: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = copy_tree(pristine.root, tmp_path_factory.mktemp("undisturbed") / "tree")
    tree.snakemake("--cores", "2", "results/tiny/summary.csv")
    return tree


@pytest.fixture
def slow(fresh: Tree) -> Tree:
    """A tree whose training jobs take their time and leave a line when they begin."""
    fresh.edit("workflow/scripts/job.py", COUNTED, COUNTING)
    return fresh


def start(tree: Tree) -> subprocess.Popen[bytes]:
    """Start the tiny experiment in a process group of its own."""
    words = ("-m", "snakemake", "--cores", "2", "results/tiny/summary.csv", "--configfile", "tiny.yaml")
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=tree.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def starts(tree: Tree) -> list[str]:
    file = tree.root / "started"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


def wait_for(condition: Callable[[], bool], *, driver: subprocess.Popen[bytes], seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        assert not driver.poll(), "it failed before that"
        time.sleep(0.1)


def records(tree: Tree) -> dict[str, bytes]:
    actual = {
        str(path.relative_to(tree.root)): path.read_bytes() for path in (tree.root / RESULTS).rglob("seeds=*.json")
    }
    return {name: text for name, text in actual.items() if "provenance" not in name}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL", "SIGKILL of all"])
def test_killed_snakemake_goes_on_where_it_was(slow, undisturbed, how):
    driver = start(slow)
    try:
        wait_for(lambda: len(starts(slow)) >= 3 and len(records(slow)) >= 1, driver=driver)
        number = getattr(signal, how.split()[0])
        os.killpg(driver.pid, number) if how.endswith("all") else os.kill(driver.pid, number)
        driver.wait(timeout=120)
        assert (slow.root / ".snakemake/locks").exists() == how.startswith("SIGKILL")
        finished = set(records(slow))
        assert 1 <= len(finished) <= len(TINY_RUNS)  # all, where a slow machine let the others end meanwhile
        begun = starts(slow)
        output = slow.snakemake("--cores", "2", "results/tiny/summary.csv")
        assert "Directory cannot be locked" not in output
        assert ("its lock is removed" in output) == how.startswith("SIGKILL")
        again = starts(slow)[len(begun) :]
        assert not {f"{RESULTS}/runs/cpu/{label}.json" for label in again} & finished
        assert records(slow) == records(undisturbed)
        assert (slow.root / f"{RESULTS}/summary.csv").read_bytes() == (
            undisturbed.root / f"{RESULTS}/summary.csv"
        ).read_bytes()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)


@pytest.mark.slow
def test_runs_that_end_after_their_snakemake_are_not_trained_again(slow, undisturbed):
    driver = start(slow)
    try:
        wait_for(lambda: len(starts(slow)) >= 2, driver=driver)
        driver.kill()
        driver.wait()
        orphans = {int(line.split()[1]) for line in (slow.root / "started").read_text().splitlines()}
        while any(Path(f"/proc/{orphan}").exists() for orphan in orphans):
            time.sleep(0.1)
        assert len(records(slow)) == 2
        output = slow.snakemake("--cores", "2", "results/tiny/summary.csv")
        assert "runs that were finished without Snakemake's knowing are kept: 2\n" in output
        assert sorted(starts(slow)) == sorted(TINY_RUNS)
        assert records(slow) == records(undisturbed)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)


@pytest.mark.slow
def test_second_snakemake_is_refused_while_the_first_one_lives(slow):
    driver = start(slow)
    try:
        wait_for(lambda: bool(starts(slow)), driver=driver)
        output = slow.snakemake("--cores", "1", "results/tiny/summary.csv", check=False)
        assert re.search("Directory cannot be locked", output)
        assert (slow.root / ".snakemake/locks").exists()
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()


@pytest.mark.slow
def test_a_run_that_ended_after_its_snakemake_is_kept_below_a_prefix_too(fresh, tmp_path):
    outer = import_as_module(fresh, tmp_path / "outer", prefix="below")
    run = "below/results/imported/runs/cpu/copy/lag=11/rnn/full/seeds=0.json"
    outer.snakemake("--cores", "1", run, config=None)
    computed = (outer.root / run).stat().st_mtime_ns
    for path in (run, run.replace(".json", ".provenance.json")):
        (outer.root / ".snakemake/incomplete" / urlsafe_b64encode(path.encode()).decode()).touch()
    output = outer.snakemake("--cores", "1", "--rerun-incomplete", run, config=None)
    assert "runs that were finished without Snakemake's knowing are kept: 1" in output
    assert (outer.root / run).stat().st_mtime_ns == computed
