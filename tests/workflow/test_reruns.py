"""What is trained again after a change, and what is not: over a folder whose runs are all there, without metadata."""

import re
from pathlib import Path

import pytest

from tests.settings import TINY, TINY_RUNS
from tests.workflow.workspace import Workspace
from workflow.experiment.source_tree import SourceTree
from workflow.jobs.records import is_current
from workflow.jobs.requested import list_requests
from workflow.operations.outcome import find_problems

ADDING = {run for run in TINY_RUNS if run.startswith("adding")}
RNN = {run for run in TINY_RUNS if "/rnn/" in run}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A folder with all run records and stand-ins of all tables and figures, computed from them."""
    workspace = Workspace(tmp_path_factory.mktemp("finished"))
    workspace.configure()
    workspace.write_records()
    workspace.write_derived()
    return workspace


@pytest.fixture
def finished(template: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A copy of it, to edit, as the working directory."""
    workspace = template.copy_to(tmp_path / "finished")
    monkeypatch.chdir(workspace.root)
    return workspace


def list_missing_or_stale(workspace: Workspace) -> set[str]:
    """Return the runs whose record is missing or holds other settings or sources than are requested."""
    requests = list_requests(workspace.load_experiment(), "run")
    return {name_of(request.path) for request in requests if not is_current(request, path=request.path)}


def name_of(path: str) -> str:
    """Return the name of a run by its path."""
    return path.partition("/cpu/")[2].removesuffix(".json")


DETERMINED = {
    "tasks/adding.py": ADDING,
    "tasks/copy.py": TINY_RUNS - ADDING,
    "tasks/temporal_order.py": set(),
    "models/rnn.py": RNN,
    "models/lstm.py": TINY_RUNS - RNN,
    "models/kernels/reference.py": TINY_RUNS,
    "training/protocols/minibatch.py": TINY_RUNS,
    "training/protocols/online.py": set(),
    "training/progress.py": set(),
    "training/provenance.py": set(),
}


def test_a_file_determines_exactly_the_runs_that_its_code_can_change(finished, monkeypatch):
    """The digest of a run's code is that of the files that it covers (test_sources)."""
    monkeypatch.setattr(SourceTree, "digest", SourceTree.closure)
    covered = {
        name_of(item.path): set(map(str, item.sources)) for item in list_requests(finished.load_experiment(), "run")
    }
    for path, runs in DETERMINED.items():
        assert {name for name, files in covered.items() if path in files} == runs, path


LSTM_TOO = [TINY["grid"][0] | {"models": ["lstm", "rnn"]}, TINY["grid"][1]]
UNUSED = {"cell": "rnn", "hidden_size": 99, "initialisation": "uniform"}


@pytest.mark.parametrize(
    ("changes", "runs"),
    [
        ({"seeds": [0, 1, 2, 3]}, {run.replace("seeds=0-2", "seeds=3") for run in TINY_RUNS}),
        ({"seeds": [2, 0], "seeds_per_job": 1}, set()),
        ({"tasks": {"adding": {"lags": [3, 2, 4]}}}, {re.sub("lag=.", "lag=4", run) for run in ADDING}),
        ({"grid": LSTM_TOO}, {run.replace("/rnn/", "/lstm/") for run in RNN}),
        ({"models": {"unused": UNUSED}}, set()),
        ({"models": {"rnn": {"hidden_size": 3}}}, RNN),
        ({"training": {"clip_norm": 1, "evaluate_every": 1.0}, "learning_rates": [1.0e-2]}, set()),
        ({"threads": 2, "figures": []}, set()),
    ],
)
def test_a_change_of_the_configuration_trains_what_it_changes_and_no_more(finished, changes, runs):
    finished.configure(**changes)
    assert list_missing_or_stale(finished) == runs


def test_snakemake_runs_what_is_not_current_and_no_more(finished):
    assert finished.plan().jobs == []
    finished.configure(seeds=[0, 1])
    assert finished.plan().rules() == {"all", "figure", "comparisons", "curves", "provenance", "statistics", "summary"}
    finished.configure(seeds=[0, 1, 2, 3], tasks={"adding": {"sequences": 32}})
    plan = finished.plan()
    assert plan.names() == ADDING | {run.replace("seeds=0-2", "seeds=3") for run in TINY_RUNS}
    assert {job.wildcards["figure"] for job in plan.select("figure")} == set(TINY["figures"])


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("EDITED = True\n")


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda workspace: None, []),
        (lambda workspace: workspace.configure(seeds=[0, 1]), ["stale: results/tiny/summary.csv"]),
        (
            lambda workspace: workspace.configure(seeds=[0, 1, 2, 3]),
            ["missing: results/tiny/runs/", "stale: results/tiny/sum"],
        ),
        (lambda workspace: Path("results/tiny/curves.csv").unlink(), ["missing: results/tiny/cur", "stale: "]),
        (lambda workspace: append(Path("results/tiny/statistics.csv")), ["stale: results/tiny/statistics.csv"]),
    ],
)
def test_outcome_names_what_is_missing_or_stale(finished, change, problems):
    change(finished)
    actual = list(find_problems(finished.load_experiment()))
    assert len(actual) == len(problems)
    assert all(line.startswith(begin) for line, begin in zip(actual, problems, strict=True)), actual


def test_partial_results_train_nothing_whatever_is_missing_or_stale(finished):
    Path("results/tiny/runs/cpu/copy/lag=11/rnn/full/seeds=0-2.json").unlink()
    finished.configure(learning_rates=[0.5])
    assert finished.plan("partial").rules() == {"partial"}
