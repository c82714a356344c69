"""Training jobs as processes: killed, told to end, without a disk, and two at once; the record has the same bytes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from records.paths import checkpoint_folder, compute_key
from tests.settings import job_settings, online_settings
from workflow.jobs import run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
KILLS = 20
RUN = Path("results/x/runs/cpu/task/lag=8/lstm/full/seeds=0-1.json")
MINIBATCH = job_settings(seeds=[0, 1], learning_rates=[0.01, 0.03], sequences=9600, evaluate_every=25)
ONLINE = online_settings(sequences=60_000)
ONLINE["task"]["lag"] = 50
ONLINE["training"]["evaluate_every"] = 1000


@dataclass(frozen=True)
class Job:
    """One training job in a working directory, or with another entry point one that measures too."""

    where: Path
    details: dict[str, Any]
    entry: str = run.ENTRY

    @property
    def folder(self) -> Path:
        """Where its checkpoints are."""
        return checkpoint_folder(self.where / RUN, key=compute_key(self.details, sources="s"))

    def start(self, *, every: float = 0.02) -> subprocess.Popen[str]:
        """Start it; what it says goes to a pipe."""
        provenance = RUN.with_suffix(".provenance.json")
        words = ["--entry", self.entry, "--settings", json.dumps(self.details), "--sources", "s", "--threads", "1"]
        words += ["--record", str(RUN), "--provenance", str(provenance), "--minutes", "1"]
        return subprocess.Popen(
            [sys.executable, str(ROOT / "workflow/scripts/job.py"), *words],
            cwd=self.where,
            env=os.environ | {"LAGBENCH_CHECKPOINT_SECONDS": str(every), "LAGBENCH_LIMITED": ""},
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> str:
        """Run it to its end without a checkpoint; return what it says."""
        process = self.start(every=1000)
        output = process.communicate(timeout=120)[1]
        assert process.returncode == 0, output
        return output

    def record(self) -> bytes:
        """Return what was recorded; a provenance is there too."""
        assert self.provenance()["kernel"]
        return (self.where / RUN).read_bytes()

    def provenance(self) -> dict[str, Any]:
        """Return its provenance."""
        return dict(json.loads((self.where / RUN.with_suffix(".provenance.json")).read_text()))


def wait_for_a_new_one(job: Job, *, than: int) -> None:
    """Wait until there is a checkpoint newer than one of this time (in nanoseconds)."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if (job.folder / "last.checkpoint").stat().st_mtime_ns > than:
                return
        except FileNotFoundError:
            pass
        time.sleep(0.005)
    pytest.fail("no checkpoint within a minute")


def cut(job: Job, number: signal.Signals, *, pause: float) -> str:
    """Start it, send it a signal some time after its first checkpoint, and return what it said."""
    begun = time.time_ns()
    process = job.start()
    wait_for_a_new_one(job, than=begun)
    time.sleep(pause)
    assert process.poll() is None, "the job ended before it could be killed: it is too short for this test"
    process.send_signal(number)
    output = process.communicate(timeout=60)[1]
    assert not (job.where / RUN).exists()
    return output


@pytest.fixture(scope="module", params=["minibatch", "online"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that nothing disturbed."""
    job = Job(tmp_path_factory.mktemp("whole"), MINIBATCH if request.param == "minibatch" else ONLINE)
    job.finish()
    assert job.provenance()["restarts"] == 0
    assert not job.folder.parent.exists()
    return job


def test_kills_at_random_moments_change_nothing(whole: Job, tmp_path: Path) -> None:
    """Half of the time of such a job goes into the writing of checkpoints: kills hit it too."""
    job, rng = Job(tmp_path, whole.details), np.random.default_rng(0)
    for _ in range(KILLS // 2):  # of each of the two protocols
        cut(job, signal.SIGKILL, pause=rng.uniform(0, 0.2))
    assert f"restart {KILLS // 2}" in job.finish()
    assert job.record() == whole.record()
    assert job.provenance()["restarts"] == KILLS // 2
    assert not job.folder.parent.exists()


def test_sigterm_keeps_the_last_update_and_says_so(whole: Job, tmp_path: Path) -> None:
    job = Job(tmp_path, whole.details)
    output = cut(job, signal.SIGTERM, pause=0.1).splitlines()[-1]
    assert output.startswith("error: stopped by SIGTERM after update ")
    assert output.endswith("; the next start continues from there")
    at = output.removeprefix("error: stopped by SIGTERM after ").partition(";")[0]
    assert f"continuing after {at}, restart 1" in job.finish()
    assert job.record() == whole.record()


def test_two_at_once_train_once(whole: Job, tmp_path: Path) -> None:
    job = Job(tmp_path, whole.details)
    first = job.start()
    wait_for_a_new_one(job, than=0)
    second = job.start()
    says = [process.communicate(timeout=120)[1] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], says
    assert f"process {first.pid} on " in says[1]
    assert "trains this run; waiting for its end" in says[1]
    assert "update" not in says[1]
    assert job.record() == whole.record()
    assert not job.folder.parent.exists()


def test_the_checkpoint_of_a_changed_run_is_another_s(whole: Job, tmp_path: Path) -> None:
    """Another key is another folder; a file that was put there by hand is seen through."""
    job = Job(tmp_path, whole.details)
    cut(job, signal.SIGKILL, pause=0)
    other = Job(tmp_path, whole.details | {"seeds": [7, 8]})
    other.folder.mkdir(parents=True)
    for name in ("last.checkpoint", "previous.checkpoint"):
        (other.folder / name).write_bytes((job.folder / "last.checkpoint").read_bytes())
    output = other.finish()
    assert output.count("is not used: it belongs to a run with other settings or code") == 2
    assert "continuing" not in output


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "lagbench-test", str(disk)]
    if subprocess.run(command, capture_output=True, timeout=10, check=False).returncode:
        pytest.skip("a small disk needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], timeout=10, check=True)


def test_a_full_disk_costs_one_line_and_nothing_that_was_there(whole: Job, small_disk: Path) -> None:
    job, before = Job(small_disk, whole.details), small_disk / "results/x/runs/another.json"
    cut(job, signal.SIGTERM, pause=0)
    kept = (job.folder / "last.checkpoint").read_bytes()
    before.parent.mkdir(parents=True, exist_ok=True)
    before.write_text("{}\n")
    fill(small_disk / "filler")
    process = job.start()
    output = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert re.search(r"\[Errno 28\] No space left on device: .*; training continues", output)
    assert output.splitlines()[-1].startswith("error: OSError: [Errno 28] No space left on device: 'results")
    assert before.read_text() == "{}\n"
    assert not (small_disk / RUN).exists()
    assert (job.folder / "last.checkpoint").read_bytes() == kept
    (small_disk / "filler").unlink()
    assert "continuing after" in job.finish()
    assert job.record() == whole.record()


def fill(path: Path) -> None:
    """Write until the disk is full but for the lock file."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"0" * 4096)
        except OSError:
            file.truncate(file.tell() - 4096)


def test_a_disk_that_cannot_be_written_is_told_in_one_line(whole: Job, small_disk: Path) -> None:
    job = Job(small_disk, whole.details)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], timeout=10, check=True)
    process = job.start()
    output = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert output.splitlines()[-1].startswith("error: OSError: [Errno 30] Read-only file system: 'results")
