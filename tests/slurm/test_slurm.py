"""The pipeline on a real Slurm, through what happens to jobs there: its numbers are those of a local run, to the byte.

All pipelines run side by side, as waiting is most of what they do; every test asks about one thing that has happened.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm import cluster
from tests.slurm.pipelines import Pipeline, all_jobs, copy_code
from tests.slurm.story import CANCELLED, MOVED, ON_GPU, PLAIN, RECORD, REQUEUED, Story, driver_of, run

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def slurmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running Slurm; the folder of its files."""
    why = cluster.missing()
    if "PYTEST_XDIST_WORKER" in os.environ:
        why = "one Slurm per machine: run these tests without xdist"
    if why:
        (pytest.fail if os.environ.get("LAGBENCH_SLURM") == "required" else pytest.skip)(why)
    folder = tmp_path_factory.mktemp("slurm")
    cluster.start(folder)
    try:
        yield folder
    finally:
        cluster.stop(folder)


@pytest.fixture(scope="module")
def story(slurmed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Run everything once: jobs are cancelled, requeued, and stopped by their time limit; a node and a driver die."""
    root = tmp_path_factory.mktemp("pipelines")
    copy_code(root / "tree")
    item = (RECORD.format(CANCELLED),)
    alone = ("limited", "hung", "displaced", "starved", "pending", "driven", "killed")
    pipelines = {name: Pipeline(root / "tree", root / name) for name in ("local", "faults")}
    pipelines |= {name: Pipeline(root / "tree", root / name, item) for name in alone}
    pipelines["gpu"] = Pipeline(root / "tree", root / "gpu", (ON_GPU,), "gpu.yaml")
    pipelines["packed"] = Pipeline(root / "tree", root / "packed", config="packed.yaml")
    reports = Story(**pipelines)
    try:
        run(reports, slurmed)
        yield reports
    finally:
        for pipeline in pipelines.values():
            pipeline.kill()


def _assert_as_locally(story: Story, pipeline: Pipeline) -> None:
    path = RECORD.format(CANCELLED)
    assert (pipeline.folder / path).read_bytes() == (story.local.folder / path).read_bytes()


def test_tables_are_those_of_a_local_run_byte_for_byte(story):
    assert story.ends["local"] == 0, story.local.output[-3000:]
    assert story.ends["faults"] == 0, story.faults.output[-3000:]
    computed = [path.relative_to(story.local.folder) for path in story.local.folder.glob("results/tiny/*.csv")]
    computed += [
        path.relative_to(story.local.folder) for path in story.local.folder.glob("results/tiny/runs/**/seeds=?.json")
    ]
    assert len(computed) == 5 + 5
    for path in computed:
        if path.name != "provenance.csv":
            assert (story.faults.folder / path).read_bytes() == (story.local.folder / path).read_bytes(), path


def test_a_job_is_found_by_its_condition(story):
    (job,) = story.faults.jobs(PLAIN)
    assert job["JobState"] == "COMPLETED"
    assert job["JobName"] == story.faults.run_ids[0]
    log = story.faults.folder / f"results/tiny/logs/cpu/{PLAIN}.log"
    assert "update 400/400" in log.read_text()


def test_a_cancelled_job_is_tried_again_with_twice_the_time_and_memory(story):
    first, second = story.faults.jobs(CANCELLED)
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:15:00", "00:30:00")
    assert story.faults.restarts(CANCELLED) == 1
    assert int(second["MinMemoryNode"].rstrip("M")) == 2 * int(first["MinMemoryNode"].rstrip("M"))


def test_a_requeued_job_goes_on_and_snakemake_need_not_notice(story):
    (job,) = story.faults.jobs(REQUEUED)
    assert story.faults.restarts(REQUEUED) == 1
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")


def test_the_job_of_a_dead_node_moves_to_another(story):
    (job,) = story.faults.jobs(MOVED)
    assert story.faults.restarts(MOVED) == 1
    assert (job["JobState"], job["Restarts"]) == ("COMPLETED", "1")
    assert job["NodeList"] != story.jobs["moved"]["NodeList"]


def test_a_job_at_its_time_limit_is_tried_again_with_more_time_and_the_driver_is_a_job(story):
    first, *further = story.limited.jobs(CANCELLED)
    assert first["TimeLimit"] == "00:02:00"
    assert first["JobState"] == "FAILED"  # and not TIMEOUT: the training ends by itself before
    assert further[0]["TimeLimit"] == "00:04:00"
    assert story.limited.restarts(CANCELLED) >= 1
    assert further[-1]["JobState"] == "COMPLETED"
    assert first["JobName"].startswith(f"driver_{story.jobs['limited']['JobId']}_")
    assert driver_of(story, "limited")["JobState"] == "COMPLETED", story.limited.output[-3000:]
    _assert_as_locally(story, story.limited)


def test_a_job_that_hangs_is_killed_at_its_time_limit_and_goes_on_with_more_time(story):
    assert story.ends["hung"] == 0, story.hung.output[-3000:]
    first, second = story.hung.jobs(CANCELLED)
    assert (first["JobState"], second["JobState"]) == ("TIMEOUT", "COMPLETED")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:02:00", "00:04:00")
    assert story.hung.restarts(CANCELLED) == 1
    _assert_as_locally(story, story.hung)


def test_a_job_that_an_urgent_one_displaces_goes_on_and_snakemake_need_not_notice(story):
    assert story.ends["displaced"] == 0, story.displaced.output[-3000:]
    (job,) = story.displaced.jobs(CANCELLED)
    assert (job["JobState"], job["Restarts"], job["Partition"]) == ("COMPLETED", "1", "low")
    assert story.displaced.restarts(CANCELLED) == 1
    _assert_as_locally(story, story.displaced)


def test_a_job_out_of_memory_is_told_as_such_with_what_would_fit(story):
    if not cluster.limits_memory():
        pytest.skip("Slurm kills no job out of memory without control groups of version 1")
    assert story.ends["starved"] != 0
    reports = f"failed: {RECORD.format(CANCELLED)}: out of memory, as Slurm says (about "
    assert reports in story.starved.output, story.starved.output[-3000:]


def test_a_job_that_is_cancelled_before_it_begins_is_told_as_such(story):
    assert story.ends["pending"] != 0
    assert f"failed: {RECORD.format(CANCELLED)}: cancelled in Slurm" in story.pending.output, story.pending.output[
        -3000:
    ]


def test_a_driver_whose_time_is_up_stops_its_jobs_and_goes_back_to_the_queue(story):
    first, second = story.driven.jobs(CANCELLED)
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    driver = driver_of(story, "driven")
    assert (driver["JobState"], driver["Restarts"]) == ("COMPLETED", "1"), story.driven.output[-3000:]
    assert story.driven.restarts(CANCELLED) == 1
    _assert_as_locally(story, story.driven)


def test_a_restart_after_the_driver_was_killed_ends_with_the_same_numbers(story):
    assert story.ends["killed"] == 0, story.killed.output[-3000:]
    assert len(story.killed.run_ids) == 2
    assert story.jobs["orphan"]["JobName"] == story.killed.run_ids[0]  # so scancel --name finds it
    _assert_as_locally(story, story.killed)


def test_packed_conditions_share_jobs_and_are_adopted_without_another(story):
    assert story.ends["packs"] == story.ends["packed"] == 0, story.packed.output[-3000:]
    jobs = [job["Comment"] for job in all_jobs() if job["WorkDir"] == str(story.packed.folder)]
    assert [comment.partition("_wildcards")[0] for comment in jobs] == ["rule_pack", "rule_pack"]
    for path in (story.local.folder / "results/tiny/runs").rglob("seeds=0.json"):
        packed = story.packed.folder / path.relative_to(story.local.folder)
        assert packed.read_bytes() == path.read_bytes()


def test_a_condition_on_a_gpu_asks_for_one(story):
    assert story.ends["gpu"] != 0  # the GPU is none
    (job,) = (job for job in all_jobs() if job["WorkDir"] == str(story.gpu.folder))
    assert "gpu" in job["TresPerJob"]
    assert "error: " in (story.gpu.folder / "results/tiny/logs/cuda/copy/lag=11/rnn/full/seeds=0.log").read_text()


def test_a_missing_package_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name == "slurmd" else name)
    assert cluster.missing() == "no slurmd on this machine: apt-get install munge slurmctld slurmd slurm-client"
