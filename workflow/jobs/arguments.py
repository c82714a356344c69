"""What a job that trains or guesses is given on its command line."""

import argparse
import json
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

from records.paths import checkpoints_of, key_of


class Job(NamedTuple):
    """The arguments of a training job."""

    settings: dict[str, Any]
    sources: str
    threads: int
    run: Path
    provenance: Path
    minutes: float

    @property
    def label(self) -> str:
        """The condition and the seed block: adding/lag=10/lstm/full/seeds=0-4."""
        return "/".join(self.run.with_suffix("").parts[-5:])

    @property
    def checkpoints(self) -> Path:
        """The folder of its checkpoints: results/x/checkpoints/<key> for results/x/runs/cpu/.../seeds=0-4.json."""
        return checkpoints_of(self.run, key=key_of(self.settings, sources=self.sources))

    @property
    def every(self) -> float:
        """Seconds between two checkpoints."""
        return float(os.environ.get("LAGBENCH_CHECKPOINT_SECONDS") or 120)

    @property
    def limit(self) -> float | None:
        """Seconds after which a scheduler would kill it; on one's own machine nobody does."""
        return 60 * self.minutes if os.environ.get("LAGBENCH_LIMITED") else None

    @property
    def is_made(self) -> bool:
        """Say whether its files are there: a process for which this one waited has made them."""
        if not (self.run.exists() and self.provenance.exists()):
            return False
        record = json.loads(self.run.read_bytes())
        return bool(record["settings"] == self.settings and record["sources"] == self.sources)


def arguments(description: str) -> Job:
    """Read the command line; settings that are no JSON are a ValueError."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", required=True, help="what determines the numbers, as JSON")
    parser.add_argument("--sources", required=True, help="digest of the code that determines the numbers")
    parser.add_argument("--threads", required=True, type=int, help="threads of this job")
    parser.add_argument("--run", required=True, type=Path, help="run record to write")
    parser.add_argument("--provenance", required=True, type=Path, help="provenance file to write")
    parser.add_argument("--minutes", default=math.inf, type=float, help="the time that a scheduler gives this job")
    given = vars(parser.parse_args())
    return Job(**given | {"settings": json.loads(given["settings"])})


class GuessJob(NamedTuple):
    """The arguments of a job that guesses."""

    settings: dict[str, Any]
    sources: str
    output: Path


def guess_arguments(description: str) -> GuessJob:
    """Read the command line; settings that are no JSON are a ValueError."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", required=True, help="what determines the numbers, as JSON")
    parser.add_argument("--sources", required=True, help="digest of the code that determines the numbers")
    parser.add_argument("--output", required=True, type=Path, help="record to write")
    given = parser.parse_args()
    return GuessJob(json.loads(given.settings), given.sources, given.output)


class PackJob(NamedTuple):
    """The arguments of a job that trains a pack."""

    members: Path
    threads: int
    minutes: float


def pack_arguments(description: str) -> PackJob:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--members", required=True, type=Path, help="file of the members")
    parser.add_argument("--threads", required=True, type=int, help="threads of this job")
    parser.add_argument("--minutes", default=math.inf, type=float, help="the time that a scheduler gives this job")
    return PackJob(**vars(parser.parse_args()))
