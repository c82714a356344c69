"""The baselines that an experiment asks for: one job per (device, task, lag, model), and what it is given."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

from records.canonical_json import compute_digest, format_canonical_json
from records.condition import Condition
from records.paths import BASELINE
from workflow.experiment.experiment import Experiment, model_files
from workflow.experiment.sources import Sources

USED = ("kernel", "dtype", "test_sequences")  # of the keys of `training`: a guess is not trained


class Point(NamedTuple):
    """What a baseline belongs to: all gradients of a model share it."""

    device: str
    task: str
    lag: int
    model: str


class Baselines:
    """The baselines of an experiment."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._sources = Sources(experiment.root)

    @cached_property
    def points(self) -> dict[Point, Condition]:
        """The points of the grid, sorted, each with one of its conditions; all drawn sizes of a model share one."""
        conditions = (self.experiment.undrawn(condition) for condition in self.experiment.conditions)
        return {Point(*condition[:4]): condition for condition in sorted(conditions, reverse=True)}

    @property
    def paths(self) -> list[str]:
        """The records that the table of baselines is made of."""
        return sorted(self.path(point) for point in self.points)

    def path(self, point: Point) -> str:
        """Return the path of one record."""
        return f"{self.experiment.place.results}/baselines/{BASELINE.format(**point._asdict())}.json"

    def settings(self, point: Point) -> dict[str, Any]:
        """Return everything that determines the numbers of one baseline, and nothing else."""
        whole, config = self.experiment.settings(self.points[point], [0]), self.experiment.config
        return {
            "device": point.device,
            "task": {name: value for name, value in whole["task"].items() if name != "sequences"},
            "model": whole["model"],
            "training": {name: config["training"][name] for name in USED},
            "guessing": config["baselines"],
        }

    def sources(self, point: Point) -> str:
        """Return the digest of the code that determines the numbers of a baseline."""
        settings = self.settings(point)
        kernels = {settings["training"]["kernel"], "reference"}
        loaded = [f"tasks/{settings['task']['task']}.py", *model_files(self.experiment.config["models"][point.model])]
        entries = ["training/guessing.py", *loaded, *(f"models/kernels/{kernel}.py" for kernel in kernels)]
        return self._sources.digest(entries)

    def expected(self, paths: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return per record what it must hold: `settings` and `sources`; a prefix before the paths is allowed."""
        points = {self.path(point): point for point in self.points}
        found = {path: points[path[path.rindex(self.experiment.place.results) :]] for path in paths}
        return {
            path: {"settings": self.settings(point), "sources": self.sources(point)} for path, point in found.items()
        }

    @cached_property
    def digest(self) -> str:
        """A digest of what the table must hold, for Snakemake to compare."""
        return compute_digest(self.expected(self.paths))

    def settings_text(self, wildcards: Any) -> str:
        """Return the settings of the job with these wildcards as one line."""
        return format_canonical_json(self.settings(_point(wildcards)))

    def sources_of(self, wildcards: Any) -> str:
        """Return the digest of the code of the job with these wildcards."""
        return self.sources(_point(wildcards))


def _point(wildcards: Any) -> Point:
    return Point(wildcards.device, wildcards.task, int(wildcards.lag), wildcards.model)
