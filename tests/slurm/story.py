"""What happens to the pipelines on Slurm: one story, of which every test asks one thing."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.slurm import cluster
from tests.slurm.pipelines import Job, Pipeline, all_jobs, slurm, wait_for

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


def run(told: Story, slurmed: Path) -> None:
    """Run everything once: jobs are cancelled, requeued, displaced and stopped; a node and a driver die."""
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
    wait_for(lambda: not any(driver_of(told, name).lives for name in ("limited", "driven")))


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
    wait_for(lambda: _started_again(driver_of(told, "driven")))
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


def driver_of(told: Story, name: str) -> Job:
    return _numbered(told.jobs[name]["JobId"])


def _numbered(number: str) -> Job:
    return next(job for job in all_jobs() if job["JobId"] == number)


def _started_again(job: Job) -> bool:
    """Say whether a requeued job runs: its first processes are gone then."""
    return (job["Restarts"], job["JobState"]) == ("1", "RUNNING")


def _ended(jobs: list[Job]) -> Job | None:
    return next((job for job in jobs if not job.lives), None)
