"""The findings of an experiment: its claims, the tables that decide them and the figures that show them."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from workflow.experiment import declarations
from workflow.experiment.claims import Source, read_claims, source_of
from workflow.experiment.experiment import Experiment
from workflow.experiment.sources import Sources

USUAL = ("summary", "statistics", "curves", "comparisons")
OWN = ("constructed", "derivatives")
"""Tables that the findings of every experiment may ask for."""


class Findings:
    """The findings of an experiment; a mistake in its claims is a ConfigurationError."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.name: str = experiment.config["experiment"]
        self.path: str = experiment.config["claims"]
        self.claims = read_claims(self.path, root=experiment.root)
        self.made = [*dict.fromkeys([*USUAL, *experiment.config["tables"], *OWN])]
        self._sources = Sources(experiment.root)

    @cached_property
    def tables(self) -> dict[Source, str]:
        """The files of the tables that the experiment makes or that are there, and the tables of replicas beside them.

        Another experiment's are looked for in results/<experiment>/ and in results/reference/<experiment>/, of the
        working directory and then of the source tree.
        """
        files = {Source(self.name, table): f"{self.experiment.place.results}/{table}.csv" for table in USUAL[:2]}
        for check in (check for claim in self.claims for check in claim["checks"]):
            source = source_of(check, experiment=self.name)
            if source.experiment == self.name and source.table in self.made:
                files[source] = f"{self.experiment.place.results}/{source.table}.csv"
            elif source.experiment != self.name and (folder := next(self._folders(source), None)):
                for table in (source.table, *USUAL[:2]):
                    if (folder / f"{table}.csv").is_file():
                        files[Source(source.experiment, table)] = f"{folder}/{table}.csv"
        return files

    @cached_property
    def figures(self) -> dict[str, str]:
        """The pictures that show the claims, of the figures whose tables the experiment makes."""
        root, folder = self.experiment.root, self.experiment.place.figures
        names = dict.fromkeys(claim["figure"] for claim in self.claims)
        return {
            name: f"{folder}/{name}.png" for name in names if set(declarations.tables(root, name)) <= set(self.made)
        }

    @cached_property
    def networks(self) -> list[dict[str, Any]]:
        """What determines the initial networks and the sequences of every task, lag and model of the grid."""
        experiment, found = self.experiment, {}
        for condition in experiment.conditions:
            whole = experiment.settings(condition, experiment.config["seeds"])
            task = {name: value for name, value in whole["task"].items() if name != "sequences"}
            made = {"seeds": whole["seeds"], "task": task, "model": whole["model"]}
            found[condition.task, condition.lag, condition.model] = made
        return [found[key] for key in sorted(found)]

    def sources(self, entry: str) -> str:
        """Return the digest of the code that determines a table's numbers: a file of training/ and all it takes."""
        names = {("tasks", of["task"]["task"]) for of in self.networks} | {
            ("models", of["model"]["cell"]) for of in self.networks
        }
        loaded = [f"{folder}/{name}.py" for folder, name in sorted(names)]
        return self._sources.digest([entry, "models/kernels/reference.py", "models/lstm.py", *loaded])

    def _folders(self, source: Source) -> Iterator[Path]:
        below = (Path("results"), Path("results", "reference"))
        for top in (*below, *(self.experiment.root / folder for folder in below)):
            if (top / source.experiment / f"{source.table}.csv").is_file():
                yield top / source.experiment
