"""The fused kernel is compiled before anything trains, and no run is ever stale for want of it."""

import re
import shutil
from pathlib import Path

import pytest

from tests.settings import TINY, TINY_RUNS
from tests.workflow.conftest import UNTRAINED, Tree, copy_tree
from tests.workflow.test_rules import import_as_module
from workflow.experiment.experiment import Experiment

ROOT = Path(__file__).resolve().parents[2]
FUSED = {"training": {"kernel": "cpu"}}
JOURNAL = """
import time
def note(line):
    with open("journal.txt", "a") as file:
        file.write(line + "\\n")
"""
STUBS = {
    "compile_kernel.py": JOURNAL + "note('kernel begins')\ntime.sleep(1)\nnote('kernel ends')\n",
    "job.py": JOURNAL + UNTRAINED + "note('train')\n",
}


def stub(tree: Tree) -> Tree:
    """Let the jobs note when they run, and neither compile nor train."""
    tree.configure(**FUSED)
    for name, text in STUBS.items():
        (tree.root / "workflow/scripts" / name).write_text(text)
    return tree


@pytest.fixture(scope="module")
def noted(pristine: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree whose runs are all there and written by stubs; its summary, which no stub can give, failed."""
    tree = stub(copy_tree(pristine.root, tmp_path_factory.mktemp("noted") / "tree"))
    tree.snakemake("--cores", "2", "results/tiny/summary.csv", check=False)
    return tree


@pytest.fixture
def kept(noted: Tree, tmp_path: Path) -> Tree:
    return copy_tree(noted.root, tmp_path / "kept")


def test_kernel_goes_first_and_alone(noted):
    journal = (noted.root / "journal.txt").read_text().splitlines()
    assert journal == ["kernel begins", "kernel ends", *["train"] * len(TINY_RUNS)]


@pytest.mark.parametrize("scheduler", ["ilp", "greedy"])
def test_kernel_goes_first_under_either_scheduler(fresh, scheduler):
    stub(fresh).snakemake("--cores", "4", "results/tiny/summary.csv", "--scheduler", scheduler, check=False)
    journal = (fresh.root / "journal.txt").read_text().splitlines()
    assert journal[:2] == ["kernel begins", "kernel ends"]


def test_new_seed_without_a_marker_trains_only_the_new_seed(kept):
    (kept.root / "results/tiny/kernel.compiled").unlink()
    kept.configure(**FUSED, seeds=[0, 1, 2, 3])
    jobs = kept.jobs()
    assert jobs["train"] == {run.replace("seeds=0-2", "seeds=3") for run in TINY_RUNS}
    assert jobs["kernel"] == {""}


def test_marker_newer_than_the_runs_trains_nothing(kept):
    (kept.root / "results/tiny/kernel.compiled").touch()
    jobs = kept.jobs()
    assert "summary" in jobs
    assert not {"train", "kernel"} & set(jobs)


def test_one_run_alone_waits_for_no_kernel(fresh):
    fresh.configure(**FUSED)
    assert set(fresh.jobs("results/tiny/runs/cpu/copy/lag=11/rnn/full/seeds=0-2.json")) == {"train"}


def test_failing_compilation_stops_nothing_and_is_told(fresh):
    stub(fresh)
    (fresh.root / "workflow/scripts/compile_kernel.py").write_text("import sys\nsys.exit('error: no compiler')\n")
    output = fresh.snakemake("--cores", "2", "results/tiny/summary.csv", check=False)
    assert "the fused kernel was not compiled ahead of the jobs; the log of rule kernel says why\n" in output
    assert (fresh.root / "results/tiny/logs/kernel.log").read_text() == "error: no compiler\n"
    assert (fresh.root / "journal.txt").read_text().splitlines() == ["train"] * len(TINY_RUNS)


@pytest.mark.parametrize(
    ("changes", "fused"),
    [
        (FUSED, True),
        ({}, False),
        (FUSED | {"grid": [TINY["grid"][0] | {"devices": ["cuda"]}]}, False),
        (FUSED | {"grid": [TINY["grid"][0] | {"devices": ["cuda"]}, TINY["grid"][1]]}, True),
    ],
)
def test_only_an_experiment_with_fused_runs_compiles(fresh, changes, fused):
    config = TINY | changes | {"training": TINY["training"] | changes.get("training", {})}
    assert Experiment(config, root=fresh.root).is_fused == fused


def test_imported_workflow_compiles_too(fresh, tmp_path):
    outer = import_as_module(fresh, tmp_path / "outer", prefix="below")
    outer.edit("Snakefile", "'kernel': 'reference'", "'kernel': 'cpu'")
    output = outer.snakemake("-n", config=None)
    assert output.count("rule lagbench_kernel:\n") == 1
    assert "output: below/results/imported/kernel.compiled\n" in output


@pytest.fixture(scope="module")
def trained(pristine: Tree, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree in which the tiny benchmark has run to its end on the fused kernel, compiled by its rule."""
    tree = copy_tree(pristine.root, tmp_path_factory.mktemp("fused") / "tree")
    tree.configure(**FUSED)
    output = tree.snakemake("--cores", "2")
    assert output.count("compiling the fused kernel, once for this type of CPU: about ") == 1
    assert re.search("^the fused kernel was compiled in ", (tree.root / "results/tiny/logs/kernel.log").read_text())
    return tree


@pytest.mark.slow
def test_finished_experiment_has_nothing_to_do_whatever_became_of_the_marker(trained, tmp_path):
    marker = trained.root / "results/tiny/kernel.compiled"
    assert not marker.exists()
    for words in ((), ("--workflow-profile", "none")):
        assert "Nothing to be done" in trained.snakemake("--cores", "2", *words)
    clone = copy_tree(trained.root, tmp_path / "clone")
    shutil.rmtree(clone.root / ".snakemake")
    assert "Nothing to be done" in clone.snakemake("--cores", "2")
    (clone.root / "results/tiny/kernel.compiled").touch()
    assert "Nothing to be done" in clone.snakemake("--cores", "2")


@pytest.mark.slow
def test_compiled_kernel_is_found_by_the_rule_and_by_every_job(trained, tmp_path):
    (trained.root / "training/progress.py").write_text(REPORTER)
    trained.configure(**FUSED, seeds=[3], models={"lstm": {"forget_gate": False}}, grid=GRID)
    output = trained.snakemake("--cores", "2", "results/tiny/summary.csv")
    assert "compiling the fused kernel" not in output
    assert (
        "the fused kernel was found, compiled before, in "
        in (trained.root / "results/tiny/logs/kernel.log").read_text()
    )
    logs = [path.read_text() for path in trained.root.glob("results/tiny/logs/cpu/**/seeds=3.log")]
    assert len(logs) == 6
    for text in logs:
        assert re.search(r"^loaded [1-9]\d*, compiled 0$", text.splitlines()[-1])


GRID = [{"devices": ["cpu"], "tasks": ["adding", "copy"], "models": ["rnn", "lstm"], "gradients": ["full"]}]
REPORTER = """
import sys
from numba.core.dispatcher import Dispatcher
class ProgressLog:
    def __init__(self, write, label):
        self.write = write
    def __call__(self, progress):
        modules = [module for name, module in sys.modules.items() if name.startswith("models.kernels.")]
        found = {d for module in modules for d in vars(module).values() if isinstance(d, Dispatcher)}
        hits, misses = (sum(sum(getattr(d.stats, s).values()) for d in found) for s in ("cache_hits", "cache_misses"))
        self.write(f"loaded {hits}, compiled {misses}")
"""
