"""A folder with a configuration of its own, in which the project's Snakemake plans or runs the tiny experiment."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import ExitStack, chdir
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

from records.canonical_json import compute_digest
from records.writing import write_json
from tests.settings import TINY, tiny
from workflow.experiment.experiment import Experiment, complete
from workflow.experiment.source_tree import FOLDERS
from workflow.jobs.derived import list_derived, write_digest
from workflow.jobs.requested import list_requests
from workflow.operations.outcome import read_installed_versions

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "tiny.yaml"
PLUGIN_PACKAGES = [import_module(".".join(folder.parts)) for folder in FOLDERS.values()]
OUTER = """
module lagbench:
    snakefile: "{root}/Snakefile"
    config: {config}
    prefix: "below"

use rule * from lagbench as lagbench_*


rule everything:
    default_target: True
    input: rules.lagbench_all.input
"""


class PlannedJob(NamedTuple):
    """A job that Snakemake would run."""

    rule: str
    wildcards: dict[str, str]
    output: list[str]
    threads: int
    priority: int
    resources: dict[str, Any]
    shell: str
    """The command; empty where the job is a script."""


class Plan(NamedTuple):
    """What Snakemake would run, and the environment that it would run it in."""

    jobs: list[PlannedJob]
    environment: dict[str, str]

    def rules(self) -> set[str]:
        """Return the rules that have a job; of the rules that make tables, the tables."""
        return {job.wildcards.get("table", job.rule) for job in self.jobs}

    def select(self, rule: str) -> list[PlannedJob]:
        """Return the jobs of a rule."""
        return [job for job in self.jobs if job.rule == rule]

    def names(self, rule: str = "train") -> set[str]:
        """Return the names of the records that a rule's jobs write, below the folder of their device."""
        return {job.output[0].partition("/cpu/")[2].removesuffix(".json") for job in self.select(rule)}


@dataclass(frozen=True)
class Workspace:
    """A working directory with the configuration `tiny.yaml`, of the project's code or of another Snakefile."""

    root: Path
    snakefile: Path = ROOT / "Snakefile"

    def configure(self, **changes: object) -> None:
        """Write the tiny configuration with some keys changed."""
        (self.root / CONFIG).write_text(yaml.safe_dump(tiny(**changes)))

    def copy_to(self, folder: Path) -> "Workspace":
        """Copy the folder with its times."""
        return Workspace(shutil.copytree(self.root, folder, symlinks=True, dirs_exist_ok=True), self.snakefile)

    def load_experiment(self) -> Experiment:
        """Return the experiment of the configuration."""
        with chdir(self.root):
            return Experiment(complete(yaml.safe_load(Path(CONFIG).read_text()), root=ROOT), root=ROOT)

    def write_records(self, *, other_version: Collection[str] = ()) -> None:
        """Write all run records and their provenance, without training; those that are named as of another torch."""
        with chdir(self.root):
            versions = read_installed_versions()
            for request in list_requests(self.load_experiment(), "run"):
                own = versions | {"torch": "0.1"} if request.path in other_version else versions
                path, stamps = Path(request.path), {"sources": request.sources, "versions": own}
                write_json(path, {"settings": request.settings, "sources": request.sources})
                provenance = stamps | {"settings": compute_digest(request.settings)}
                write_json(path.with_suffix(".provenance.json"), provenance)

    def write_derived(self) -> None:
        """Write stand-ins of all tables and figures, as if computed from the records that are there."""
        with chdir(self.root):
            for derived in list_derived(self.load_experiment()):
                for path in map(Path, derived.outputs):
                    path.parent.mkdir(exist_ok=True)
                    path.write_text(path.name)
                write_digest(derived)

    def plan(self, *targets: str, config: str | None = CONFIG, cores: int = 1, **settings: Any) -> Plan:
        """Return what Snakemake would run, found out within this process; `settings` are those of DAGSettings."""
        files = [self.root / config] if config else []
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("LAGBENCH", "MAKE"))}
        with (
            mock.patch.dict(os.environ, outside, clear=True),
            mock.patch.object(sys, "path", [*sys.path]),
            SnakemakeApi(OutputSettings(dryrun=True, enable_file_logging=False)) as snakemake,
            ExitStack() as end,
        ):
            end.callback(sys.modules.update, dict(sys.modules))  # an imported workflow that fails leaves ours out
            for package in PLUGIN_PACKAGES:  # no other test of this process shall find the plug-ins
                end.enter_context(mock.patch.object(package, "__path__", [*package.__path__]))
            api = snakemake.workflow(
                resource_settings=ResourceSettings(cores=cores),
                config_settings=ConfigSettings(configfiles=files),
                snakefile=self.snakefile,
                workdir=self.root,
            )
            api.dag(DAGSettings(targets={*targets}, **settings)).execute_workflow(executor="dryrun")
            jobs = [
                PlannedJob(
                    job.rule.name, dict(job.wildcards_dict), [str(path) for path in job.output], job.threads,
                    job.priority, dict(job.resources.items()), job.shellcmd or "",
                )
                for job in api._workflow.dag.needrun_jobs(exclude_finished=False)
            ]  # fmt: skip
            return Plan(jobs, dict(os.environ))

    def snakemake(
        self, *words: str, config: str | None = CONFIG, check: bool = True, environment: Mapping[str, str] = {}
    ) -> str:
        """Run Snakemake in the folder as a process, with no activated environment; return all that it prints."""
        configured = ["--configfile", config] if config else []
        done = self.run("snakemake", "--snakefile", str(self.snakefile), *words, *configured, environment=environment)
        if check:
            assert done.returncode == 0, done.stdout[-5000:]
        return done.stdout

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of our own commands in the folder as a process."""
        return self.run("workflow", *words)

    def run(self, module: str, *words: str, environment: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        """Run a module in the folder; its standard error goes to its standard output."""
        outside = {
            name: text for name, text in os.environ.items() if not name.startswith(("LAGBENCH", "PYTEST", "MAKE"))
        }
        clean = {"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=self.root,
            env=outside | clean | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )


def write_outer_workflow(folder: Path, **changes: Any) -> Workspace:
    """Write a workflow, with a folder named like our package, that imports this one with a partial configuration."""
    (folder / "workflow").mkdir(parents=True)
    (folder / "workflow" / "notes.py").touch()
    grid = [{"devices": ["cpu"], "tasks": ["copy"], "models": ["rnn"], "gradients": ["full"]}]
    config = {name: TINY[name] for name in ("tasks", "models", "training", "figures", "learning_rates")}
    config |= {"experiment": "imported", "seeds": [0], "grid": grid} | changes
    (folder / "Snakefile").write_text(OUTER.format(root=ROOT, config=config))
    return Workspace(folder, folder / "Snakefile")


def read_record(path: Path) -> dict[str, Any]:
    """Read a record."""
    return dict(json.loads(path.read_text()))
