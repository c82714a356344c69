"""The measurements that an experiment asks for: one job per run record, and what it is given."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from records.blocks import block_seeds
from records.canonical_json import compute_digest, format_canonical_json
from records.condition import Condition
from workflow.experiment.declarations import available_paths, options_of
from workflow.experiment.errors import refuse
from workflow.experiment.experiment import Experiment, model_files, training_files
from workflow.experiment.sources import Sources


class Measurements:
    """The measurements of an experiment; its configuration may have none."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._sources = Sources(experiment.root)
        self._runs = f"{experiment.place.results}/runs/"
        self._measurements = f"{experiment.place.results}/measurements/"

    @property
    def paths(self) -> list[str]:
        """The measurements that the tables are made of."""
        self._asked()
        return [path.replace(self._runs, self._measurements, 1) for path in self.experiment.run_paths]

    def settings(self, condition: Condition, seeds: Iterable[int]) -> dict[str, Any]:
        """Return everything that determines the numbers of one measurement, and nothing else."""
        asked = self._asked()
        return self.experiment.settings(condition, seeds) | {
            "learning_rates": [asked["learning_rate"]],
            "measurement": {
                "sequences": asked["sequences"],
                "evaluations": asked["evaluations"],
                "flows": self._flows(condition, labels=asked["flows"]),
            },
        }

    def sources(self, condition: Condition) -> str:
        """Return the digest of the code that determines the numbers of a measurement."""
        config = self.experiment.config
        kernels = sorted({config["training"]["kernel"], "reference"})
        loaded = [f"tasks/{config['tasks'][condition.task]['task']}.py"]
        loaded += [*model_files(config["models"][condition.model]), *training_files(config)]
        loaded += [f"models/kernels/{kernel}.py" for kernel in kernels]
        entries = ["training/gradients/measurement.py", *loaded]
        return self._sources.digest(entries)

    def expected(self, paths: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return per measurement what it must hold: `settings`, `sources`, and the `seeds` whose rows are wanted."""
        runs = {path: self._runs.join(path.rsplit(self._measurements, 1)) for path in paths}
        trained = self.experiment.expected(runs.values())
        expected = {}
        for path, run in runs.items():
            about = trained[run]["settings"]
            names = (about["task"]["name"], about["task"]["lag"], about["model"]["name"], about["gradient"]["name"])
            condition = Condition(about["device"], *names)
            expected[path] = {
                "settings": self.settings(condition, about["seeds"]),
                "sources": self.sources(condition),
                "seeds": trained[run]["seeds"],
            }
        return expected

    @cached_property
    def digest(self) -> str:
        """A digest of what the tables must hold, for Snakemake to compare."""
        return compute_digest(self.expected(self.paths))

    def settings_text(self, wildcards: Any) -> str:
        """Return the settings of the job with these wildcards as one line."""
        seeds = block_seeds(wildcards.seeds)
        if seeds is None:
            raise refuse("", f"{wildcards.seeds!r} names no seed block; expected sorted seeds such as 0-2_5")
        return format_canonical_json(self.settings(_condition(wildcards), seeds))

    def sources_of(self, wildcards: Any) -> str:
        """Return the digest of the code of the job with these wildcards."""
        return self.sources(_condition(wildcards))

    def _asked(self) -> dict[str, Any]:
        if "measurement" not in self.experiment.config:
            raise refuse("measurement", "the key is missing: this experiment measures no gradients")
        asked: dict[str, Any] = self.experiment.config["measurement"]
        return asked

    def _flows(self, condition: Condition, *, labels: Iterable[str]) -> dict[str, list[str]]:
        """Return the paths of the flows that a model can have."""
        config = self.experiment.config
        model = config["models"][condition.model]
        cell = self.experiment.known.cells[model["cell"]]
        available = available_paths(cell, options=options_of(model, declaration=cell))
        paths = {label: config["gradients"][label]["paths"] for label in labels}
        flows = {label: available if asked == "all" else asked for label, asked in paths.items()}
        return {label: sorted(asked) for label, asked in flows.items() if set(asked) <= set(available)}


def _condition(wildcards: Any) -> Condition:
    return Condition(wildcards.device, wildcards.task, int(wildcards.lag), wildcards.model, wildcards.gradient)
