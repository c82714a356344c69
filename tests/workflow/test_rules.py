"""The rules by dry runs: plain calls, another directory, a workflow that imports this one, lint and format."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.settings import TINY, TINY_RUNS
from tests.workflow.conftest import Tree

ROOT = Path(__file__).resolve().parents[2]


def test_dry_run_has_one_job_per_condition_and_one_per_table_and_figure(fresh):
    jobs = fresh.jobs()
    assert jobs.pop("train") == TINY_RUNS
    assert jobs.pop("figure") == {"accuracy_versus_lag", "solved_versus_lag"}
    assert sorted(jobs) == ["all", "comparisons", "curves", "provenance", "statistics", "summary"]


def test_seed_blocks_have_the_configured_size(fresh):
    fresh.configure(seeds_per_job=2)
    blocks = {run.replace("seeds=0-2", f"seeds={block}") for run in TINY_RUNS for block in ("0-1", "2")}
    assert fresh.to_train() == blocks


def test_plain_call_runs_the_default_configuration_from_any_directory(fresh, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    inside = fresh.snakemake("-n", "--quiet", "rules", config=None)
    outside = fresh.snakemake("-n", "--quiet", "rules", "--directory", str(elsewhere), config=None)
    counts = [line for line in inside.splitlines() if line.startswith(("train ", "figure "))]
    assert counts
    assert counts == [line for line in outside.splitlines() if line.startswith(("train ", "figure "))]


def test_local_profile_is_used_by_itself(fresh):
    assert "Using workflow specific profile" in fresh.snakemake("-n", "--quiet", "rules")
    profile = yaml.safe_load((fresh.root / "profiles/default/profile.yaml").read_text())
    assert profile["keep-going"] is True


OUTER = """
module lagbench:
    snakefile: "{root}/Snakefile"
    config: {config}
{prefix}

use rule * from lagbench as lagbench_*


rule everything:
    default_target: True
    input: rules.lagbench_all.input
"""


def import_as_module(tree: Tree, folder: Path, *, prefix: str = "") -> Tree:
    """Write a workflow, with a folder named like our package, that imports the tree with a partial configuration."""
    (folder / "workflow").mkdir(parents=True)
    (folder / "workflow" / "notes.py").touch()
    grid = [{"devices": ["cpu"], "tasks": ["copy"], "models": ["rnn"], "gradients": ["full"]}]
    config = {name: TINY[name] for name in ("tasks", "models", "training", "figures", "learning_rates")}
    config |= {"experiment": "imported", "seeds": [0], "grid": grid}
    line = f'    prefix: "{prefix}"\n' if prefix else ""
    (folder / "Snakefile").write_text(OUTER.format(root=tree.root, config=config, prefix=line))
    return Tree(folder)


@pytest.mark.parametrize("prefix", ["", "below"])
def test_import_as_module_merges_the_partial_configuration(fresh, tmp_path, prefix):
    outer = import_as_module(fresh, tmp_path / "outer", prefix=prefix)
    output = outer.snakemake("-n", config=None)
    assert output.count("rule lagbench_train:\n") == 1
    start = f"{prefix}/results" if prefix else "results"
    assert f"output: {start}/imported/runs/cpu/copy/lag=11/rnn/full/seeds=0.json," in output


def test_an_outer_workflow_keeps_its_packages_that_are_named_like_ours(fresh, tmp_path):
    outer = import_as_module(fresh, tmp_path / "outer")
    for package in ("workflow", "models"):
        (outer.root / package).mkdir(exist_ok=True)
        (outer.root / package / "__init__.py").write_text("MINE = True\n")
    snakefile = outer.root / "Snakefile"
    after = "from workflow import notes\nfrom models import MINE\n"
    snakefile.write_text(f"from workflow import MINE\n{snakefile.read_text()}\n{after}")
    assert "rule lagbench_train:" in outer.snakemake("-n", config=None)


def test_mistake_in_an_imported_configuration_is_one_line_too(fresh, tmp_path):
    outer = import_as_module(fresh, tmp_path / "outer")
    outer.edit("Snakefile", "'seeds': [0]", "'seeds': [-1]")
    output = outer.snakemake("-n", config=None, check=False)
    assert "config: seeds[0]: expected an integer >= 0" in output
    assert "Traceback" not in output


def test_threads_reach_the_job_and_its_libraries(fresh):
    fresh.configure(threads=2)
    (fresh.root / "workflow/scripts/job.py").write_text(
        "import os, sys\nsys.exit(f'error: OMP {os.environ[\"OMP_NUM_THREADS\"]} {sys.argv[5:7]}')\n"
    )
    output = fresh.snakemake("--cores", "2", "--until", "train", "--quiet", "all", check=False)
    assert output.count("OMP 2 ['--threads', '2']") == len(TINY_RUNS)


@pytest.mark.parametrize(("cores", "alone"), [("1", True), ("2", False)])
def test_job_that_runs_alone_tells_its_progress_on_the_terminal(fresh, cores, alone):
    (fresh.root / "workflow/scripts/job.py").write_text(
        "import sys\nsys.path.insert(0, sys.argv[0].rpartition('/workflow/')[0])\n"
        "from records.log import log_line\nlog_line('update 7/9')\nsys.exit('error: enough')\n"
    )
    output = fresh.snakemake("--cores", cores, "--until", "train", check=False)
    assert ("update 7/9\n" in output) == alone, output


def test_whatever_reaches_the_shell_is_quoted():
    rule = (ROOT / "workflow/rules/jobs.smk").read_text()
    for field in ("params.settings", "params.sources", "output.record", "output.provenance", "log"):
        assert f"{{{field}:q}}" in rule


def test_lint_is_clean(fresh):
    assert "in a good condition" in fresh.snakemake("--lint", config=None)


@pytest.mark.slow
def test_lint_sees_a_rule_without_a_log(fresh):
    fresh.edit("workflow/rules/jobs.smk", " 2> {log:q}", "")
    fresh.edit("workflow/rules/jobs.smk", "        log:\n", "        benchmark:\n")
    assert "No log directive" in fresh.snakemake("--lint", config=None, check=False)


def test_rules_are_formatted():
    snakefmt = shutil.which("snakefmt", path=str(Path(sys.executable).parent))
    assert snakefmt
    done = subprocess.run(
        [snakefmt, "--check", "Snakefile", "workflow/rules"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_dry_run_plans_ten_thousand_conditions(fresh):
    tasks = {"adding": {"lags": list(range(2, 5002)), "sequences": 64}, "copy": {"lags": list(range(11, 5011))}}
    grid = [{"devices": ["cpu"], "tasks": ["adding", "copy"], "models": ["rnn"], "gradients": ["full"]}]
    fresh.configure(tasks=tasks, grid=grid)
    output = fresh.snakemake("-n", "--quiet", "rules")
    assert re.search(r"^train +10000$", output, re.M)
