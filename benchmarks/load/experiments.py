"""The experiments of the load benchmark: conditions that train next to nothing, and records of untrained ones."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from training.condition import train_condition
from workflow.experiment.experiment import Experiment, complete
from workflow.jobs.requested import list_requests

EVALUATIONS = 40
"""Points of a learning curve, as many as config/default.yaml has at most."""
TASKS, MODELS = {"adding": 2, "copy": 11}, ["rnn", "lstm"]
"""Labels of config/default.yaml; of a task the smallest lag."""
TABLES = ["summary", "statistics", "comparisons", "provenance"]
FIGURES = ["accuracy_versus_lag", "learning_curves"]


def tiny(conditions: int) -> dict[str, Any]:
    """Return a configuration of so many conditions, each of two updates of one replica."""
    return _configuration("load", conditions, sequences=32) | {
        "seeds": [0],
        "learning_rates": [0.01],
        "training": {"batch_size": 16, "evaluate_every": 2, "validation_sequences": 16, "test_sequences": 16},
    }


def large(conditions: int) -> dict[str, Any]:
    """Return a configuration of so many conditions with the seeds and learning rates of config/default.yaml."""
    return _configuration("large", conditions, sequences=32_000) | {"training": {"kernel": "reference"}}


def write(config: Mapping[str, Any], folder: Path) -> Path:
    """Write a configuration into a folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "load.yaml"
    path.write_text(yaml.safe_dump(dict(config), sort_keys=False))
    return path


def pretend(config: Mapping[str, Any], folder: Path, *, root: Path) -> None:
    """Write the run records and provenances that training would leave, all with the numbers of one small training."""
    experiment = Experiment(complete(config, root=root), root=root)
    requests = list_requests(experiment, "run")
    settings = requests[0].settings
    updates = {"evaluate_every": 1, "batch_size": 1, "validation_sequences": 16, "test_sequences": 16}
    small = {
        "task": settings["task"] | {"lag": 2, "sequences": EVALUATIONS},
        "training": settings["training"] | updates,
    }
    record = train_condition({**settings, **small}, lambda progress: None)
    results = json.dumps({name: value for name, value in record.items() if name != "settings"}, allow_nan=False)[1:]
    for request in requests:
        run = folder / request.path
        run.parent.mkdir(parents=True, exist_ok=True)
        header = json.dumps({"settings": request.settings, "sources": request.sources})
        run.write_text(f"{header[:-1]}, {results}\n")
        run.with_suffix(".provenance.json").write_text('{"commit": null, "wall_seconds": 0.0}\n')


def _configuration(name: str, conditions: int, *, sequences: int) -> dict[str, Any]:
    lags = conditions // (len(TASKS) * len(MODELS))
    tasks = {task: {"lags": list(range(first, first + lags)), "sequences": sequences} for task, first in TASKS.items()}
    grid = [{"devices": ["cpu"], "tasks": list(TASKS), "models": MODELS, "gradients": ["full"]}]
    return {"experiment": name, "grid": grid, "tasks": tasks, "tables": [], "figures": FIGURES}
