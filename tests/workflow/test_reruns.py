"""What is trained again after a change, and what is not: over a tree whose runs are all there.

Most cases ask twice: the configuration package, which is quick, and (slow) a dry run of Snakemake, which decides.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.settings import TINY, TINY_RUNS
from tests.workflow.conftest import Tree
from workflow.experiment.experiment import Experiment, complete
from workflow.jobs.derived import list_derived, write_digest
from workflow.jobs.records import is_current
from workflow.jobs.requested import list_requests
from workflow.operations.outcome import find_problems

ADDING = {run for run in TINY_RUNS if run.startswith("adding")}
RNN = {run for run in TINY_RUNS if "/rnn/" in run}
Plan = Callable[[Tree], set[str]]


def load(tree: Tree) -> Experiment:
    """Return the experiment of a tree, which becomes the working directory."""
    os.chdir(tree.root)
    return Experiment(complete(yaml.safe_load(Path("tiny.yaml").read_text()), root=tree.root), root=tree.root)


@pytest.fixture
def finished(tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tree:
    """A tree with stand-ins of all tables and figures, computed from the runs that are there; without metadata."""
    monkeypatch.chdir(tmp_path)
    for derived in list_derived(load(tree)):
        for path in map(Path, derived.outputs):
            path.parent.mkdir(exist_ok=True)
            path.write_text(path.name)
        write_digest(derived)
    shutil.rmtree(".snakemake")
    return tree


def by_record(tree: Tree) -> set[str]:
    """Return the runs whose record is missing or holds other settings or sources than are asked for."""
    stale = set()
    for request in list_requests(load(tree), "run"):
        if not is_current(request, path=tree.root / request.path):
            stale.add(request.path.partition("/cpu/")[2].removesuffix(".json"))
    return stale


@pytest.fixture(params=["record", pytest.param("snakemake", marks=pytest.mark.slow)])
def to_train(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Plan:
    """One of two ways to find out what would be trained."""
    monkeypatch.chdir(tmp_path)
    return by_record if request.param == "record" else Tree.to_train


def test_first_everything_is_trained_and_then_nothing(fresh, tree):
    assert fresh.to_train() == TINY_RUNS
    assert tree.to_train() == set()


@pytest.mark.parametrize(
    ("path", "runs"),
    [
        ("tasks/adding.py", ADDING),
        ("tasks/copy.py", TINY_RUNS - ADDING),
        ("tasks/temporal_order.py", set()),
        ("models/rnn.py", RNN),
        ("models/lstm.py", TINY_RUNS - RNN),
        ("models/kernels/reference.py", TINY_RUNS),
        ("training/protocols/minibatch.py", TINY_RUNS),
        ("training/progress.py", set()),
        ("training/provenance.py", set()),
    ],
)
def test_code_edit_retrains_exactly_the_runs_it_can_change(tree, to_train, path, runs):
    with (tree.root / path).open("a") as file:
        file.write("\nEDITED = True\n")
    assert to_train(tree) == runs


def test_comments_docstrings_and_file_times_retrain_nothing(tree):
    for path in ("tasks/adding.py", "models/lstm.py", "training/protocols/minibatch.py"):
        text = (tree.root / path).read_text()
        opening = text.index('"""') + 3
        (tree.root / path).write_text(text[:opening] + "Another sentence. " + text[opening:] + "\n\n# a comment\n")
    for folder, _, files in os.walk(tree.root):
        for name in files:
            if ".snakemake" not in folder and "results" not in folder:
                os.utime(f"{folder}/{name}", follow_symlinks=False)
    assert tree.to_train() == set()


def test_new_seed_trains_only_the_new_seed(tree):
    tree.configure(seeds=[0, 1, 2, 3])
    assert tree.to_train() == {run.replace("seeds=0-2", "seeds=3") for run in TINY_RUNS}


def test_fewer_seeds_and_other_block_sizes_train_nothing(tree, to_train):
    tree.configure(seeds=[2, 0], seeds_per_job=1)
    assert to_train(tree) == set()


def test_new_lag_trains_only_the_new_lag(tree, to_train):
    tree.configure(tasks={"adding": {"lags": [3, 2, 4]}})
    assert to_train(tree) == {"adding/lag=4/rnn/full/seeds=0-2", "adding/lag=4/lstm_peephole/tbptt/seeds=0-2"}


def test_new_model_trains_only_the_new_model(tree, to_train):
    grid = [TINY["grid"][0] | {"models": ["lstm", "rnn"]}, TINY["grid"][1]]
    tree.configure(grid=grid)
    assert to_train(tree) == {run.replace("/rnn/", "/lstm/") for run in RNN}


def test_definition_that_nothing_uses_trains_nothing(tree, to_train):
    tree.configure(models={"big": {"cell": "rnn", "hidden_size": 99, "initialisation": "uniform"}})
    assert to_train(tree) == set()


def test_changed_setting_retrains_the_runs_that_have_it(tree, to_train):
    tree.configure(models={"rnn": {"hidden_size": 3}})
    assert to_train(tree) == RNN


def test_same_value_written_otherwise_trains_nothing(tree, to_train):
    tree.configure(training={"clip_norm": 1, "evaluate_every": 1.0}, learning_rates=[1.0e-2])
    assert to_train(tree) == set()


def test_threads_cores_profile_and_place_train_nothing(tree):
    tree.configure(threads=2, figures=[])
    assert tree.to_train("--cores", "7") == set()
    assert tree.to_train("--workflow-profile", "none") == set()
    moved = tree.root.rename(tree.root.with_name("elsewhere"))
    assert type(tree)(moved).to_train() == set()


def test_clone_with_copied_results_trains_nothing(tree, tmp_path):
    """Every file is of now: the sources by `git clone`, the results in any order and without Snakemake's books."""
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-C", str(tree.root)]
    sources = [name for name in os.listdir(tree.root) if name not in ("results", ".snakemake")]
    for words in (["init", "--quiet"], ["add", *sources], ["commit", "--quiet", "-m", "x"]):
        subprocess.run([*git, *words], check=True, timeout=60)
    clone = type(tree)(tmp_path / "clone")
    subprocess.run(["git", "clone", "--quiet", str(tree.root), str(clone.root)], check=True, timeout=60)
    shutil.copytree(tree.root / "results", clone.root / "results", copy_function=shutil.copyfile)
    now = time.time()
    for age, path in enumerate(sorted(path for path in clone.root.rglob("*") if path.is_file())):
        os.utime(path, (now - age, now - age))
    assert clone.to_train() == set()


def test_touched_results_and_another_version_train_nothing(tree):
    for path in (tree.root / "results").rglob("*"):
        os.utime(path)
    for path in (tree.root / "results").rglob("*.provenance.json"):
        path.write_text(json.dumps({"versions": {"torch": "0.1"}, "settings": "", "sources": ""}))
    assert tree.to_train() == set()


def test_code_edit_is_seen_by_snakemake(tree):
    tree.edit("models/rnn.py", "class RNNCell(Cell):", "EDITED = True\n\n\nclass RNNCell(Cell):")
    assert tree.to_train() == RNN


def test_lost_metadata_trains_nothing(tree):
    records = [path for path in (tree.root / ".snakemake" / "metadata").rglob("*") if path.is_file()]
    assert records
    for path in records:
        path.unlink()
    assert tree.to_train() == set()


def test_results_without_metadata_are_made_again_where_they_are_not_current(finished):
    assert finished.jobs() == {}
    finished.configure(seeds=[0, 1])
    assert set(finished.jobs()) == {"all", "figure", "comparisons", "curves", "provenance", "statistics", "summary"}
    finished.configure(seeds=[0, 1, 2, 3], tasks={"adding": {"sequences": 32}})
    jobs = finished.jobs()
    assert jobs["train"] == ADDING | {run.replace("seeds=0-2", "seeds=3") for run in TINY_RUNS}
    assert jobs["figure"] == {"accuracy_versus_lag", "solved_versus_lag"}


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda tree: None, []),
        (lambda tree: tree.configure(seeds=[0, 1]), ["stale: results/tiny/summary.csv"]),
        (lambda tree: tree.configure(seeds=[0, 1, 2, 3]), ["missing: results/tiny/runs/", "stale: results/tiny/sum"]),
        (lambda tree: (tree.root / "results/tiny/curves.csv").unlink(), ["missing: results/tiny/cur", "stale: "]),
        (lambda tree: append(tree.root / "results/tiny/statistics.csv"), ["stale: results/tiny/statistics.csv"]),
        (lambda tree: append(tree.root / "workflow/figures/solved_versus_lag.py"), ["stale: results/tiny/figures/so"]),
    ],
)
def test_outcome_names_what_is_missing_or_stale(finished, change, problems):
    change(finished)
    actual = list(find_problems(load(finished)))
    assert len(actual) == len(problems)
    assert all(line.startswith(begin) for line, begin in zip(actual, problems, strict=True)), actual


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("EDITED = True\n")


def test_touched_metadata_makes_nothing_current(finished):
    finished.configure(seeds=[0, 1])
    with pytest.raises(AssertionError, match=r"stale: results/tiny/summary\.csv"):  # an exit code other than 0
        finished.snakemake("--cores", "1", "--touch")
