"""The claims of `config/claims.yaml`, decided from tables: one row per claim, check and group.

`snakemake findings --configfile config/gradients.yaml` computes it; `findings.md` and `findings.html` say the same with
the figures. A group's number has a bootstrap interval over seeds; the rules stand in the claims.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.experiment.findings import Findings, Source, find_source
from workflow.statistics.intervals import NOTHING, Interval, compute_interval
from workflow.statistics.measures import (
    STATISTICS,
    add_options,
    format_label,
    list_seed_numbers,
    require_columns,
    select_rows,
)
from workflow.statistics.replicas import select_replicas
from workflow.statistics.verdicts import UNDECIDED, describe_rule, judge_check, judge_claim, judge_interval
from workflow.tables.schema.columns import count, limits, number, text

KEY = ("claim", "check", "group")
COLUMNS = {
    "claim": count("its number"),
    "statement": text("the claim"),
    "verdict": text("holds, fails, undecided, or holds only if the condition; the same in every row of the claim"),
    "condition": text("the condition under which it holds"),
    "check": count("one of the questions that decide it"),
    "asks": text("the question"),
    "check_verdict": text(
        "the answer over all cases: holds (in every one), fails (none holds), holds only if (some hold, some fail), "
        "undecided"
    ),
    "read_from": text("the table"),
    "rule": text("what the whole interval must meet"),
    "note": text("why a check is undecided"),
    "group": text("the case, such as `forget_gate = no`"),
    "group_verdict": text("its verdict: fails if the whole interval misses, undecided if it straddles the limit"),
    "estimate": number("the number"),
    **limits(),
    "seeds": count("how many seeds; one has no interval"),
}


class Group(NamedTuple):
    """One group's number, and the rule's verdict on it."""

    labels: dict[str, str]
    estimate: float
    interval: Interval
    seeds: int
    verdict: str

    @property
    def name(self) -> str:
        """The labels in words."""
        return ", ".join(f"{column} = {value}" for column, value in self.labels.items()) or "all"


class CheckResult(NamedTuple):
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
    checks: list[CheckResult]

    @property
    def words(self) -> str:
        """The verdict in words, with its condition."""
        return f"{self.verdict} {self.condition}" if self.condition else self.verdict


def compute(tables: Mapping[Source, pd.DataFrame], experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Compute the rows from those tables that the claims read and that are there."""
    findings = Findings(experiment)
    return list_findings(evaluate_claims(findings.claims, tables=tables, experiment=findings.name))


def evaluate_claims(
    claims: Sequence[Mapping[str, Any]], *, tables: Mapping[Source, pd.DataFrame], experiment: str
) -> list[Finding]:
    """Decide the claims, for an experiment, from the tables that are there."""
    findings = []
    for claim in claims:
        checks = [_evaluate(check, tables=tables, experiment=experiment) for check in claim["checks"]]
        findings.append(Finding(claim, *judge_claim((check.verdict, check.condition) for check in checks), checks))
    return findings


def list_findings(findings: Sequence[Finding]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table; a check for which nothing was measured has one without a group."""
    for claim, verdict, condition, checks in findings:
        of_claim = (claim["id"], claim["statement"], verdict, condition)
        for place, result in enumerate(checks, start=1):
            rule = describe_rule(result.check["rule"])
            of_check = (place, result.check["asks"], result.verdict, "/".join(result.source), rule, result.note)
            for group in result.groups or [Group({}, math.nan, NOTHING, 0, UNDECIDED)]:
                of_group = (group.name, group.verdict, group.estimate, *group.interval, group.seeds)
                yield dict(zip(COLUMNS, (*of_claim, *of_check, *of_group), strict=True))


def _evaluate(check: Mapping[str, Any], *, tables: Mapping[Source, pd.DataFrame], experiment: str) -> CheckResult:
    source = find_source(check, experiment=experiment)
    groups: list[Group] = []
    if source not in tables:
        note = _describe_missing(source, experiment=experiment)
    else:
        try:
            groups = _list_groups(_select_table(tables, source), check)
            note = "" if groups else f"table {source.table} has no row that the claim reads"
        except ValueError as error:
            note = f"table {source.table} does not fit the claim: {error}"
    if straddling := "; ".join(group.name for group in groups if group.verdict == UNDECIDED):
        note = f"undecided, as the interval straddles the limit or does not exist: {straddling}"
    return CheckResult(check, source, *judge_check([(group.labels, group.verdict) for group in groups]), groups, note)


def _select_table(tables: Mapping[Source, pd.DataFrame], source: Source) -> pd.DataFrame:
    """Return a table with the options of its models; of the replicas those at the chosen learning rates."""
    table = tables[source]
    summary, statistics = (tables.get(Source(source.experiment, name)) for name in ("summary", "statistics"))
    if summary is not None and "model" in table.columns:
        table = add_options(table, summary)
    return table if source.table != "summary" or statistics is None else select_replicas(table, statistics)


def _list_groups(table: pd.DataFrame, check: Mapping[str, Any]) -> list[Group]:
    measure, by = check["measure"], check["by"]
    groups: dict[tuple[str, ...], tuple[float, Interval, int]] = {}
    if measure["kind"] == "interval":
        rows = select_rows(table, check["where"])
        require_columns(rows, [*by, *(measure[name] for name in ("column", "low", "high"))])
        for row in rows.to_dict("records"):
            key = tuple(format_label(row[name]) for name in by)
            if key in groups:
                raise ValueError(f"several rows for {', '.join(key) or 'all'}; `by` must distinguish them")
            estimate, low, high = (float(row[measure[name]]) for name in ("column", "low", "high"))
            groups[key] = estimate, Interval(low, high), int(row.get("pairs", row.get("seeds", 0)))
    else:
        statistic = STATISTICS[check["statistic"]]
        for key, numbers in sorted(list_seed_numbers(table, check).items()):
            groups[key] = float(statistic(numbers)), compute_interval(numbers, statistic), len(numbers)
    return [
        Group(dict(zip(by, key, strict=True)), estimate, interval, seeds, judge_interval(interval, check["rule"]))
        for key, (estimate, interval, seeds) in groups.items()
    ]


def _describe_missing(source: Source, *, experiment: str) -> str:
    if source.experiment == experiment:
        return f"this experiment does not compute table {source.table}; its configuration would list it under tables"
    command = f"snakemake --cores 2 --configfile config/{source.experiment}.yaml"
    return f"table {source.table} of experiment {source.experiment} is not there; this computes it: {command}"
