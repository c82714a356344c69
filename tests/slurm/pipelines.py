"""Snakemake on a Slurm of our own: pipelines in folders of their own, their jobs, and how to slow a training down."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.settings import TINY
from tests.workflow.conftest import PARTS, ROOT
from workflow.experiment.reading import merge

SECONDS = 600
"""How long a pipeline may take, on a machine that has other work too."""

CONFIG = merge(
    TINY,
    {
        "grid": [
            {"devices": ["cpu"], "tasks": ["adding", "copy"], "models": ["rnn"], "gradients": ["full"]},
        ],
        "seeds": [0],
        "checkpoint_minutes": 0.05,
        "figures": ["accuracy_versus_lag"],
        "tasks": {"adding": {"lags": [2, 3, 4, 5], "sequences": 1600}, "copy": {"sequences": 160}},
        "training": {"batch_size": 4, "evaluate_every": 20},
    },
)

ON_GPU = merge(CONFIG, {"grid": [{"devices": ["cuda"], "tasks": ["copy"], "models": ["rnn"], "gradients": ["full"]}]})

# A training slows down as long as there is a file `slow/<its label>` in its folder: an update then takes a second. As
# long as there is one in `hung` it stands still once it has a checkpoint, and ends by no signal but the last.
SLOW = """

_call = ProgressLog.__call__


def _slowly(self: ProgressLog, progress: TrainingProgress) -> None:
    from pathlib import Path

    _call(self, progress)
    if Path("slow", self.label.replace("/", "_")).exists():
        time.sleep(1)
    while Path("hung", self.label.replace("/", "_")).exists() and list(Path().glob("results/*/checkpoints/*/last.*")):
        time.sleep(1)


ProgressLog.__call__ = _slowly
"""


@dataclass(frozen=True)
class Job:
    """A job as Slurm describes it."""

    fields: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.fields[name]

    @property
    def lives(self) -> bool:
        """Whether it waits or runs."""
        return self["JobState"] in ("PENDING", "RUNNING", "COMPLETING", "REQUEUED", "CONFIGURING")


@dataclass
class Pipeline:
    """One run of Snakemake in a folder of its own, over the code in `tree`."""

    tree: Path
    folder: Path
    targets: tuple[str, ...] = ()
    config: str = "cluster.yaml"
    process: subprocess.Popen[bytes] | None = None

    def slow_down(self, *labels: str, how: str = "slow") -> None:
        """Slow the trainings with these labels down, or those to come; `hung` ones stand still."""
        (self.folder / how).mkdir(parents=True, exist_ok=True)
        for label in labels:
            (self.folder / how / label.replace("/", "_")).touch()

    def speed_up(self, *labels: str) -> None:
        """Let the trainings with these labels go on at full speed."""
        for how in ("slow", "hung"):
            for label in labels:
                (self.folder / how / label.replace("/", "_")).unlink(missing_ok=True)

    def command(self, *words: str) -> list[str]:
        """Return the command that runs it."""
        end = ["--directory", str(self.folder), "--configfile", str(self.tree / self.config)]
        return [sys.executable, "-m", "snakemake", *self.targets, *words, *end]

    def start(self, *words: str) -> None:
        """Start Snakemake; what it says goes to `said` in its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "said").open("ab") as output:
            self.process = subprocess.Popen(
                self.command(*words),
                cwd=self.tree,
                env=environment(),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def run(self, *words: str) -> int:
        """Run Snakemake to its end and return its exit status."""
        self.start(*words)
        return self.wait()

    def wait(self) -> int:
        """Wait for Snakemake's end and return its exit status."""
        assert self.process is not None
        return self.process.wait(timeout=SECONDS)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End Snakemake by a signal and wait until it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(timeout=60)

    @property
    def output(self) -> str:
        """All that Snakemake said."""
        return (self.folder / "said").read_text(errors="replace")

    @property
    def run_ids(self) -> list[str]:
        """The names that its jobs have in the queue, one for each start of Snakemake."""
        return re.findall(r"SLURM run ID: (\S+)", self.output)

    def jobs(self, label: str) -> list[Job]:
        """Return the Slurm jobs of a training so far, by the condition in their comment."""
        comment = "rule_train_wildcards_cpu_" + label.replace("lag=", "").replace("seeds=", "").replace("/", "_")
        mine = [job for job in all_jobs() if job["WorkDir"] == str(self.folder) and job["Comment"] == comment]
        return sorted(mine, key=lambda job: int(job["JobId"]))

    def restarts(self, label: str) -> int:
        """Return how often a training went on from a checkpoint, by its provenance."""
        provenance = self.folder / "results/tiny/runs/cpu" / f"{label}.provenance.json"
        actual: int = json.loads(provenance.read_text())["restarts"]
        return actual

    def kept(self, label: str) -> Job | None:
        """Return the job that trains a condition now, once it has a checkpoint; the pipeline trains only this one."""
        return self.running(label) if list(self.folder.glob("results/tiny/checkpoints/*/last.checkpoint")) else None

    def running(self, label: str) -> Job | None:
        """Return the job that trains a condition now, once its training has begun."""
        log = self.folder / "results/tiny/logs/cpu" / f"{label}.log"
        actual = next((job for job in self.jobs(label) if job["JobState"] == "RUNNING"), None)
        return actual if actual and "update" in (log.read_text() if log.exists() else "") else None


def environment() -> dict[str, str]:
    """Return the surroundings of Snakemake: none of pytest's or ours, and programs of root."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LAGBENCH", "PYTEST", "SLURM"))}
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    return clean | {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def copy_code(tree: Path) -> None:
    """Copy the source tree, set up for this cluster as a user would for another, with trainings that can be slow."""
    tree.mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir() and not (ROOT / part).is_symlink():
            shutil.copytree(ROOT / part, tree / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / part, tree / part, follow_symlinks=False)
    with (tree / "training/progress.py").open("a") as file:
        file.write(SLOW)
    profile = tree / "workflow/profiles/slurm/profile.yaml"
    text = profile.read_text()
    for old, new in (
        ("# slurm_partition: yours", "slurm_partition: main"),
        ("status-checks: 30", "status-checks: 3"),
        ("latency-wait: 60", "latency-wait: 10"),
    ):
        assert old in text
        text = text.replace(old, new)
    profile.write_text(text)
    (tree / "cluster.yaml").write_text(yaml.safe_dump(CONFIG))
    (tree / "gpu.yaml").write_text(yaml.safe_dump(ON_GPU))
    (tree / "packed.yaml").write_text(yaml.safe_dump(merge(CONFIG, {"conditions_per_job": 3})))


def slurm(*command: str) -> str:
    """Run one of Slurm's programs and return what it says."""
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def all_jobs() -> list[Job]:
    """Return all jobs that Slurm remembers."""
    lines = slurm("scontrol", "--oneliner", "show", "job").splitlines()
    jobs = (dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines if line.startswith("JobId="))
    return [Job({"Comment": "", **fields}) for fields in jobs]


def wait_for(what: Callable[[], Any], *, seconds: int = SECONDS) -> Any:
    """Return what a function returns as soon as it is true."""
    end = time.monotonic() + seconds
    while not (actual := what()):
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.5)
    return actual
