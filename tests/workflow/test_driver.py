"""A Snakemake that was killed: its lock goes if it is provably dead, and what was finished stays finished."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from snakemake.persistence.file import FilePersistence

from tests.workflow.echo import SMALL, write_cell
from tests.workflow.workspace import Workspace
from workflow.operations.driver import OtherDriverError, drive, require_folder

ROOT = Path(__file__).resolve().parents[2]
RESULTS = "results/tiny"
DRIVE = """
import sys
from snakemake.persistence.file import FilePersistence
from workflow.operations.driver import drive
print(*drive("results/tiny", persistence=FilePersistence, host=sys.argv[1] or None), sep="\\n", flush=True)
"""
HOLD = """
import subprocess, time
subprocess.Popen(["sleep", "60"])
time.sleep(60)
"""
RUN = f"{RESULTS}/runs/cpu/copy/lag=11/rnn/full/seeds=0-2.json"
OURS, OTHERS = {RUN, f"{RESULTS}/summary.csv"}, {"results/tiny2/summary.csv", "notes/results/tinyest.csv"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    lock(*OURS)
    lock(*OTHERS)
    return tmp_path


def lock(*files: str) -> None:
    """Lock files as Snakemake does."""
    FilePersistence()._write_locks("output", files)


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[str]]:
    """A process that makes the experiment, with a job of its own, in a process group that ends with the test."""
    holder = subprocess.Popen(
        [sys.executable, "-c", DRIVE + HOLD, ""],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert holder.stdout
    assert holder.stdout.readline() == "\n"
    yield holder
    with suppress(ProcessLookupError):  # the test has ended it
        os.killpg(holder.pid, signal.SIGKILL)
    holder.communicate()


def take_over(*, host: str = "", code: int = 0) -> str:
    """Start another one, and return what it says; it ends at once."""
    command, environment = [sys.executable, "-c", DRIVE, host], os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


def locked() -> set[str]:
    """Return the files that Snakemake's locks are on."""
    return {key for _, key in FilePersistence()._read_locks()}


def test_lock_of_a_killed_driver_goes_though_its_job_still_runs(holder):
    holder.kill()
    holder.wait()
    assert take_over() == f"{RESULTS}: the Snakemake before this one was killed; its lock is removed\n"
    assert locked() == OTHERS
    lock(RUN)
    assert take_over() == "\n"  # the one before came to its end: whose lock this is nobody knows
    assert locked() == OTHERS | {RUN}


def test_another_is_refused_in_one_line_while_a_driver_lives(holder):
    with pytest.raises(OtherDriverError, match=rf"\(process {holder.pid}, since [^)]+\); nothing is lost: [^\n]+$"):
        drive(RESULTS, persistence=FilePersistence)
    take_over(code=1)
    assert locked() == OTHERS | OURS
    assert str(holder.pid) in next(Path(".snakemake/drivers/tiny").iterdir()).read_text()
    holder.kill()
    holder.wait()
    assert "its lock is removed" in take_over()


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
    assert locked() == OTHERS | OURS


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
    assert drive(RESULTS, persistence=FilePersistence) == []
    assert locked() == OTHERS | OURS


def test_file_system_without_locks_is_left_to_snakemake(folder, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("workflow.operations.driver.fcntl.flock", refuse)
    assert drive(RESULTS, persistence=FilePersistence) == []
    assert locked() == OTHERS | OURS


# Snakemake itself, in the middle of a tiny experiment

SLOW = """
import os, sys, time
with open("started", "a") as file:
    file.write(f"{sys.argv[sys.argv.index('--record') + 1]} {os.getpid()}\\n")
time.sleep(2)
"""
"""What a job does when it loads its cell, before it trains: note its record and its process, and take its time."""
RUNS = 4


@pytest.fixture
def slow(workspace: Workspace) -> Iterator[tuple[Workspace, subprocess.Popen[bytes]]]:
    """A workspace in which Snakemake, in a process group of its own, runs jobs that take their time."""
    grid = [SMALL["grid"][0] | {"models": ["echo"]}]
    workspace.configure(**SMALL | {"grid": grid, "tasks": {"copy": {"lags": [11, 12, 13, 14]}}, "figures": []})
    write_cell(workspace, on_import=SLOW)
    words = ("-m", "snakemake", "--snakefile", str(workspace.snakefile), "--cores", "2", "--configfile", "tiny.yaml")
    driver = subprocess.Popen(
        [sys.executable, *words],
        cwd=workspace.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    yield workspace, driver
    with suppress(ProcessLookupError):
        os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()


def list_starts(workspace: Workspace) -> dict[str, list[int]]:
    """Return the processes that have begun a record, by its path."""
    starts: dict[str, list[int]] = {}
    file = workspace.root / "started"
    for line in file.read_text().splitlines() if file.exists() else ():
        record, process = line.split()
        starts.setdefault(record, []).append(int(process))
    return starts


def list_records(workspace: Workspace) -> set[str]:
    """Return the paths of the run records that are there."""
    paths = (workspace.root / RESULTS / "runs").rglob("seeds=0-2.json")
    return {path.relative_to(workspace.root).as_posix() for path in paths}


def wait_for(condition: Callable[[], bool], *, driver: subprocess.Popen[bytes], seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        assert not driver.poll(), "it failed before that"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL of all"])
def test_a_second_snakemake_is_refused_and_a_killed_one_goes_on_where_it_was(slow, how):
    workspace, driver = slow
    wait_for(lambda: len(list_starts(workspace)) >= 3 and len(list_records(workspace)) >= 1, driver=driver)
    if how == "SIGINT":
        output = workspace.snakemake("--cores", "1", check=False)
        assert f"(process {driver.pid}, since " in output
        assert not [line for line in output.splitlines() if "lock" in line]
        os.kill(driver.pid, signal.SIGINT)
    else:
        os.killpg(driver.pid, signal.SIGKILL)
    driver.wait(timeout=120)
    assert (workspace.root / ".snakemake/locks").exists() == how.startswith("SIGKILL")
    finished, begun = list_records(workspace), list_starts(workspace)
    output = workspace.snakemake("--cores", "2")
    assert "Directory cannot be locked" not in output
    assert ("its lock is removed" in output) == how.startswith("SIGKILL")
    assert len(list_records(workspace)) == RUNS
    assert {record: list_starts(workspace)[record] for record in finished} == {r: begun[r] for r in finished}


@pytest.mark.slow
def test_runs_that_end_after_their_snakemake_are_not_trained_again(slow):
    workspace, driver = slow
    wait_for(lambda: len(list_starts(workspace)) >= 2, driver=driver)
    driver.kill()
    driver.wait()
    orphans = [process for processes in list_starts(workspace).values() for process in processes]
    while any(Path(f"/proc/{orphan}").exists() for orphan in orphans):
        time.sleep(0.1)
    assert len(list_records(workspace)) == 2
    workspace.snakemake("--cores", "2")
    assert [len(processes) for processes in list_starts(workspace).values()] == [1] * RUNS
