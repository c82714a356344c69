"""The verdicts on the claims, computed from tables by the rules that `config/claims.yaml` states.

A check parts its rows into groups. A group's number has a bootstrap interval over seeds; the group holds if the whole
interval meets the rule, fails if all of it misses, and is undecided if it straddles the limit or has no interval. A
check holds if every group does, fails if none holds and some fail, holds only under a condition if some hold and some
fail, and is otherwise undecided. The condition is what tells the groups that hold from those that fail. A claim fails
if a check fails, else is undecided if a check is, else holds, under the conditions of all its checks.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.experiment.claims import Source, source_of
from workflow.statistics.intervals import Interval, bootstrap_interval
from workflow.statistics.measures import STATISTICS, rows_where, seed_numbers, shown, with_options
from workflow.tables.columns import FINDINGS
from workflow.tables.statistics import chosen_replicas
from workflow.tables.summary import typed

HOLDS, FAILS, UNDECIDED, ONLY_IF = "holds", "fails", "undecided", "holds only if"


class Group(NamedTuple):
    """One group's number, and what the rule makes of it."""

    labels: dict[str, str]
    estimate: float
    interval: Interval
    seeds: int
    verdict: str

    @property
    def name(self) -> str:
        """The labels in words."""
        return ", ".join(f"{column} = {value}" for column, value in self.labels.items()) or "all"


class Checked(NamedTuple):
    """The outcome of a check."""

    check: Mapping[str, Any]
    source: Source
    verdict: str
    condition: str
    groups: list[Group]
    note: str


class Finding(NamedTuple):
    """The outcome of a claim."""

    claim: Mapping[str, Any]
    verdict: str
    condition: str
    checks: list[Checked]

    @property
    def words(self) -> str:
        """The verdict in words, with its condition."""
        return f"{self.verdict} {self.condition}" if self.condition else self.verdict


def evaluate_claims(
    claims: Sequence[Mapping[str, Any]], *, tables: Mapping[Source, pd.DataFrame], experiment: str
) -> list[Finding]:
    """Decide the claims, for an experiment, from the tables that are there."""
    return [
        judged(claim, [_evaluate(check, tables=tables, experiment=experiment) for check in claim["checks"]])
        for claim in claims
    ]


def decided(interval: Interval, rule: Mapping[str, Any]) -> str:
    """Say what a rule makes of an interval."""
    ((name, limit),) = rule.items()
    low, high = interval
    if math.isnan(low) or math.isnan(high):
        return UNDECIDED
    met, missed = {
        "at_most": lambda: (high <= limit, low > limit),
        "below": lambda: (high < limit, low >= limit),
        "at_least": lambda: (low >= limit, high < limit),
        "above": lambda: (low > limit, high <= limit),
        "within": lambda: (limit[0] <= low and high <= limit[1], high < limit[0] or low > limit[1]),
    }[name]()
    return HOLDS if met else FAILS if missed else UNDECIDED


def verdict_of(groups: Sequence[Group]) -> tuple[str, str]:
    """Return the verdict of a check over its groups, and its condition."""
    held, failed = ([group for group in groups if group.verdict == verdict] for verdict in (HOLDS, FAILS))
    if held and failed:
        return ONLY_IF, condition_of([group.labels for group in held], failed=[group.labels for group in failed])
    if failed:
        return FAILS, ""
    return (HOLDS if held and len(held) == len(groups) else UNDECIDED), ""


def condition_of(held: Sequence[Mapping[str, str]], *, failed: Sequence[Mapping[str, str]]) -> str:
    """Return the shortest condition of the form a = 1 or 2 and b = 3 that is true in `held` and in none of `failed`.

    Where there is none, the cases that hold are listed, or those that fail if they are fewer.
    """
    needed = {column: list(dict.fromkeys(labels[column] for labels in held)) for column in held[0]}

    def excludes(condition: Mapping[str, list[str]]) -> bool:
        return not any(all(labels[name] in values for name, values in condition.items()) for labels in failed)

    if not excludes(needed):
        fewer = held if len(held) <= len(failed) else failed
        cases = ["(" + " and ".join(f"{k} = {v}" for k, v in labels.items()) + ")" for labels in fewer]
        if fewer is held:
            return " or ".join(cases)
        return f"not {cases[0]}" if len(cases) == 1 else f"neither {' nor '.join(cases)}"
    for column in list(needed)[::-1]:
        without = {name: values for name, values in needed.items() if name != column}
        needed = without if excludes(without) else needed
    return " and ".join(f"{name} = {' or '.join(values)}" for name, values in needed.items())


def judged(claim: Mapping[str, Any], checks: list[Checked]) -> Finding:
    """Return the verdict on a claim from the outcomes of its checks."""
    verdicts = {checked.verdict for checked in checks}
    verdict = next(verdict for verdict in (FAILS, UNDECIDED, ONLY_IF, HOLDS) if verdict in verdicts)
    conditions = dict.fromkeys(checked.condition for checked in checks if checked.condition)
    return Finding(claim, verdict, ", and ".join(conditions) if verdict == ONLY_IF else "", checks)


def findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Make the table of findings, one row per claim, check and group (one without group where nothing was measured)."""
    rows = []
    for finding in findings:
        for number, checked in enumerate(finding.checks, start=1):
            of_check = {
                "claim": finding.claim["id"],
                "statement": finding.claim["statement"],
                "verdict": finding.verdict,
                "condition": finding.condition,
                "check": number,
                "asks": checked.check["asks"],
                "check_verdict": checked.verdict,
                "read_from": "/".join(checked.source),
                "rule": rule_words(checked.check["rule"]),
                "note": checked.note,
            }
            for group in checked.groups or [Group({}, math.nan, Interval(math.nan, math.nan), 0, UNDECIDED)]:
                low, high = group.interval
                numbers = {"estimate": group.estimate, "low": low, "high": high, "seeds": group.seeds}
                rows.append(of_check | {"group": group.name, "group_verdict": group.verdict} | numbers)
    return typed(pd.DataFrame(rows, columns=FINDINGS))


def rule_words(rule: Mapping[str, Any]) -> str:
    """Write a rule in words."""
    ((name, limit),) = rule.items()
    if name == "within":
        return f"within {limit[0]:g} to {limit[1]:g}"
    return f"{name.replace('_', ' ')} {limit:g}"


def _evaluate(check: Mapping[str, Any], *, tables: Mapping[Source, pd.DataFrame], experiment: str) -> Checked:
    source = source_of(check, experiment=experiment)
    if source not in tables:
        return Checked(check, source, UNDECIDED, "", [], _missing(source, experiment=experiment))
    summary, statistics = (tables.get(Source(source.experiment, name)) for name in ("summary", "statistics"))
    table = with_options(tables[source], summary)
    if source.table == "summary" and statistics is not None:
        table = chosen_replicas(table, statistics)
    try:
        groups = _groups(table, check)
    except ValueError as error:
        return Checked(check, source, UNDECIDED, "", [], f"table {source.table} does not fit the claim: {error}")
    if not groups:
        return Checked(check, source, UNDECIDED, "", [], f"table {source.table} has no row that the claim asks for")
    verdict, condition = verdict_of(groups)
    open_ = [group.name for group in groups if group.verdict == UNDECIDED]
    note = f"undecided, as the interval straddles the limit or does not exist: {'; '.join(open_)}" if open_ else ""
    return Checked(check, source, verdict, condition, groups, note)


def _groups(table: pd.DataFrame, check: Mapping[str, Any]) -> list[Group]:
    if check["measure"]["kind"] == "interval":
        return _ready_groups(rows_where(table, check["where"]), check)
    statistic = STATISTICS[check["statistic"]]
    groups = []
    for key, numbers in sorted(seed_numbers(table, check).items()):
        interval = _interval(numbers, statistic)
        labels = dict(zip(check["by"], key, strict=True))
        estimate = float(statistic(numbers))
        groups.append(Group(labels, estimate, interval, len(numbers), decided(interval, check["rule"])))
    return groups


def _interval(numbers: NDArray[np.float64], statistic: Any) -> Interval:
    if len(numbers) > 1 and np.all(numbers == numbers[0]):
        return Interval(float(numbers[0]), float(numbers[0]))
    return bootstrap_interval(len(numbers), lambda drawn: statistic(numbers[drawn], axis=-1))


def _ready_groups(rows: pd.DataFrame, check: Mapping[str, Any]) -> list[Group]:
    measure = check["measure"]
    groups: list[Group] = []
    for row in rows.to_dict("records"):
        labels = {name: shown(row[name]) for name in check["by"]}
        if any(group.labels == labels for group in groups):
            raise ValueError(f"several rows for {labels}; `by` must tell them apart")
        interval = Interval(*(float(row[measure[end]]) for end in ("low", "high")))
        seeds = int(row.get("pairs", row.get("seeds", 0)))
        estimate = float(row[measure["column"]])
        groups.append(Group(labels, estimate, interval, seeds, decided(interval, check["rule"])))
    return groups


def _missing(source: Source, *, experiment: str) -> str:
    if source.experiment == experiment:
        return f"this experiment does not make table {source.table}; its configuration would list it under tables"
    command = f"snakemake --cores 2 --configfile config/{source.experiment}.yaml"
    return f"table {source.table} of experiment {source.experiment} is not there; it is made by: {command}"
