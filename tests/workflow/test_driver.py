"""A Snakemake that was killed: its lock goes if it is provably dead, and what was finished stays finished."""

import contextlib
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

from tests.settings import TINY_RUNS
from tests.workflow.conftest import Tree, copy_tree
from tests.workflow.test_rules import import_as_module
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
        slow.snakemake("--cores", "2", "results/tiny/summary.csv")
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
        assert [line for line in output.splitlines() if "lock" in line] == []
        assert f"(process {driver.pid}, since " in output
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
    persistence = FilePersistence(path=outer.root / ".snakemake")
    for path in (run, run.replace(".json", ".provenance.json")):
        persistence._mark_incomplete(path, None)
    output = outer.snakemake("--cores", "1", "--rerun-incomplete", run, config=None)
    assert "Nothing to be done" in output
    assert (outer.root / run).stat().st_mtime_ns == computed
