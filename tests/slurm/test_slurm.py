"""The pipeline on a real Slurm, through what happens to jobs there: its numbers are those of a local run, to the byte.

All pipelines run side by side, as waiting is most of what they do; every test asks about one thing that has happened.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.slurm import cluster
from tests.slurm.pipelines import Job, Pipeline, all_jobs, copy_code, slurm, wait_for

pytestmark = pytest.mark.slurm

CANCELLED, REQUEUED, MOVED, PLAIN = (f"adding/lag={lag}/rnn/full/seeds=0" for lag in (2, 3, 4, 5))
RECORD = "results/tiny/runs/cpu/{}.json"
ON_GPU = "results/tiny/runs/cuda/copy/lag=11/rnn/full/seeds=0.json"
PROFILE = ("--profile", "workflow/profiles/slurm")


@dataclass
class Story:
    """What was run, and what was seen of its jobs."""

    local: Pipeline
    faults: Pipeline
    limited: Pipeline
    killed: Pipeline
    gpu: Pipeline
    packed: Pipeline
    jobs: dict[str, Job] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)


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
    one = (RECORD.format(CANCELLED),)
    pipelines = {name: Pipeline(root / "tree", root / name) for name in ("local", "faults")}
    pipelines |= {name: Pipeline(root / "tree", root / name, one) for name in ("limited", "killed")}
    pipelines["gpu"] = Pipeline(root / "tree", root / "gpu", (ON_GPU,), "gpu.yaml")
    pipelines["packed"] = Pipeline(root / "tree", root / "packed", config="packed.yaml")
    told = Story(**pipelines)
    try:
        _run(told, slurmed)
        yield told
    finally:
        for pipeline in pipelines.values():
            pipeline.kill()


def _run(told: Story, slurmed: Path) -> None:
    _submit_driver(told)
    told.killed.slow_down(CANCELLED)
    told.killed.start(*PROFILE)
    told.faults.slow_down(CANCELLED, REQUEUED, MOVED)
    told.faults.start(*PROFILE)
    told.gpu.start(*PROFILE, "--retries", "0", "--default-resources", "slurm_partition=other")

    told.jobs["orphan"] = wait_for(lambda: told.killed.running(CANCELLED))
    told.killed.kill()  # and its job goes on
    assert told.killed.run("--unlock") == 0
    told.killed.start(*PROFILE)
    wait_for(lambda: len(told.killed.jobs(CANCELLED)) == 2)
    told.killed.speed_up(CANCELLED)

    told.jobs["cancelled"] = wait_for(lambda: told.faults.running(CANCELLED))
    slurm("scancel", told.jobs["cancelled"]["JobId"])
    wait_for(lambda: _ended(told.faults.jobs(CANCELLED)))  # at full speed it would be done before it is killed
    told.faults.speed_up(CANCELLED)
    told.jobs["requeued"] = wait_for(lambda: told.faults.running(REQUEUED))
    slurm("scontrol", "requeue", told.jobs["requeued"]["JobId"])
    wait_for(lambda: _started_again(told.faults.jobs(REQUEUED)[0]))
    told.faults.speed_up(REQUEUED)
    told.jobs["first"] = wait_for(lambda: _ended(told.limited.jobs(CANCELLED)))
    told.limited.speed_up(CANCELLED)
    told.ends["killed"] = told.killed.wait()
    for label in (CANCELLED, REQUEUED):  # so that the crash is that of one job
        wait_for(lambda label=label: not told.faults.jobs(label)[-1].lives)
    told.jobs["moved"] = wait_for(lambda: told.faults.running(MOVED))
    cluster.crash_node(slurmed, told.jobs["moved"]["NodeList"])
    told.faults.speed_up(MOVED)

    told.ends["gpu"] = told.gpu.wait()
    told.packed.start(*PROFILE, "packed")
    told.ends["local"] = told.local.run("--cores", "2")
    told.ends["packs"] = told.packed.wait()
    told.packed.start(*PROFILE, "--until", "train")
    told.ends["faults"] = told.faults.wait()
    told.ends["packed"] = told.packed.wait()
    wait_for(lambda: not _driver(told.jobs["driver"]["JobId"]).lives)


def _submit_driver(told: Story) -> None:
    """Let a driver in the queue run one training whose first job has two minutes."""
    told.limited.slow_down(CANCELLED)
    resources = ("--set-resources", "train:runtime=2*attempt", "--default-resources", "slurm_partition=other")
    words = told.limited.command(*resources)[3:]
    script = told.limited.tree / "workflow/profiles/slurm/submit_driver.sbatch"
    options = [
        "--parsable",
        "--partition=other",
        f"--chdir={told.limited.tree}",
        f"--output={told.limited.folder}/said",
    ]
    number = slurm("sbatch", *options, str(script), *words).strip()
    told.jobs["driver"] = _driver(number)


def _driver(number: str) -> Job:
    return next(job for job in all_jobs() if job["JobId"] == number)


def _started_again(job: Job) -> bool:
    """Say whether a requeued job runs: its first processes are gone then."""
    return (job["Restarts"], job["JobState"]) == ("1", "RUNNING")


def _ended(jobs: list[Job]) -> Job | None:
    return next((job for job in jobs if not job.lives), None)


def test_tables_are_those_of_a_local_run_byte_for_byte(story):
    assert story.ends["local"] == 0, story.local.said[-3000:]
    assert story.ends["faults"] == 0, story.faults.said[-3000:]
    made = [path.relative_to(story.local.folder) for path in story.local.folder.glob("results/tiny/*.csv")]
    made += [
        path.relative_to(story.local.folder) for path in story.local.folder.glob("results/tiny/runs/**/seeds=?.json")
    ]
    assert len(made) == 5 + 5
    for path in made:
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
    assert first["JobName"].startswith(f"driver_{story.jobs['driver']['JobId']}_")
    assert _driver(story.jobs["driver"]["JobId"])["JobState"] == "COMPLETED", story.limited.said[-3000:]
    path = RECORD.format(CANCELLED)
    assert (story.limited.folder / path).read_bytes() == (story.local.folder / path).read_bytes()


def test_a_restart_after_the_driver_was_killed_ends_with_the_same_numbers(story):
    assert story.ends["killed"] == 0, story.killed.said[-3000:]
    assert len(story.killed.run_ids) == 2
    assert story.jobs["orphan"]["JobName"] == story.killed.run_ids[0]  # so scancel --name finds it
    path = RECORD.format(CANCELLED)
    assert (story.killed.folder / path).read_bytes() == (story.local.folder / path).read_bytes()


def test_packed_conditions_share_jobs_and_are_adopted_without_another(story):
    assert story.ends["packs"] == story.ends["packed"] == 0, story.packed.said[-3000:]
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
