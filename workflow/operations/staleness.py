"""Which finished runs still stand: under which versions they were made, and whether code and config are still theirs.

Snakemake trains a run again where code or config has changed, for its settings and the digest of its sources are
params. Another version of a library is left to the user: an upgrade of torch would else cost a whole experiment, and
most change no more than last digits. It is told at the end of every run; `make retrain` trains such runs again, and
`python -m workflow.operations.staleness CONFIG` lists their records.
"""

import importlib.metadata
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from records.canonical_json import compute_digest
from workflow.experiment.experiment import Experiment, complete
from workflow.experiment.measurement import MEASURED
from workflow.experiment.reading import read
from workflow.jobs.baseline import Baselines
from workflow.jobs.measurement import Measurements

PACKAGES = ("torch", "numpy", "numba")
"""Those by which networks are trained: another version may change a number."""
Versions = tuple[str | None, ...]


class Made(NamedTuple):
    """What a finished record's provenance says of it."""

    versions: Versions
    settings: str | None
    sources: str | None


def records(experiment: Experiment) -> list[str]:
    """Return the records that the tables of an experiment are made of: runs, and what it measures and guesses."""
    tables = set(experiment.config["tables"])
    measured = Measurements(experiment).paths if "measurement" in experiment.config and tables & set(MEASURED) else []
    return [*experiment.run_paths, *measured, *(Baselines(experiment).paths if "baselines" in tables else [])]


def made(paths: Iterable[str]) -> dict[str, Made]:
    """Return what made each of the records that are there, from the provenance beside it; others are left out."""
    found = {}
    for path in map(Path, paths):
        try:
            about = json.loads(path.with_suffix(".provenance.json").read_bytes())
            versions = tuple(about["versions"].get(name) for name in PACKAGES)
            found[str(path)] = Made(versions, about["settings"], about["sources"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def installed() -> Versions:
    """Return the versions that a run would be made under now."""
    return tuple(_version(name) for name in PACKAGES)


def under_others(finished: Mapping[str, Made], *, here: Versions) -> list[str]:
    """Return the records that were made under other versions than those here."""
    return [path for path, about in finished.items() if about.versions != here]


def version_lines(finished: Mapping[str, Made], *, here: Versions, config: str = "...") -> Iterator[str]:
    """Yield one line per library whose version is not the same here and in all records, and how to mend it."""
    for rank, name in enumerate(PACKAGES):
        count = Counter(about.versions[rank] or "none" for about in finished.values())
        now = here[rank] or "none"
        others = sum(count.values()) - count[now]
        if others:
            told = ", ".join(f"{version} ({runs} runs)" for version, runs in sorted(count.items()))
            yield f"stale: {others} runs were made under another {name}: {told}; here is {now}. " + (
                f"make retrain CONFIG={config} trains them again"
            )


def changed_line(finished: Mapping[str, Made], *, expected: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield one line if code or config have changed since runs were made; `expected` is what each must hold."""
    code = [path for path in finished if path in expected and finished[path].sources != expected[path]["sources"]]
    config = [
        path
        for path in finished
        if path in expected and finished[path].settings != settings_digest(expected[path]["settings"])
    ]
    either = set(code) | set(config)
    if either:
        yield f"stale: {len(either)} of {len(finished)} runs, as what determines their numbers has changed: " + (
            f"the code of {len(code)}, the config of {len(config)}"
        )


def settings_digest(settings: Mapping[str, Any]) -> str:
    """Return the digest by which provenance names the settings of a run."""
    return compute_digest(settings)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def main(words: Sequence[str]) -> None:
    """Print the records of a configuration that were made under other versions, one a line."""
    root = Path(__file__).resolve().parents[2]
    try:
        experiment = Experiment(complete(read(Path(words[0])), root=root), root=root)
    except ValueError as error:
        sys.exit(str(error))
    for path in under_others(made(records(experiment)), here=installed()):
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
