"""A training job takes the threads that it is given, and loads what it needs and no more."""

import gc
import importlib
import json
import os
import subprocess
import sys

import pytest

from records.condition import Condition
from tests.settings import TINY
from tests.workflow.conftest import Tree
from workflow.experiment.experiment import Experiment
from workflow.jobs import process
from workflow.jobs.run import ENTRY

REPORTER = """
import json, os, sys
import torch
LOADED = sorted(name for name in NOT_NEEDED if name in sys.modules)
import threadpoolctl
class ProgressLog:
    def __init__(self, write, label):
        self.write = write
    def __call__(self, progress):
        pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
        running = len(os.listdir("/proc/self/task")) if sys.platform == "linux" else None
        loaded = sorted(name for name in NOT_NEEDED if name in sys.modules)
        self.write(json.dumps({"pools": pools, "torch": torch.get_num_threads(), "running": running, "loaded": loaded}))
"""
NOT_NEEDED = ["pandas", "scipy", "matplotlib", "seaborn", "snakemake", "yaml", "sympy", "jinja2", "torch._dynamo"]


def train(tree: Tree, *, threads: int) -> list[dict[str, object]]:
    """Train a condition in an environment that limits no threads; return what it reported after each update."""
    reporter = REPORTER.replace("NOT_NEEDED", repr(NOT_NEEDED))
    (tree.root / "training/progress.py").write_text(reporter)
    settings = Experiment(TINY, root=tree.root).settings(
        Condition("cpu", "adding", 3, "lstm_peephole", "tbptt"), [0, 1]
    )
    words = ["--settings", json.dumps(settings), "--sources", "x", "--threads", str(threads)]
    words += ["--record", "run.json", "--provenance", "provenance.json"]
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "workflow/scripts/job.py", "--entry", ENTRY, *words]
    done = subprocess.run(
        command, cwd=tree.root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tree.root / "run.json").read_text())["replicas"]
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_one_thread_is_one_thread_of_every_library_and_of_the_process(fresh):
    reports = train(fresh, threads=1)
    assert len(reports) == 3
    for report in reports:
        assert report["torch"] == 1
        assert len(report["pools"]) >= 2
        assert set(report["pools"]) == {1}
        assert report["running"] in (2, None)  # the other one sleeps but to touch the lock file


def test_no_library_takes_more_threads_than_the_job(fresh):
    for report in train(fresh, threads=2):
        assert report["torch"] == 2
        assert max(report["pools"]) <= 2


def test_training_loads_nothing_that_it_does_not_need(fresh):
    assert [report["loaded"] for report in train(fresh, threads=1)] == [[], [], []]


@pytest.mark.parametrize(("kernel", "policy"), [("cpu", "PASSIVE"), ("reference", None)])
def test_threads_sleep_beside_those_of_the_fused_kernel(monkeypatch, kernel, policy):
    monkeypatch.setattr(os, "environ", {})
    process.limit_threads(3, kernel=kernel)
    assert os.environ.get("OMP_WAIT_POLICY") == policy
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"


def test_garbage_is_collected_again_after_an_import_even_one_that_fails():
    try:
        with pytest.raises(ModuleNotFoundError), process.importing():
            importlib.import_module("no_such_module") if not gc.isenabled() else None
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
