"""Restamping: a renaming keeps finished and published runs; a changed number is refused, and no file changes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import Tree, copy_tree

CELL = '''"""A tanh RNN without biases, of this test alone."""

import torch

from models.cell import Cell, project_inputs, uniform

OPTIONS = {{}}
PATHS = {{"recurrent": {{}}}}


class EchoCell(Cell):
    """A tanh RNN; its state is (h,)."""

    state_symbols = ("h",)

    def __init__(self, *, features, hidden_size):
        self.features, self.hidden_size, self.paths = features, hidden_size, tuple(PATHS)
        self.state_sizes = (hidden_size,)
        self.shapes = {{"W": (features, hidden_size), "U": (hidden_size, hidden_size)}}

    def initialise(self, rng, *, sequence_length):
        return {{name: uniform(rng, shape, bound={function}()) for name, shape in self.shapes.items()}}

    def prepare(self, parameters):
        return parameters

    def project(self, parameters, inputs):
        return project_inputs(inputs, parameters["W"], None)

    def step(self, parameters, projected, *, state, via):
        return (torch.tanh(torch.baddbmm(projected, via("recurrent", state[0]), parameters["U"])),)


def {function}():
    return {bound}
'''
SMALL = {
    "grid": [{"devices": ["cpu"], "tasks": ["copy"], "models": ["echo", "rnn"], "gradients": ["full"]}],
    "tasks": {"copy": {"lags": [11, 12]}},
    "models": {"echo": {"cell": "echo", "hidden_size": 2}},
    "figures": ["accuracy_versus_lag"],
}


def write_cell(tree: Tree, *, function: str = "_bound", bound: float = 0.5) -> None:
    (tree.root / "models/echo.py").write_text(CELL.format(function=function, bound=bound))


def restamp(tree: Tree, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workflow", "restamp", "tiny.yaml", "--seed", "1", "--cores", "2", *words]
    return subprocess.run(command, cwd=tree.root, capture_output=True, text=True, timeout=300, check=False)


def read_results(tree: Tree) -> dict[str, bytes]:
    files = [path for path in (tree.root / "results").rglob("*") if path.is_file() and "logs" not in path.parts]
    return {str(path.relative_to(tree.root)): path.read_bytes() for path in files}


@pytest.mark.slow
def test_a_renaming_keeps_finished_runs_and_another_number_is_refused(pristine: Tree, tmp_path: Path):
    tree = copy_tree(pristine.root, tmp_path / "tree")
    (tree.root / "requirements.lock").touch()
    tree.configure(**SMALL)
    write_cell(tree)
    tree.snakemake("--cores", "2", "--quiet", "all")
    before = read_results(tree)

    write_cell(tree, bound=0.25)
    refused = restamp(tree, "--sample", "1")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert read_results(tree) == before

    write_cell(tree, function="_largest_weight")
    assert len(tree.to_train()) == 2
    done = restamp(tree, "--sample", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    after = read_results(tree)
    changed = {path for path in after if after[path] != before.get(path)}
    runs = [f"results/tiny/runs/cpu/copy/lag={lag}/echo/full/seeds=0-2" for lag in (11, 12)]
    records = {f"{run}.{kind}" for run in runs for kind in ("json", "provenance.json")}
    assert changed == {*records, "results/tiny/provenance.csv", "results/tiny/restamps.json"}
    (entry,) = json.loads(after["results/tiny/restamps.json"])
    assert (entry["records"], len(entry["sample"]), entry["seed"]) == (2, 1, 1)
    assert tree.to_train() == set()
    tree.snakemake("--cores", "1", "--quiet", "all")
    tables = {path: content for path, content in before.items() if path.endswith(".csv") and "provenance" not in path}
    assert {path: read_results(tree)[path] for path in tables} == tables
