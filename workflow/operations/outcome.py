"""The outcome of a run: where the results are, and what of them is missing or stale."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from records.paths import Place
from workflow.experiment.experiment import Experiment
from workflow.jobs.derived import is_derived_current, list_derived
from workflow.jobs.records import is_current
from workflow.jobs.requested import requested_records

LISTED = 5
"""Files that are named one by one."""


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


def is_partial(targets: Iterable[str]) -> bool:
    """Return whether only partial results are requested, which train nothing; the rule's name may have a prefix."""
    return {target.rpartition("_")[2] for target in targets} == {"partial"}
