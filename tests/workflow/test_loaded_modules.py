"""A job loads no module that its digest leaves out, apart from those that only report and save.

The modules are those that are loaded when the real script has done a real job and ends its process.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from records.condition import Condition
from tests.settings import tiny
from workflow.experiment.experiment import Experiment
from workflow.experiment.source_tree import TRAINED, SourceTree
from workflow.jobs import baseline, measurement, run

ROOT = Path(__file__).resolve().parents[2]
REPORTING = {
    "records/": "finds, names and writes files, and logs",
    "training/checkpoint.py": "saves a training and loads it again; tests/training/test_state.py: to the same bits",
    "training/checkpointing.py": "says when to save",
    "training/lock.py": "lets one process train a run at a time",
    "training/progress.py": "writes the progress to the log",
    "training/provenance.py": "describes what made a record",
}
"""Modules, or a folder of them, that determine no number, and what they do."""
OBSERVED = """
import os, runpy, sys
from pathlib import Path

end = os._exit


def end_and_list(code):
    Path("modules").write_text(" ".join(sys.modules))
    end(code)


os._exit = end_and_list
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a script, which must end its process by `os._exit` as workflow/jobs/process.py does, and lists its modules."""
WINDOWED = {"devices": ["cpu"], "tasks": ["adding"], "models": ["lstm_peephole"], "gradients": ["tbptt"]}
ONLINE: dict[str, Any] = {
    "grid": [{"devices": ["cpu"], "tasks": ["adding"], "models": ["lstm_1997"], "gradients": ["truncated_1997"]}],
    "tasks": {"adding": {"variant": "hochreiter1997", "output": "logistic", "lags": [10]}},
    "models": {
        "lstm_1997": {
            "cell": "lstm_1997", "hidden_size": 4, "block_size": 2, "input_gate_bias": -1, "biases": True, "bound": 0.1
        }
    },
    "training": {
        "protocol": "online", "optimiser": "sgd", "batch_size": 1, "clip_norm": None, "dtype": "float64",
        "evaluate_every": 8,
    },
}  # fmt: skip
MEASURED = {"learning_rate": 0.01, "sequences": 2, "evaluations": 2, "flows": ["full"]}
JOBS: dict[str, tuple[ModuleType, dict[str, Any]]] = {
    "run": (run, {"grid": [WINDOWED], "training": {"kernel": "cpu"}}),
    "run online": (run, ONLINE),
    "baseline": (baseline, {"grid": [WINDOWED]}),
    "measurement": (measurement, {"grid": [WINDOWED], "measurement": MEASURED}),
}


def list_loaded(kind: ModuleType, settings: dict[str, Any], *, folder: Path) -> set[str]:
    """Do a job and return the files of the project's trained packages that it loaded."""
    record = folder / "results/tiny/runs/cpu/adding/lag=2/model/gradient/seeds=0.json"
    words = {
        "settings": json.dumps(settings),
        "sources": "0" * 64,
        "threads": "1",
        "record": str(record),
        "provenance": str(record.with_suffix(".provenance.json")),
    }
    command = [sys.executable, "-c", OBSERVED, str(ROOT / "workflow/scripts/job.py"), "--entry", kind.ENTRY]
    command += [word for name, value in words.items() for word in (f"--{name}", value)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert record.exists(), done.stderr[-2000:]
    modules = (folder / "modules").read_text().split()
    return {path for path in map(find_file, modules) if path is not None}


def find_file(module: str) -> str | None:
    """Return the file of a module of the trained packages, or None for another."""
    place = Path(*module.split("."))
    if place.parts[0] not in TRAINED:
        return None
    (path,) = (p for p in (place.with_suffix(".py"), place / "__init__.py") if (ROOT / p).is_file())
    return path.as_posix()


def list_covered(kind: ModuleType, experiment: Experiment, condition: Condition, monkeypatch: Any) -> set[str]:
    """Return the files that the digest of a job's code covers."""
    covered: set[str] = set()

    def digest(tree: SourceTree, entries: Iterable[str]) -> str:
        covered.update(path.as_posix() for path in tree.closure(entries))
        return "digest"

    monkeypatch.setattr(SourceTree, "digest", digest)
    assert experiment.sources(condition, entry=kind.ENTRY) == "digest"
    return covered


def name_of(path: str) -> str:
    """Return the name of a file in REPORTING: itself, or its folder."""
    return next((folder for folder in REPORTING if folder.endswith("/") and path.startswith(folder)), path)


@pytest.fixture(scope="module")
def uncovered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The files, by job, that it loads and that its digest does not cover."""
    uncovered = {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, (kind, changes) in JOBS.items():
            experiment = Experiment(tiny(**changes), root=ROOT)
            condition = kind.list_conditions(experiment)[0]
            settings = kind.build_settings(experiment, condition, seeds=[0])
            covered = list_covered(kind, experiment, condition, monkeypatch)
            loaded = list_loaded(kind, settings, folder=tmp_path_factory.mktemp("job"))
            assert len(loaded & covered) > 10
            uncovered[name] = {name_of(path) for path in loaded - covered}
    return uncovered


@pytest.mark.parametrize("name", JOBS)
def test_a_job_loads_only_what_its_digest_covers_or_what_reports(uncovered: dict[str, set[str]], name: str) -> None:
    assert uncovered[name] <= set(REPORTING), "add the file to the digest (workflow/jobs), or import it no more"


def test_every_module_that_is_left_out_is_loaded(uncovered: dict[str, set[str]]) -> None:
    assert set().union(*uncovered.values()) == set(REPORTING), "take what is not loaded out of REPORTING"
