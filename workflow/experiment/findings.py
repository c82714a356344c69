"""The findings of an experiment: its claims, the tables that decide them and the figures that show them."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from workflow.experiment.claims import Source, find_source, read_claims
from workflow.experiment.errors import make_error
from workflow.experiment.experiment import Experiment
from workflow.experiment.tables import list_tables

USUAL = ("summary", "statistics")


class Findings:
    """The findings of an experiment; a mistake in its claims is a ConfigurationError."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.name: str = experiment.config["experiment"]
        if "claims" not in experiment.config:
            raise make_error("claims", "the key is missing, and findings need it; expected a file of claims")
        self.path: str = experiment.config["claims"]
        self.claims = read_claims(self.path, root=experiment.root, figures=experiment.registry.figures)
        entries = [name for name, table in experiment.registry.tables.items() if table.entry]
        self.available = list(dict.fromkeys([*list_tables(experiment), *entries]))

    @cached_property
    def tables(self) -> dict[Source, str]:
        """The files of the tables that the experiment makes or that are there, and the tables of replicas next to them.

        Another experiment's are looked for in results/<experiment>/ and in results/reference/<experiment>/, of the
        working directory and then of the source tree.
        """
        files = {Source(self.name, table): f"{self.experiment.place.results}/{table}.csv" for table in USUAL}
        for check in (check for claim in self.claims for check in claim["checks"]):
            source = find_source(check, experiment=self.name)
            if source.experiment == self.name and source.table in self.available:
                files[source] = f"{self.experiment.place.results}/{source.table}.csv"
            elif source.experiment != self.name and (folder := next(self._folders(source), None)):
                for table in (source.table, *USUAL):
                    if (folder / f"{table}.csv").is_file():
                        files[Source(source.experiment, table)] = f"{folder}/{table}.csv"
        return files

    @cached_property
    def figures(self) -> dict[str, str]:
        """The pictures that show the claims, of the figures whose tables the experiment makes."""
        folder = self.experiment.place.figures
        names = dict.fromkeys(claim["figure"] for claim in self.claims)
        return {
            name: f"{folder}/{name}.png"
            for name in names
            if set(self.experiment.registry.figures[name]) <= set(self.available)
        }

    def _folders(self, source: Source) -> Iterator[Path]:
        below = (Path("results"), Path("results", "reference"))
        for top in (*below, *(self.experiment.root / folder for folder in below)):
            if (top / source.experiment / f"{source.table}.csv").is_file():
                yield top / source.experiment
