"""Where the files of an experiment lie, relative to the working directory."""

from pathlib import Path
from typing import NamedTuple

CONDITION = "{device}/{task}/lag={lag}/{model}/{gradient}"
BASELINE = "{device}/{task}/lag={lag}/{model}"
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


def log_of(path: str) -> str:
    """Return the log of the job that makes a file: results/x/runs/a/b.json has results/x/logs/a/b.log."""
    results, experiment, *below = path.split("/")
    below = below[1:] if below[0] == "runs" else below
    stem = "/".join(below).rpartition(".")[0]
    return f"{results}/{experiment}/logs/{stem}.log"


def block_of(run: Path | str) -> str:
    """Return the block name in a run record's path."""
    return Path(run).name.removeprefix("seeds=").removesuffix(".json")
