"""Where the files of an experiment lie, relative to the working directory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from records.blocks import block_name, block_seeds
from records.canonical_json import format_canonical_json, hash_text
from records.condition import Condition

BASELINE = "{device}/{task}/lag={lag}/{model}"
BLOCK = f"{BASELINE}/{{gradient}}/seeds={{seeds}}"
RUNS, PACKED, MEASUREMENTS, CHECKPOINTS = "runs", "packed", "measurements", "checkpoints"


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


class RecordPath(NamedTuple):
    """The place of a record: results/x/runs/cpu/adding/lag=5/lstm/full/seeds=0-4.json."""

    folder: str
    """Of all records of its kind: results/x/runs."""
    condition: Condition
    seeds: tuple[int, ...] = ()
    """Of a baseline none."""

    @property
    def name(self) -> str:
        """The condition and the seed block: cpu/adding/lag=5/lstm/full/seeds=0-4."""
        return self.condition.to_path() + (f"/seeds={block_name(self.seeds)}" if self.seeds else "")

    def to_path(self) -> str:
        """Return the path."""
        return f"{self.folder}/{self.name}.json" if self.folder else f"{self.name}.json"

    @classmethod
    def from_path(cls, path: str | Path) -> "RecordPath":
        """Return the place that a path names; one that names no condition, or no seed block, is a ValueError."""
        text = str(path)
        parts = text.removesuffix(".json").split("/")
        is_block = parts[-1].startswith("seeds=")
        seeds = block_seeds(parts.pop().removeprefix("seeds=")) if is_block else ()
        levels = 5 if is_block else 4
        if seeds is None or not text.endswith(".json"):
            raise ValueError(f"expected a seed block such as seeds=0-2_5.json; came {text!r}")
        return cls("/".join(parts[:-levels]), Condition.from_path("/".join(parts[-levels:])), seeds)


def compute_key(settings: Mapping[str, Any], *, sources: str) -> str:
    """Return the hash of everything that determines a run's numbers: its settings and the digest of its code."""
    return hash_text(f"{format_canonical_json(settings)}\0{sources}")


def checkpoint_folder(record: Path, *, key: str) -> Path:
    """Return the folder of the checkpoints of a job that trains, next to the runs: they are no output of a rule.

    Those of a record that lies elsewhere are next to it.
    """
    folder = record_folder(record)
    return (folder if folder.name in (RUNS, PACKED, MEASUREMENTS) else record).with_name(CHECKPOINTS) / key


def record_folder(record: Path) -> Path:
    """Return the folder of all records of a kind that a record lies in, or its own of one that names no condition."""
    try:
        return Path(RecordPath.from_path(record).folder)
    except ValueError:
        return record.parent


def log_path(path: str) -> str:
    """Return the log of the job that makes a file: results/x/runs/a/b.json has results/x/logs/a/b.log."""
    results, experiment, *below = path.split("/")
    below = below[1:] if below[0] == RUNS else below
    stem = "/".join(below).rpartition(".")[0]
    return f"{results}/{experiment}/logs/{stem}.log"
