"""A tiny experiment whose records a test writes without training."""

import json
from collections.abc import Iterable
from pathlib import Path

from records.paths import log_path
from tests.analysis.conftest import make_run
from tests.settings import TINY
from workflow.experiment.experiment import Experiment
from workflow.experiment.reading import merge
from workflow.jobs.requested import Request, list_requests, requested_records

ROOT = Path(__file__).resolve().parents[2]


def tiny(**changes: object) -> Experiment:
    """Return the tiny experiment with some keys changed: five conditions of one job each."""
    return Experiment(merge(TINY, changes), root=ROOT)


def runs_of(experiment: Experiment) -> list[Request]:
    return list_requests(experiment, "run")


def write_runs(requested: Iterable[Request]) -> None:
    """Write run records as training would have left them, with their provenance, below the working directory."""
    for item in requested:
        record = make_run(item.settings) | {"sources": item.sources}
        Path(item.path).parent.mkdir(parents=True, exist_ok=True)
        Path(item.path).write_text(json.dumps(record))
        Path(item.path).with_suffix(".provenance.json").write_text(json.dumps({"host": "here", "threads": 1}))


def write_guesses(experiment: Experiment) -> None:
    """Write the records of all baselines."""
    for item in requested_records(experiment):
        if item.kind == "baseline":
            details = {
                "settings": item.settings,
                "sources": item.sources,
                "success_accuracy": 0.99,
                "chance": {"loss": 1.0, "accuracy": 0.1},
                "kernel": "reference",
            }
            best = {"test_accuracy": 0.2, "test_loss": 1.0}
            Path(item.path).parent.mkdir(parents=True, exist_ok=True)
            Path(item.path).write_text(json.dumps({**details, "best": best}))


def write_log(item: Request, text: str) -> Path:
    log = Path(log_path(item.path))
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
    return log
