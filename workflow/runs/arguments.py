"""What a job that trains or guesses is given on its command line."""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple


class Job(NamedTuple):
    """The arguments of a training job."""

    settings: dict[str, Any]
    sources: str
    threads: int
    run: Path
    provenance: Path

    @property
    def label(self) -> str:
        """The condition and the seed block: adding/lag=10/lstm/full/seeds=0-4."""
        return "/".join(self.run.with_suffix("").parts[-5:])


def arguments(description: str) -> Job:
    """Read the command line; settings that are no JSON are a ValueError."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--settings", required=True, help="what determines the numbers, as JSON")
    parser.add_argument("--sources", required=True, help="digest of the code that determines the numbers")
    parser.add_argument("--threads", required=True, type=int, help="threads of this job")
    parser.add_argument("--run", required=True, type=Path, help="run record to write")
    parser.add_argument("--provenance", required=True, type=Path, help="provenance file to write")
    given = parser.parse_args()
    return Job(json.loads(given.settings), given.sources, given.threads, given.run, given.provenance)


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
