"""The outcome of a run: where the results are, and what of them is missing or stale.

What code or config have changed is trained again by itself. Another version of a library is left to the user: an
upgrade of torch would else cost a whole experiment, and most change no more than last digits. It is reported at the end
of every run; `make retrain` trains such runs again.
"""

import importlib.metadata
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from records.paths import Place
from workflow.experiment.experiment import Experiment
from workflow.jobs.derived import is_derived_current, list_derived
from workflow.jobs.records import is_current
from workflow.jobs.requested import Request, requested_records

LISTED = 5
"""Files that are named one by one."""
PACKAGES = ("torch", "numpy", "numba")
"""Those by which networks are trained: another version may change a number."""
Versions = dict[str, str]
"""Of these packages; "none" if one is not installed."""


def report_outcome(place: Place) -> Iterator[str]:
    """Yield one line each for the figures and the table."""
    yield f"figures: {Path(place.figures).absolute()}"
    yield f"table:   {Path(place.results, 'summary.csv').absolute()}"


def find_problems(experiment: Experiment, *, at: Callable[[str], str] = str) -> Iterator[str]:
    """Yield a line if files are missing, and one if some are stale: such results are not done.

    `at` says where a path of the workflow lies, to which a workflow that imports this one may add a prefix.
    """
    states: dict[str, list[str]] = {"missing": [], "stale": []}
    for request in requested_records(experiment):
        current = is_current(request, path=at(request.path))
        if not current:
            states["missing" if current is None else "stale"].append(request.path)
    for derived in list_derived(experiment):
        missing = [path for path in derived.outputs if not Path(at(path)).is_file()]
        states["missing"] += missing
        if not (missing or is_derived_current(derived, at=at)):
            states["stale"] += derived.outputs[:1]
    for state, paths in states.items():
        more = f" and {len(paths) - LISTED} more" if len(paths) > LISTED else ""
        if paths:
            yield f"{state}: {', '.join(paths[:LISTED])}{more}: the results are not those of this config and code"


def report_changes(requests: Iterable[Request]) -> Iterator[str]:
    """Yield a line if code or config have changed since records were written."""
    current = [state for request in requests if (state := is_current(request)) is not None]
    if count := current.count(False):
        yield f"stale: {count} of {len(current)} records, as their code or config has changed; they are computed again"


def load_versions(requests: Iterable[Request]) -> dict[str, Versions]:
    """Return the versions by which records were computed, by path; those without whole provenance are left out."""
    versions = {}
    for request in requests:
        try:
            provenance = json.loads(Path(request.path).with_suffix(".provenance.json").read_bytes())
            versions[request.path] = {name: provenance["versions"].get(name) or "none" for name in PACKAGES}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return versions


def read_installed_versions() -> Versions:
    """Return the versions that a run would be trained under now."""
    installed = {each.metadata["Name"].lower(): each.version for each in importlib.metadata.distributions()}
    return {name: installed.get(name, "none") for name in PACKAGES}


def report_versions(versions: Mapping[str, Versions], *, installed: Versions, config: str = "...") -> Iterator[str]:
    """Yield a line per library whose version is not the same here and in all records, and how to mend it."""
    for name, here in installed.items():
        count = Counter(own[name] for own in versions.values())
        if others := sum(count.values()) - count[here]:
            counts = ", ".join(f"{version} ({runs} runs)" for version, runs in sorted(count.items()))
            yield f"stale: {others} runs were made under another {name}: {counts}; here is {here}. " + (
                f"make retrain CONFIG={config} trains them again"
            )


def is_partial(targets: Iterable[str]) -> bool:
    """Return whether only partial results are requested, which train nothing; the rule's name may have a prefix."""
    return {target.rpartition("_")[2] for target in targets} == {"partial"}
