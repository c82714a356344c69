"""Measuring jobs: one per run record, kept and repeated as runs are, and the tables and figures made of them."""

import json
from pathlib import Path

import pytest

from tests.settings import TINY, TINY_RUNS, tiny
from tests.workflow.echo import SMALL, write_cell
from tests.workflow.workspace import Workspace
from workflow.experiment.experiment import Experiment
from workflow.experiment.reading import merge
from workflow.experiment.source_tree import SourceTree
from workflow.jobs.requested import list_requests, list_requests_at

ROOT = Path(__file__).resolve().parents[2]
TABLES = ["snapshots", "gradient_versus_lag", "path_shares", "attribution", "alignment", "truncation_cost"]
FIGURES = ["gradient_versus_lag", "path_shares", "gradient_alignment", "truncation_cost"]
GRID = [
    {"devices": ["cpu"], "tasks": ["adding"], "models": ["rnn"], "gradients": ["full"]},
    {"devices": ["cpu"], "tasks": ["adding"], "models": ["lstm_peephole"], "gradients": ["full", "truncated_1997"]},
]
MEASURING = {
    "measurement": {"learning_rate": 0.01, "sequences": 4, "evaluations": 2, "flows": ["full", "truncated_1997"]},
    "tables": TABLES,
    "figures": FIGURES,
}


def test_there_is_one_job_per_run_record_and_per_table(workspace: Workspace) -> None:
    workspace.configure(**MEASURING)
    plan = workspace.plan()
    assert plan.names("measure") == plan.names() == TINY_RUNS
    assert {job.wildcards["figure"] for job in plan.select("figure")} == set(FIGURES)
    assert {*TABLES, "summary"} <= plan.rules()


def test_what_only_measuring_loads_trains_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SourceTree, "digest", SourceTree.closure)
    experiment = Experiment(tiny(**MEASURING), root=ROOT)
    run, measurement = (map(str, list_requests(experiment, kind)[0].sources) for kind in ("run", "measurement"))
    own = "training/gradients/decomposition.py"
    assert own in set(measurement) - set(run)


def test_a_job_is_given_the_rate_and_the_flows_that_its_model_can_have() -> None:
    experiment = Experiment(merge(TINY, MEASURING | {"grid": GRID, "learning_rates": [0.1, 0.01]}), root=ROOT)
    requests = list_requests(experiment, "measurement")
    given = {request.condition.model: request.settings for request in requests}
    assert given["rnn"]["measurement"]["flows"] == {"full": ["recurrent"]}
    assert given["lstm_peephole"]["measurement"]["flows"] == {
        "full": ["block_input", "cell", "gates", "output_peephole", "peepholes"],
        "truncated_1997": ["cell"],
    }
    assert given["rnn"]["learning_rates"] == [0.01]
    prefixed = list_requests_at(experiment, "measurement", [f"below/{request.path}" for request in requests])
    assert list(prefixed.values()) == requests


KILLED = (
    "import os, pathlib; pathlib.Path('kill').exists() and [*pathlib.Path('results').rglob('last.checkpoint')] "
    "and os.kill(os.getpid(), 9)"
)


@pytest.mark.slow
def test_a_killed_measurement_goes_on_from_its_checkpoint(workspace: Workspace) -> None:
    changes = MEASURING | SMALL | {"tasks": {"copy": {"lags": [11]}}, "checkpoint_minutes": 1e-6}
    workspace.configure(**changes)
    write_cell(workspace, before_step=KILLED)
    (workspace.root / "kill").touch()
    path = "results/tiny/measurements/cpu/copy/lag=11/echo/full/seeds=0-2.json"
    output = workspace.snakemake("--cores", "1", path, check=False)
    assert f"failed: {path}: killed by SIGKILL, as a system does" in output
    (line,) = (line for line in workspace.command("status", "tiny.yaml").stdout.splitlines() if path in line)
    assert line.startswith("failed: ")
    assert "; the next run goes on from its checkpoint (log: " in line
    (workspace.root / "kill").unlink()
    workspace.snakemake("--cores", "1", path)
    provenance = (workspace.root / path).with_suffix(".provenance.json")
    assert json.loads(provenance.read_text())["restarts"] == 1
    assert not (workspace.root / "results/tiny/checkpoints").exists()


@pytest.mark.slow
def test_measurements_are_kept_and_repeated_when_they_must_be(workspace: Workspace) -> None:
    small = MEASURING | {"grid": GRID, "seeds": [0, 1], "tasks": {"adding": {"lags": [3]}}, "figures": FIGURES[:1]}
    workspace.configure(**small)
    workspace.snakemake("--cores", "2")
    names = {path.name for path in (workspace.root / "results/tiny").rglob("*")}
    assert {f"{table}.csv" for table in TABLES} | {f"{figure}.png" for figure in FIGURES[:1]} <= names
    assert workspace.plan().jobs == []
    workspace.configure(**small | {"seeds": [0, 1, 2]})
    assert {name.rpartition("=")[2] for name in workspace.plan().names("measure")} == {"2"}
    workspace.configure(**merge(small, {"measurement": {"sequences": 3}}))
    plan = workspace.plan()
    assert len(plan.names("measure")) == 3
    assert not plan.names()
