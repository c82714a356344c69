"""The rules, by what Snakemake would run: records, tables and figures, what reaches a job, imported workflows."""

import json
import os
import shlex
import subprocess

import pytest

from tests.settings import FUSED, TINY, TINY_RUNS
from tests.workflow.workspace import CONFIG, ROOT, write_outer_workflow
from workflow.experiment.experiment import Experiment, complete
from workflow.jobs.requested import list_requests

RECORD = "results/tiny/runs/cpu/copy/lag=11/rnn/full/seeds=0-2.json"
TABLES = {"comparisons", "curves", "provenance", "statistics", "summary"}


def test_there_is_one_job_per_run_table_and_figure(workspace):
    plan = workspace.plan()
    assert plan.names() == TINY_RUNS
    assert {job.wildcards["figure"] for job in plan.select("figure")} == set(TINY["figures"])
    assert plan.rules() == {"all", "figure", "train", *TABLES}


def test_without_a_configuration_the_default_one_is_run(workspace):
    default = Experiment(complete({}, root=ROOT), root=ROOT)
    assert len(workspace.plan(config=None).select("train")) == len(list_requests(default, "run"))


def test_what_reaches_a_job_is_quoted(workspace):
    workspace.configure(threads=2)
    (job,) = workspace.plan(RECORD, cores=2).jobs
    words = shlex.split(job.shell)
    given = dict(zip(words[2::2], words[3::2], strict=False))
    (request,) = (item for item in list_requests(workspace.load_experiment(), "run") if item.path == RECORD)
    assert json.loads(given["--settings"]) == request.settings
    assert (given["--sources"], given["--record"], given["--threads"]) == (request.sources, RECORD, "2")
    assert job.threads == 2


@pytest.mark.parametrize(("cores", "alone"), [(1, "yes"), (2, "")])
def test_a_job_that_runs_alone_may_write_to_the_terminal(workspace, cores, alone):
    assert workspace.plan(RECORD, cores=cores).environment["LAGBENCH_TERMINAL"] == alone


def test_the_kernel_is_compiled_first_with_all_cores_where_a_run_needs_it(workspace):
    workspace.configure(**FUSED)
    (kernel,) = workspace.plan(cores=4).select("kernel")
    assert (kernel.priority, kernel.threads) == (1000, 4)
    assert workspace.plan(RECORD).rules() == {"train"}  # one run alone compiles it itself


def test_no_finished_run_is_stale_for_want_of_a_compiled_kernel(workspace):
    workspace.configure(**FUSED)
    workspace.write_records()
    marker = workspace.root / "results/tiny/kernel.compiled"
    marker.touch()
    assert workspace.plan().rules() == {"all", "figure", *TABLES}
    marker.unlink()
    workspace.configure(**FUSED, seeds=[0, 1, 2, 3])
    plan = workspace.plan()
    assert plan.names() == {run.replace("seeds=0-2", "seeds=3") for run in TINY_RUNS}
    assert "kernel" in plan.rules()


def test_a_compilation_that_fails_fails_no_job(workspace):
    workspace.configure(**FUSED)
    (kernel,) = workspace.plan().select("kernel")
    (workspace.root / "results/tiny/logs").mkdir(parents=True)
    environment = os.environ | {"LAGBENCH_PYTHON": "false", "LAGBENCH_ROOT": str(ROOT)}
    subprocess.run(kernel.shell, shell=True, cwd=workspace.root, env=environment, check=True)


CUDA = {"grid": [TINY["grid"][0] | {"devices": ["cuda"]}]}


@pytest.mark.parametrize(
    ("changes", "is_fused"),
    [(FUSED, True), ({}, False), (FUSED | CUDA, False), (FUSED | {"grid": [*CUDA["grid"], TINY["grid"][1]]}, True)],
)
def test_only_an_experiment_with_fused_runs_compiles(workspace, changes, is_fused):
    workspace.configure(**changes)
    assert workspace.load_experiment().is_fused == is_fused


def test_an_imported_workflow_merges_its_configuration_and_leaves_the_outer_its_packages(tmp_path):
    outer = write_outer_workflow(tmp_path / "outer", training=TINY["training"] | {"kernel": "cpu"})
    for package in ("workflow", "models"):
        (outer.root / package).mkdir(exist_ok=True)
        (outer.root / package / "__init__.py").write_text("MINE = True\n")
    before, after = "from workflow import MINE\n", "from workflow import notes\nfrom models import MINE\n"
    outer.snakefile.write_text(f"{before}{outer.snakefile.read_text()}{after}")
    output = outer.snakemake("-n", config=None)
    assert output.count("rule lagbench_train:\n") == 1
    assert "output: below/results/imported/runs/cpu/copy/lag=11/rnn/full/seeds=0.json," in output
    assert "output: below/results/imported/kernel.compiled\n" in output


def test_a_mistake_ends_snakemake_with_one_line_and_starts_nothing(workspace):
    (workspace.root / CONFIG).write_text("claims: '`touch canary`'\n")
    output = workspace.snakemake("--cores", "1", check=False)
    assert [line for line in output.splitlines() if line.startswith("config: ")] == [output.splitlines()[-1]]
    assert "Traceback" not in output
    assert {path.name for path in workspace.root.iterdir()} <= {CONFIG, ".snakemake"}


def test_a_mistake_in_an_imported_configuration_is_one_line_too(tmp_path):
    with pytest.raises(SystemExit, match=r"^config: seeds\[0\]: expected an integer >= 0"):
        write_outer_workflow(tmp_path / "outer", seeds=[-1]).plan(config=None)
