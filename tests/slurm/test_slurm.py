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
    hung: Pipeline
    displaced: Pipeline
    starved: Pipeline
    pending: Pipeline
    driven: Pipeline
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
    alone = ("limited", "hung", "displaced", "starved", "pending", "driven", "killed")
    pipelines = {name: Pipeline(root / "tree", root / name) for name in ("local", "faults")}
    pipelines |= {name: Pipeline(root / "tree", root / name, one) for name in alone}
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
    _submit_driver(told, "limited", "--set-resources", "train:runtime=2*attempt")
    told.hung.slow_down(CANCELLED)
    told.hung.slow_down(CANCELLED, how="hung")
    told.hung.start(*PROFILE, "--set-resources", "train:runtime=2*attempt")
    told.starved.start(*PROFILE, "--retries", "0", "--set-resources", "train:mem_mb=250")
    told.pending.start(*PROFILE, "--retries", "0", "--default-resources", "slurm_partition=closed")
    told.killed.slow_down(CANCELLED)
    told.killed.start(*PROFILE)
    told.faults.slow_down(CANCELLED, REQUEUED, MOVED)
    told.faults.start(*PROFILE)
    told.gpu.start(*PROFILE, "--retries", "0", "--default-resources", "slurm_partition=other")

    (pending,) = wait_for(lambda: told.pending.jobs(CANCELLED))
    slurm("scancel", pending["JobId"])

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
    _displace(told)
    _send_driver_back(told)
    told.packed.start(*PROFILE, "packed")
    told.ends["local"] = told.local.run("--cores", "2")
    told.ends["packs"] = told.packed.wait()
    told.packed.start(*PROFILE, "--until", "train")
    wait_for(lambda: _ended(told.hung.jobs(CANCELLED)))
    told.hung.speed_up(CANCELLED)
    for name in ("hung", "displaced", "starved", "pending"):
        told.ends[name] = getattr(told, name).wait()
    told.ends["faults"] = told.faults.wait()
    told.ends["packed"] = told.packed.wait()
    wait_for(lambda: not any(_driver(told, name).lives for name in ("limited", "driven")))


def _submit_driver(told: Story, name: str, *words: str) -> None:
    """Let a driver in the queue run the one training of a pipeline."""
    pipeline: Pipeline = getattr(told, name)
    pipeline.slow_down(CANCELLED)
    words = (*pipeline.command(*words, "--default-resources", "slurm_partition=other")[3:],)
    script = pipeline.tree / "workflow/profiles/slurm/submit_driver.sbatch"
    options = ["--parsable", "--partition=other", f"--chdir={pipeline.tree}", f"--output={pipeline.folder}/said"]
    told.jobs[name] = _numbered(slurm("sbatch", *options, str(script), *words).strip())


def _send_driver_back(told: Story) -> None:
    """Tell a driver that its time is nearly up, as Slurm does; let its training go on once it has come back."""
    _submit_driver(told, "driven")
    wait_for(lambda: told.driven.kept(CANCELLED))
    slurm("scancel", "--signal=USR1", "--batch", told.jobs["driven"]["JobId"])
    wait_for(lambda: _started_again(_driver(told, "driven")))
    wait_for(lambda: len(told.driven.jobs(CANCELLED)) == 2)
    told.driven.speed_up(CANCELLED)


def _displace(told: Story) -> None:
    """Let an urgent job take the node of a training."""
    told.displaced.slow_down(CANCELLED)
    told.displaced.start(*PROFILE, "--default-resources", "slurm_partition=low")
    wait_for(lambda: told.displaced.kept(CANCELLED))
    slurm("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    wait_for(lambda: _started_again(told.displaced.jobs(CANCELLED)[0]))
    told.displaced.speed_up(CANCELLED)


def _driver(told: Story, name: str) -> Job:
    return _numbered(told.jobs[name]["JobId"])


def _numbered(number: str) -> Job:
    return next(job for job in all_jobs() if job["JobId"] == number)


def _started_again(job: Job) -> bool:
    """Say whether a requeued job runs: its first processes are gone then."""
    return (job["Restarts"], job["JobState"]) == ("1", "RUNNING")


def _ended(jobs: list[Job]) -> Job | None:
    return next((job for job in jobs if not job.lives), None)


def _assert_as_locally(story: Story, pipeline: Pipeline) -> None:
    path = RECORD.format(CANCELLED)
    assert (pipeline.folder / path).read_bytes() == (story.local.folder / path).read_bytes()


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
    assert first["JobName"].startswith(f"driver_{story.jobs['limited']['JobId']}_")
    assert _driver(story, "limited")["JobState"] == "COMPLETED", story.limited.said[-3000:]
    _assert_as_locally(story, story.limited)


def test_a_job_that_hangs_is_killed_at_its_time_limit_and_goes_on_with_more_time(story):
    assert story.ends["hung"] == 0, story.hung.said[-3000:]
    first, second = story.hung.jobs(CANCELLED)
    assert (first["JobState"], second["JobState"]) == ("TIMEOUT", "COMPLETED")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("00:02:00", "00:04:00")
    assert story.hung.restarts(CANCELLED) == 1
    _assert_as_locally(story, story.hung)


def test_a_job_that_an_urgent_one_displaces_goes_on_and_snakemake_need_not_notice(story):
    assert story.ends["displaced"] == 0, story.displaced.said[-3000:]
    (job,) = story.displaced.jobs(CANCELLED)
    assert (job["JobState"], job["Restarts"], job["Partition"]) == ("COMPLETED", "1", "low")
    assert story.displaced.restarts(CANCELLED) == 1
    _assert_as_locally(story, story.displaced)


def test_a_job_out_of_memory_is_told_as_such_with_what_would_fit(story):
    if not cluster.limits_memory():
        pytest.skip("Slurm kills no job out of memory without control groups of version 1")
    assert story.ends["starved"] != 0
    told = f"failed: {RECORD.format(CANCELLED)}: out of memory, as Slurm says (about "
    assert told in story.starved.said, story.starved.said[-3000:]


def test_a_job_that_is_cancelled_before_it_begins_is_told_as_such(story):
    assert story.ends["pending"] != 0
    assert f"failed: {RECORD.format(CANCELLED)}: cancelled in Slurm" in story.pending.said, story.pending.said[-3000:]


def test_a_driver_whose_time_is_up_stops_its_jobs_and_goes_back_to_the_queue(story):
    first, second = story.driven.jobs(CANCELLED)
    assert (first["JobState"], second["JobState"]) == ("CANCELLED", "COMPLETED")
    driver = _driver(story, "driven")
    assert (driver["JobState"], driver["Restarts"]) == ("COMPLETED", "1"), story.driven.said[-3000:]
    assert story.driven.restarts(CANCELLED) == 1
    _assert_as_locally(story, story.driven)


def test_a_restart_after_the_driver_was_killed_ends_with_the_same_numbers(story):
    assert story.ends["killed"] == 0, story.killed.said[-3000:]
    assert len(story.killed.run_ids) == 2
    assert story.jobs["orphan"]["JobName"] == story.killed.run_ids[0]  # so scancel --name finds it
    _assert_as_locally(story, story.killed)


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
