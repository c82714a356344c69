"""Measuring jobs as processes: killed while they train and while they measure, and two at once."""

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.settings import FLOWS, job_settings
from tests.workflow.test_kills import RUN, Job, cut, wait_for_a_new_one
from workflow.jobs import measurement

pytestmark = pytest.mark.slow
KILLS = 5
UPDATES = 400
SETTINGS = job_settings(seeds=[0, 1], learning_rates=[0.01], lag=20, sequences=8 * UPDATES, evaluate_every=20)
SETTINGS |= {"measurement": {"sequences": 64, "evaluations": 12, "flows": FLOWS}}
TRAINED = f"update {UPDATES}/{UPDATES}, "


def measuring(where: Path) -> Job:
    return Job(where, SETTINGS, entry=measurement.ENTRY)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job that nothing disturbed."""
    job = measuring(tmp_path_factory.mktemp("whole"))
    job.finish()
    assert job.provenance()["restarts"] == 0
    assert not job.folder.parent.exists()
    return job


def wait_until_trained(process: subprocess.Popen[str]) -> None:
    """Read what a job says until it measures."""
    assert process.stderr
    assert any(TRAINED in line for line in process.stderr)


def test_kills_at_random_moments_change_nothing(whole: Job, tmp_path: Path) -> None:
    job, rng = measuring(tmp_path), np.random.default_rng(1)
    for _ in range(KILLS - 1):
        cut(job, signal.SIGKILL, pause=rng.uniform(0, 0.12))
    process = job.start()
    wait_until_trained(process)
    time.sleep(rng.uniform(0, 0.12))
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / RUN).exists()
    output = job.finish()
    assert f"continuing after update {UPDATES} of {UPDATES}, restart {KILLS}" in output
    assert job.record() == whole.record()
    assert job.provenance()["restarts"] == KILLS
    assert not job.folder.parent.exists()


def test_sigterm_while_it_measures_is_heard_at_once(whole: Job, tmp_path: Path) -> None:
    job = measuring(tmp_path)
    process = job.start(every=1000)
    wait_until_trained(process)
    process.terminate()
    begun = time.monotonic()
    output = process.communicate(timeout=60)[1]
    assert time.monotonic() - begun < 2
    assert process.returncode == 1
    end = f"error: stopped by SIGTERM after update {UPDATES} of {UPDATES}; the next start continues from there"
    assert output.splitlines()[-1] == end
    assert not (tmp_path / RUN).exists()
    again = job.finish()
    assert "restart 1" in again
    assert again.count(" alive, ") == 1  # it trains no update
    assert job.record() == whole.record()


def test_two_at_once_measure_once(whole: Job, tmp_path: Path) -> None:
    job = measuring(tmp_path)
    first = job.start()
    wait_for_a_new_one(job, than=0)
    second = job.start()
    says = [process.communicate(timeout=120)[1] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], says
    assert "trains this run; waiting for its end" in says[1]
    assert "update" not in says[1]
    assert job.record() == whole.record()
    assert json.loads(job.record())["settings"] == SETTINGS
    assert not job.folder.parent.exists()
