"""The command lines of jobs: a parser is made from the fields of the record that holds the arguments."""

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

from records.paths import checkpoint_folder, compute_key

READERS = {dict[str, Any]: json.loads}
"""How a field is read whose type does not read a text itself."""
Arguments = TypeVar("Arguments", bound=tuple[Any, ...])


class Job(NamedTuple):
    """What a job is given that writes one record."""

    entry: str
    """The function that computes it: module:name."""
    settings: dict[str, Any]
    """What determines the numbers, as JSON."""
    sources: str
    """The digest of the code that determines the numbers."""
    threads: int
    record: Path
    provenance: Path
    minutes: float = math.inf
    """The time that a scheduler gives the job."""

    @property
    def label(self) -> str:
        """The condition and the seed block: adding/lag=10/lstm/full/seeds=0-4."""
        return "/".join(self.record.with_suffix("").parts[-5:])

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints: results/x/checkpoints/<key> for results/x/runs/cpu/.../seeds=0-4.json."""
        return checkpoint_folder(self.record, key=compute_key(self.settings, sources=self.sources))

    @property
    def every(self) -> float:
        """Seconds between two checkpoints."""
        return float(os.environ.get("LAGBENCH_CHECKPOINT_SECONDS") or 120)

    @property
    def limit(self) -> float | None:
        """Seconds after which a scheduler would kill it; on one's own machine nobody does."""
        return 60 * self.minutes if os.environ.get("LAGBENCH_LIMITED") else None

    def holds(self, record: Path) -> bool:
        """Return whether a finished record of just these settings and this code lies there, with its provenance."""
        if not (record.exists() and record.with_suffix(".provenance.json").exists()):
            return False
        content = json.loads(record.read_bytes())
        return bool(content["settings"] == self.settings and content["sources"] == self.sources)


class PackJob(NamedTuple):
    """What a job is given that trains a pack."""

    members: Path
    """The file of the members."""
    threads: int
    minutes: float = math.inf
    """The time that a scheduler gives the job."""


def parse_arguments(record: type[Arguments], *, description: str | None) -> Arguments:
    """Read the command line; settings that are no JSON are a ValueError."""
    parser = argparse.ArgumentParser(description=description)
    hints, defaults = get_type_hints(record), record._field_defaults  # type: ignore[attr-defined]
    for name in hints:
        parser.add_argument(f"--{name}", required=name not in defaults, default=argparse.SUPPRESS)
    given = vars(parser.parse_args())
    return record(**{name: READERS.get(hints[name], hints[name])(text) for name, text in given.items()})
