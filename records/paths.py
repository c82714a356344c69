"""Where the files of an experiment lie, relative to the working directory."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

CONDITION = "{device}/{task}/lag={lag}/{model}/{gradient}"
BASELINE = "{device}/{task}/lag={lag}/{model}"
RUNS, PACKED, MEASUREMENTS, CHECKPOINTS = "runs", "packed", "measurements", "checkpoints"
BLOCK = f"{CONDITION}/seeds={{seeds}}"


class Place(NamedTuple):
    """The folders of one experiment's results."""

    results: str
    runs: str
    logs: str
    figures: str


def place(experiment: str) -> Place:
    """Return the folders of an experiment."""
    results = f"results/{experiment}"
    return Place(results, f"{results}/runs", f"{results}/logs", f"{results}/figures")


def key_of(settings: Mapping[str, Any], *, sources: str) -> str:
    """Return the hash of everything that determines a run's numbers: its settings and the digest of its code."""
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{text}\0{sources}".encode()).hexdigest()


def checkpoints_of(run: Path, *, key: str) -> Path:
    """Return the folder of the checkpoints of a job that trains, beside the runs: they are no output of a rule.

    Those of a record that lies elsewhere are beside it.
    """
    level = len(Path(BLOCK).parts) - 1
    usual = len(run.parts) > level + 1 and run.parents[level].name in (RUNS, PACKED, MEASUREMENTS)
    return (run.parents[level] if usual else run).with_name(CHECKPOINTS) / key


def log_of(path: str) -> str:
    """Return the log of the job that makes a file: results/x/runs/a/b.json has results/x/logs/a/b.log."""
    results, experiment, *below = path.split("/")
    below = below[1:] if below[0] == "runs" else below
    stem = "/".join(below).rpartition(".")[0]
    return f"{results}/{experiment}/logs/{stem}.log"


def block_of(run: Path | str) -> str:
    """Return the block name in a run record's path."""
    return Path(run).name.removeprefix("seeds=").removesuffix(".json")
