"""Measuring jobs: one per run record, kept and repeated as runs are, and the tables and figures made of them."""

import json
import os
import signal
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from records import paths
from tests.settings import TINY, TINY_RUNS
from tests.workflow.conftest import Tree
from workflow.experiment.experiment import Experiment
from workflow.experiment.reading import merge
from workflow.jobs.requested import list_requests, list_requests_at
from workflow.jobs.resources import measuring_need
from workflow.operations import running

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


def measured(tree: Tree) -> set[str]:
    return tree.jobs().get("measure", set())


def test_one_job_per_run_record_and_per_table(fresh: Tree) -> None:
    fresh.configure(**MEASURING)
    jobs = fresh.jobs()
    assert len(jobs["measure"]) == len(jobs["train"]) == len(TINY_RUNS)
    assert jobs["figure"] == set(FIGURES)
    assert {*TABLES, "summary"} <= set(jobs)


def test_an_experiment_without_a_measurement_measures_nothing(fresh: Tree) -> None:
    assert not {"measure", "snapshots"} & set(fresh.jobs())


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


def test_a_failed_measurement_is_told_in_one_line(fresh: Tree) -> None:
    fresh.configure(**MEASURING)
    failing = "raise ValueError(f'no luck in {job.minutes} minutes')\n    process.limit"
    fresh.edit("workflow/scripts/job.py", "process.limit", failing)
    record = "results/tiny/measurements/cpu/adding/lag=2/rnn/full/seeds=0-2.json"
    experiment = Experiment(merge(TINY, MEASURING), root=ROOT)
    minutes = measuring_need(list_requests_at(experiment, "measurement", [record])[record].settings).runtime(1)
    output = fresh.snakemake("--cores", "1", record, check=False)
    assert [line.partition(" (log")[0] for line in output.splitlines() if line.startswith("failed: ")] == [
        f"failed: {record}: no luck in {minutes:.1f} minutes"
    ]


def test_a_job_s_checkpoints_lie_where_its_status_is_read_and_not_with_those_of_its_training() -> None:
    experiment = Experiment(merge(TINY, MEASURING), root=ROOT)
    measurement, run = (list_requests(experiment, kind)[0] for kind in ("measurement", "run"))
    given = json.loads(json.dumps(measurement.settings))  # as on the command line
    folder = paths.checkpoint_folder(Path(measurement.path), key=paths.compute_key(given, sources=measurement.sources))
    assert folder == running.checkpoint_folder(measurement, results="results/tiny")
    assert folder != running.checkpoint_folder(run, results="results/tiny")
    assert folder.parent == Path("results/tiny/checkpoints")


@pytest.mark.slow
def test_a_killed_measurement_goes_on_and_a_finished_one_is_not_made_again(fresh: Tree) -> None:
    """It is killed when it has measured, and then finished without Snakemake's knowing."""
    fresh.configure(**MEASURING, grid=GRID[:1], tasks={"adding": {"lags": [3]}}, checkpoint_minutes=1e-6)
    killing = f"            os.kill(os.getpid(), {signal.SIGKILL:d})\n            origin = provenance."
    fresh.edit("workflow/scripts/job.py", "import pkgutil\n", "import os\nimport pkgutil\n")
    fresh.edit("workflow/scripts/job.py", "            origin = provenance.", killing)
    path = "results/tiny/measurements/cpu/adding/lag=3/rnn/full/seeds=0-2.json"
    record, log = fresh.root / path, fresh.root / paths.log_path(path)
    assert f"failed: {path}: killed by SIGKILL, as a system does" in fresh.snakemake("--cores", "1", path, check=False)
    status = [sys.executable, "-m", "workflow", "status", "tiny.yaml"]
    reports = subprocess.run(status, cwd=fresh.root, capture_output=True, text=True, timeout=60, check=True).stdout
    (line,) = (line for line in reports.splitlines() if line.startswith("failed: "))
    assert line.startswith(f"failed: {path}: ")
    assert "; the next run goes on from its checkpoint (log: " in line
    fresh.edit("workflow/scripts/job.py", killing, "            origin = provenance.")
    fresh.snakemake("--cores", "1", path)
    assert "continuing after update 2 of 2, restart 1\n" in log.read_text()
    assert json.loads(record.with_suffix(".provenance.json").read_text())["restarts"] == 1
    assert not (fresh.root / "results/tiny/checkpoints").exists()

    incomplete = fresh.root / ".snakemake/incomplete"
    for file in (path, path.replace(".json", ".provenance.json")):
        mark = urlsafe_b64encode(file.encode()).decode()
        (incomplete / mark).write_text("{}")
    before = os.stat(record).st_mtime_ns
    output = fresh.snakemake("--cores", "1", path)
    assert "runs that were finished without Snakemake's knowing are kept: 1\n" in output
    assert os.stat(record).st_mtime_ns == before


@pytest.mark.slow
def test_measurements_are_reproducible_kept_and_repeated_when_they_must_be(fresh: Tree) -> None:
    small = MEASURING | {"grid": GRID, "seeds": [0, 1], "tasks": {"adding": {"lags": [3]}}, "figures": FIGURES[:1]}
    fresh.configure(**small)
    fresh.snakemake("--cores", "2")
    results = fresh.root / "results" / "tiny"
    computed = {
        path: path.read_bytes()
        for path in results.rglob("*")
        if path.suffix in (".csv", ".png") or "seeds" in path.name
    }
    assert {f"{table}.csv" for table in TABLES} | {f"{figure}.png" for figure in FIGURES[:1]} <= {
        p.name for p in computed
    }
    assert "Nothing to be done" in fresh.snakemake("--cores", "2")
    fresh.snakemake("--cores", "1", "--forcerun", "measure", "train")
    for path, content in computed.items():
        if "provenance" not in path.name and path.suffix != ".log":
            assert path.read_bytes() == content, path
    fresh.configure(**small | {"seeds": [0, 1, 2]})
    assert {job.rpartition(" ")[2] for job in measured(fresh)} == {"2"}
    fresh.configure(**merge(small, {"measurement": {"sequences": 3}}))
    assert len(measured(fresh)) == 3
    assert not fresh.to_train()
    fresh.configure(**small)
    fresh.edit("training/gradients/decomposition.py", "DIGITS = 6", "DIGITS = 5")
    assert len(measured(fresh)) == 3
    assert not fresh.to_train()  # what only measuring imports trains nothing again
