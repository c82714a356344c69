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


def run(reports: Story, slurmed: Path) -> None:
    """Run everything once: jobs are cancelled, requeued, displaced and stopped; a node and a driver die."""
    _submit_driver(reports, "limited", "--set-resources", "train:runtime=2*attempt")
    reports.hung.slow_down(CANCELLED)
    reports.hung.slow_down(CANCELLED, how="hung")
    reports.hung.start(*PROFILE, "--set-resources", "train:runtime=2*attempt")
    reports.starved.start(*PROFILE, "--retries", "0", "--set-resources", "train:mem_mb=250")
    reports.pending.start(*PROFILE, "--retries", "0", "--default-resources", "slurm_partition=closed")
    reports.killed.slow_down(CANCELLED)
    reports.killed.start(*PROFILE)
    reports.faults.slow_down(CANCELLED, REQUEUED, MOVED)
    reports.faults.start(*PROFILE)
    reports.gpu.start(*PROFILE, "--retries", "0", "--default-resources", "slurm_partition=other")

    (pending,) = wait_for(lambda: reports.pending.jobs(CANCELLED))
    slurm("scancel", pending["JobId"])

    reports.jobs["orphan"] = wait_for(lambda: reports.killed.running(CANCELLED))
    reports.killed.kill()  # and its job goes on
    assert reports.killed.run("--unlock") == 0
    reports.killed.start(*PROFILE)
    wait_for(lambda: len(reports.killed.jobs(CANCELLED)) == 2)
    reports.killed.speed_up(CANCELLED)

    reports.jobs["cancelled"] = wait_for(lambda: reports.faults.running(CANCELLED))
    slurm("scancel", reports.jobs["cancelled"]["JobId"])
    wait_for(lambda: _ended(reports.faults.jobs(CANCELLED)))  # at full speed it would be done before it is killed
    reports.faults.speed_up(CANCELLED)
    reports.jobs["requeued"] = wait_for(lambda: reports.faults.running(REQUEUED))
    slurm("scontrol", "requeue", reports.jobs["requeued"]["JobId"])
    wait_for(lambda: _started_again(reports.faults.jobs(REQUEUED)[0]))
    reports.faults.speed_up(REQUEUED)
    reports.jobs["first"] = wait_for(lambda: _ended(reports.limited.jobs(CANCELLED)))
    reports.limited.speed_up(CANCELLED)
    reports.ends["killed"] = reports.killed.wait()
    for label in (CANCELLED, REQUEUED):  # so that the crash is that of one job
        wait_for(lambda label=label: not reports.faults.jobs(label)[-1].lives)
    reports.jobs["moved"] = wait_for(lambda: reports.faults.running(MOVED))
    cluster.crash_node(slurmed, reports.jobs["moved"]["NodeList"])
    reports.faults.speed_up(MOVED)

    reports.ends["gpu"] = reports.gpu.wait()
    _displace(reports)
    _send_driver_back(reports)
    reports.packed.start(*PROFILE, "packed")
    reports.ends["local"] = reports.local.run("--cores", "2")
    reports.ends["packs"] = reports.packed.wait()
    reports.packed.start(*PROFILE, "--until", "train")
    wait_for(lambda: _ended(reports.hung.jobs(CANCELLED)))
    reports.hung.speed_up(CANCELLED)
    for name in ("hung", "displaced", "starved", "pending"):
        reports.ends[name] = getattr(reports, name).wait()
    reports.ends["faults"] = reports.faults.wait()
    reports.ends["packed"] = reports.packed.wait()
    wait_for(lambda: not any(driver_of(reports, name).lives for name in ("limited", "driven")))


def _submit_driver(reports: Story, name: str, *words: str) -> None:
    """Let a driver in the queue run the one training of a pipeline."""
    pipeline: Pipeline = getattr(reports, name)
    pipeline.slow_down(CANCELLED)
    words = (*pipeline.command(*words, "--default-resources", "slurm_partition=other")[3:],)
    script = pipeline.tree / "workflow/profiles/slurm/submit_driver.sbatch"
    options = ["--parsable", "--partition=other", f"--chdir={pipeline.tree}", f"--output={pipeline.folder}/said"]
    reports.jobs[name] = _numbered(slurm("sbatch", *options, str(script), *words).strip())


def _send_driver_back(reports: Story) -> None:
    """Tell a driver that its time is nearly up, as Slurm does; let its training go on once it has come back."""
    _submit_driver(reports, "driven")
    wait_for(lambda: reports.driven.kept(CANCELLED))
    slurm("scancel", "--signal=USR1", "--batch", reports.jobs["driven"]["JobId"])
    wait_for(lambda: _started_again(driver_of(reports, "driven")))
    wait_for(lambda: len(reports.driven.jobs(CANCELLED)) == 2)
    reports.driven.speed_up(CANCELLED)


def _displace(reports: Story) -> None:
    """Let an urgent job take the node of a training."""
    reports.displaced.slow_down(CANCELLED)
    reports.displaced.start(*PROFILE, "--default-resources", "slurm_partition=low")
    wait_for(lambda: reports.displaced.kept(CANCELLED))
    slurm("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    wait_for(lambda: _started_again(reports.displaced.jobs(CANCELLED)[0]))
    reports.displaced.speed_up(CANCELLED)


def driver_of(reports: Story, name: str) -> Job:
    return _numbered(reports.jobs[name]["JobId"])


def _numbered(number: str) -> Job:
    return next(job for job in all_jobs() if job["JobId"] == number)


def _started_again(job: Job) -> bool:
    """Return whether a requeued job runs: its first processes are gone then."""
    return (job["Restarts"], job["JobState"]) == ("1", "RUNNING")


def _ended(jobs: list[Job]) -> Job | None:
    return next((job for job in jobs if not job.lives), None)
