"""What a job is given that writes one record, and its command line."""

import argparse
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from records.paths import checkpoint_folder, compute_key


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


def parse_job(description: str | None) -> Job:
    """Read a job from the command line; settings that are no JSON are a ValueError."""
    parser = argparse.ArgumentParser(description=description)
    for name in Job._fields:
        parser.add_argument(f"--{name}", required=name not in Job._field_defaults, default=argparse.SUPPRESS)
    given = vars(parser.parse_args())
    return build_job(given | {"settings": json.loads(given["settings"])})


def build_job(fields: Mapping[str, Any]) -> Job:
    """Return a job from its fields, as a command line or JSON holds them."""
    types = {"threads": int, "record": Path, "provenance": Path, "minutes": float}
    return Job(**{name: types[name](value) if name in types else value for name, value in fields.items()})
