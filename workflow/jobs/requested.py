"""The records that an experiment asks for: those of runs, of baselines and of measurements."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from records.condition import Condition
from workflow.experiment.experiment import Experiment
from workflow.experiment.measurement import MEASURED
from workflow.jobs.baseline import Baselines
from workflow.jobs.measurement import Measurements

Kind = Literal["run", "baseline", "measurement"]


class Wanted(NamedTuple):
    """A record that an experiment asks for, one job's work."""

    kind: Kind
    path: str
    """Relative to the working directory."""
    expected: Mapping[str, Any]
    """What it must hold: `settings`, `sources`, and of runs and measurements the `seeds` whose rows are wanted."""

    @property
    def condition(self) -> Condition:
        """The condition; that of a baseline, which all gradients share, has the gradient ''."""
        settings = self.expected["settings"]
        gradient = settings.get("gradient", {"name": ""})["name"]
        task = settings["task"]
        return Condition(settings["device"], task["name"], task["lag"], settings["model"]["name"], gradient)


def wanted_records(experiment: Experiment) -> list[Wanted]:
    """Return the records that the tables of an experiment are made of, those of runs first, as seed blocks on disk."""
    return [Wanted(kind, path, about) for kind, found in _by_kind(experiment) for path, about in found.items()]


def _by_kind(experiment: Experiment) -> Iterator[tuple[Kind, dict[str, dict[str, Any]]]]:
    yield "run", experiment.expected(experiment.run_paths)
    tables = set(experiment.config["tables"])
    tables |= {table for name in experiment.config["figures"] for table in experiment.known.figures[name]}
    if tables & {"baselines", "surface"}:
        baselines = Baselines(experiment)
        yield "baseline", baselines.expected(baselines.paths)
    if tables & set(MEASURED):
        measurements = Measurements(experiment)
        yield "measurement", measurements.expected(measurements.paths)
