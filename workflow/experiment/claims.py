"""The claims of an experiment: their file, its keys, and the tables that decide them."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from workflow.experiment.configuration import Count, Different, Keys, Label
from workflow.experiment.errors import format_value, make_error, make_unknown_name_error
from workflow.experiment.keys import validate_keys
from workflow.experiment.reading import read
from workflow.experiment.validation import check_plain

MEASURE_KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("flatness", "retained", "factor_per_step", "peak"), ("at",)),
    **dict.fromkeys(("ratio", "difference"), ("over",)),
    "value": (),
    "interval": ("low", "high"),
}
"""The further keys that each kind of measure needs."""
Text = Annotated[str, Field(min_length=1)]
TableName = Annotated[
    str,
    Field(
        pattern="^[a-z][a-z0-9_]*$",
        json_schema_extra={"expected": "the name of a table, of letters, digits and _"},
    ),
]
Value = float | str | bool


class Measure(Keys):
    """The number that is read from the rows of one seed and condition."""

    kind: Literal["value", "flatness", "retained", "factor_per_step", "peak", "ratio", "difference", "interval"]
    """`value`: the column's; `flatness`, `retained`, `factor_per_step`, `peak`: of a curve over u, up to u = `at`;
    `ratio`, `difference`: to the same with other labels (`over`); `interval`: the table's own"""
    column: Text
    """the column"""
    at: Count | Literal["lag"] | None = None
    """steps back, or `lag`"""
    over: dict[str, Value] | None = None
    """labels of the rows that are compared with, by column"""
    low: Text | None = None
    """the column of the interval's lower end"""
    high: Text | None = None
    """the column of the interval's upper end"""


class Rule(Keys):
    """What the whole interval must meet; if all of it misses, the check fails. One of the keys."""

    at_most: float | None = None
    at_least: float | None = None
    below: float | None = None
    above: float | None = None
    within: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    """the two ends"""


class Check(Keys):
    """A measurement and the rule that decides it."""

    asks: Text
    """the question in words"""
    table: TableName
    """the table that answers it"""
    experiment: Label | None = None
    """whose table it is; absent: that of the experiment whose findings are requested"""
    where: dict[str, Value | Annotated[list[Value], Field(min_length=1)]]
    """the rows that count, a value or a list of values by column"""
    measure: Measure
    """the number that is read from the rows of one seed and condition"""
    statistic: Literal["mean", "median", "largest", "smallest"]
    """how the numbers of one seed, and then the seeds, become one"""
    by: Annotated[Different[Text], Field(max_length=3)]
    """columns, or options of the models, that part the rows into groups, each of which is decided"""
    rule: Rule
    """what the whole interval must meet"""


class Claim(Keys):
    """A statement, and what decides it."""

    id: Count
    """its number"""
    statement: Text
    """what is claimed"""
    source: Text
    """who claims it, and the paper and section that it rests on"""
    figure: Text
    """the figure that shows it, a file in `workflow/figures/`"""
    checks: Annotated[list[Check], Field(min_length=1)]
    """what decides it; the claim holds if every check does"""


class Claims(Keys):
    """Statements, and for each the measurements and rules that decide it."""

    claims: Annotated[list[Claim], Field(min_length=1)]
    """the claims"""


class Source(NamedTuple):
    """A table of an experiment."""

    experiment: str
    table: str


def read_claims(path: str, *, root: Path, figures: Collection[str]) -> list[dict[str, Any]]:
    """Read the claims of a file, looked up from the working directory and then from `root`; a mistake is one line."""
    files = [file for file in (Path(path), root / path) if os.path.isfile(file)]
    if not files:
        expected = "a file, of the working directory or next to the code"
        raise make_error("claims", f"expected {expected}; came {format_value(path)}")
    content = _drop_nulls(read(files[0]))
    check_plain(content)
    validate_keys(content, model=Claims)
    claims: list[dict[str, Any]] = content["claims"]
    numbers = set()
    for number, claim in enumerate(claims):
        key = f"claims[{number}]"
        if claim["id"] in numbers:
            raise make_error(f"{key}.id", f"expected a number of its own; came {claim['id']} twice")
        numbers.add(claim["id"])
        if claim["figure"] not in figures:
            raise make_unknown_name_error(f"{key}.figure", kind="figure", came=claim["figure"], names=figures)
        for index, check in enumerate(claim["checks"]):
            _check_measure_and_rule(f"{key}.checks[{index}]", check)
    return claims


def find_source(check: Mapping[str, Any], *, experiment: str) -> Source:
    """Return the table that a check reads where it is evaluated for an experiment."""
    return Source(check.get("experiment", experiment), check["table"])


def _drop_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _drop_nulls(below) for name, below in value.items() if below is not None}
    return [_drop_nulls(below) for below in value] if isinstance(value, list) else value


def _check_measure_and_rule(key: str, check: Mapping[str, Any]) -> None:
    measure, rule = check["measure"], check["rule"]
    keys = MEASURE_KEYS[measure["kind"]]
    for name in keys:
        if name not in measure:
            raise make_error(f"{key}.measure.{name}", f"the key is missing; measure {measure['kind']} needs it")
    for name in measure:
        if name not in ("kind", "column", *keys):
            raise make_error(f"{key}.measure.{name}", f"measure {measure['kind']} has no use for it")
    if len(rule) != 1:
        names = ", ".join(Rule.model_fields)
        raise make_error(f"{key}.rule", f"expected one of the keys {names}; came {format_value(rule)}")
    ends = rule.get("within")
    if ends and ends[0] > ends[1]:
        raise make_error(f"{key}.rule.within", f"expected the lower end first; came {ends}")
