"""The findings of an experiment: its claims, the tables that decide them and the figures that show them."""

import os
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from workflow.experiment.configuration import Count, Different, Keys, Label
from workflow.experiment.errors import format_names, format_value, make_error, require, require_name
from workflow.experiment.experiment import Experiment
from workflow.experiment.keys import validate_keys
from workflow.experiment.reading import read
from workflow.experiment.tables import list_tables
from workflow.experiment.validation import normalise

USUAL = ("summary", "statistics")
CURVES = ("flatness", "retained", "factor_per_step", "peak")
NEEDED = {"value": (), "interval": ("low", "high")} | dict.fromkeys(("ratio", "difference"), ("over",))
NEEDED |= dict.fromkeys(CURVES, ("at",))
"""The further keys that each kind of measure needs, and no other."""
Text = Annotated[str, Field(min_length=1)]
NAME = "the name of a table, of letters, digits and _"
TableName = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", json_schema_extra={"expected": NAME})]
Value = float | str | bool
ABSENT: Any = None  # the value of a key that may be absent, but not null


class Measure(Keys):
    """The number that is read from the rows of one seed and condition.

    `value`: the column's; `flatness`, `retained`, `factor_per_step`, `peak`: of a curve over u, up to u = `at`;
    `ratio`, `difference`: to the same with other labels (`over`); `interval`: the table's own.
    """

    kind: Literal["value", "flatness", "retained", "factor_per_step", "peak", "ratio", "difference", "interval"]
    column: Text
    at: Count | Literal["lag"] = ABSENT  # steps back, or `lag`
    over: dict[str, Value] = ABSENT  # labels of the rows that are compared with, by column
    low: Text = ABSENT  # the columns of the interval's ends
    high: Text = ABSENT

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        given = self.model_fields_set - {"kind", "column"}
        if given != {*NEEDED[self.kind]}:
            needed = format_names(NEEDED[self.kind])
            raise ValueError(
                f"expected for {self.kind} besides the column: {needed}; came {format_names(sorted(given))}"
            )
        return self


class Rule(Keys):
    """What the whole interval must meet, one of the keys; if all of it misses, the check fails."""

    at_most: float = ABSENT
    at_least: float = ABSENT
    below: float = ABSENT
    above: float = ABSENT
    within: Annotated[list[float], Field(min_length=2, max_length=2)] = ABSENT  # the two ends

    @model_validator(mode="after")
    def _check_rule(self) -> Self:
        if len(self.model_fields_set) != 1:
            came = format_names(sorted(self.model_fields_set))
            raise ValueError(f"expected one of the keys {format_names(Rule.model_fields)}; came {came}")
        if self.within and self.within[0] > self.within[1]:
            raise ValueError(f"expected the lower end first; came {self.within}")
        return self


class Check(Keys):
    """A measurement and the rule that decides it."""

    asks: Text  # the question in words
    table: TableName
    experiment: Label = ABSENT  # whose table it is; absent: that of the experiment whose findings are requested
    where: dict[str, Value | Annotated[list[Value], Field(min_length=1)]]  # the rows that count, by column
    measure: Measure
    statistic: Literal["mean", "median", "largest", "smallest"]  # of the numbers of a seed, and then of the seeds
    by: Annotated[Different[Text], Field(max_length=3)]  # columns or options of models; each group is decided
    rule: Rule


class Claim(Keys):
    """A statement, which holds if every check does."""

    id: Count
    statement: Text
    source: Text  # who claims it, and the paper and section that it rests on
    figure: Text  # the figure that shows it, a file in `workflow/figures/`
    checks: Annotated[list[Check], Field(min_length=1)]


class Claims(Keys):
    """A file of claims."""

    claims: Annotated[list[Claim], Field(min_length=1)]


class Source(NamedTuple):
    """A table of an experiment."""

    experiment: str
    table: str


def read_claims(path: str, *, root: Path, figures: Collection[str]) -> list[dict[str, Any]]:
    """Read the claims of a file, looked up from the working directory and then from `root`; a mistake is one line."""
    files = [file for file in (Path(path), root / path) if os.path.isfile(file)]
    require(bool(files), "claims", "a file, of the working directory or next to the code", format_value(path))
    content = normalise(read(files[0]))
    validate_keys(content, model=Claims)
    claims: list[dict[str, Any]] = content["claims"]
    numbers = [claim["id"] for claim in claims]
    for number, claim in enumerate(claims):
        is_new = claim["id"] not in numbers[:number]
        require(is_new, f"claims[{number}].id", "a number of its own", f"{claim['id']} twice")
        require_name(f"claims[{number}].figure", claim["figure"], names=figures)
    return claims


def find_source(check: Mapping[str, Any], *, experiment: str) -> Source:
    """Return the table that a check reads where it is evaluated for an experiment."""
    return Source(check.get("experiment", experiment), check["table"])


class Findings:
    """The findings of an experiment; a mistake in its claims is a ConfigurationError."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.name: str = experiment.config["experiment"]
        if "claims" not in experiment.config:
            raise make_error("claims", "the key is missing, and findings need it; expected a file of claims")
        self.claims = read_claims(
            experiment.config["claims"], root=experiment.root, figures=experiment.registry.figures
        )
        entries = [name for name, table in experiment.registry.tables.items() if table.entry]
        self.available = list(dict.fromkeys([*list_tables(experiment), *entries]))

    @cached_property
    def tables(self) -> dict[Source, str]:
        """The files of the tables that the experiment makes or that are there, and the tables of replicas next to them.

        Another experiment's are looked for in results/<experiment>/ and in results/reference/<experiment>/, of the
        working directory and then of the source tree.
        """
        results = self.experiment.place.results
        files = {Source(self.name, table): f"{results}/{table}.csv" for table in USUAL}
        for check in (check for claim in self.claims for check in claim["checks"]):
            source = find_source(check, experiment=self.name)
            if source.experiment == self.name and source.table in self.available:
                files[source] = f"{results}/{source.table}.csv"
            elif source.experiment != self.name and (folder := next(self._folders(source), None)):
                for table in (source.table, *USUAL):
                    if (folder / f"{table}.csv").is_file():
                        files[Source(source.experiment, table)] = f"{folder}/{table}.csv"
        return files

    @cached_property
    def figures(self) -> dict[str, str]:
        """The pictures that show the claims, of the figures whose tables the experiment makes."""
        folder, files = self.experiment.place.figures, self.experiment.registry.figures
        names = dict.fromkeys(claim["figure"] for claim in self.claims)
        return {name: f"{folder}/{name}.png" for name in names if {*files[name].needs} <= {*self.available}}

    def _folders(self, source: Source) -> Iterator[Path]:
        for above in (Path(), self.experiment.root):
            for folder in (above / "results", above / "results" / "reference"):
                if (folder / source.experiment / f"{source.table}.csv").is_file():
                    yield folder / source.experiment
