"""The claims of `config/claims.yaml`, decided from tables: one row per claim, check and group.

`snakemake findings --configfile config/gradients.yaml` computes it; `findings.md` and `findings.html` say the same with
the figures. A group's number has a bootstrap interval over seeds; the rules stand in the claims.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workflow.experiment.experiment import Experiment
from workflow.experiment.findings import Findings, Source, find_source
from workflow.statistics.intervals import NOTHING, Interval, bootstrap_interval
from workflow.statistics.measures import STATISTICS, rows_where, seed_numbers, shown, with_options
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


def compute(tables: Mapping[Source, pd.DataFrame], experiment: Experiment) -> pd.DataFrame:
    """Compute the table from those tables that the claims read and that are there."""
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


def list_findings(findings: Sequence[Finding]) -> pd.DataFrame:
    """Return the rows of the table; a check for which nothing was measured has one without a group."""
    rows = []
    for finding in findings:
        for place, result in enumerate(finding.checks, start=1):
            of_check = {
                "claim": finding.claim["id"],
                "statement": finding.claim["statement"],
                "verdict": finding.verdict,
                "condition": finding.condition,
                "check": place,
                "asks": result.check["asks"],
                "check_verdict": result.verdict,
                "read_from": "/".join(result.source),
                "rule": describe_rule(result.check["rule"]),
                "note": result.note,
            }
            for group in result.groups or [Group({}, math.nan, NOTHING, 0, UNDECIDED)]:
                low, high = group.interval
                numbers = {"estimate": group.estimate, "low": low, "high": high, "seeds": group.seeds}
                rows.append(of_check | {"group": group.name, "group_verdict": group.verdict} | numbers)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _evaluate(check: Mapping[str, Any], *, tables: Mapping[Source, pd.DataFrame], experiment: str) -> CheckResult:
    source = find_source(check, experiment=experiment)
    if source not in tables:
        return CheckResult(check, source, UNDECIDED, "", [], _missing(source, experiment=experiment))
    summary, statistics = (tables.get(Source(source.experiment, name)) for name in ("summary", "statistics"))
    table = with_options(tables[source], summary)
    if source.table == "summary" and statistics is not None:
        table = select_replicas(table, statistics)
    try:
        groups = _groups(table, check)
    except ValueError as error:
        return CheckResult(check, source, UNDECIDED, "", [], f"table {source.table} does not fit the claim: {error}")
    if not groups:
        return CheckResult(check, source, UNDECIDED, "", [], f"table {source.table} has no row that the claim reads")
    verdict, condition = judge_check([(group.labels, group.verdict) for group in groups])
    straddling = [group.name for group in groups if group.verdict == UNDECIDED]
    note = (
        f"undecided, as the interval straddles the limit or does not exist: {'; '.join(straddling)}"
        if straddling
        else ""
    )
    return CheckResult(check, source, verdict, condition, groups, note)


def _groups(table: pd.DataFrame, check: Mapping[str, Any]) -> list[Group]:
    if check["measure"]["kind"] == "interval":
        return _ready_groups(rows_where(table, check["where"]), check)
    statistic = STATISTICS[check["statistic"]]
    groups = []
    for key, numbers in sorted(seed_numbers(table, check).items()):
        interval = _interval(numbers, statistic)
        labels = dict(zip(check["by"], key, strict=True))
        estimate = float(statistic(numbers))
        groups.append(Group(labels, estimate, interval, len(numbers), judge_interval(interval, check["rule"])))
    return groups


def _interval(numbers: NDArray[np.float64], statistic: Any) -> Interval:
    if len(numbers) > 1 and np.all(numbers == numbers[0]):
        return Interval(float(numbers[0]), float(numbers[0]))
    return bootstrap_interval(len(numbers), lambda sample: statistic(numbers[sample], axis=-1))


def _ready_groups(rows: pd.DataFrame, check: Mapping[str, Any]) -> list[Group]:
    measure = check["measure"]
    groups: list[Group] = []
    for row in rows.to_dict("records"):
        labels = {name: shown(row[name]) for name in check["by"]}
        if any(group.labels == labels for group in groups):
            raise ValueError(f"several rows for {labels}; `by` must distinguish them")
        interval = Interval(*(float(row[measure[end]]) for end in ("low", "high")))
        seeds = int(row.get("pairs", row.get("seeds", 0)))
        estimate = float(row[measure["column"]])
        groups.append(Group(labels, estimate, interval, seeds, judge_interval(interval, check["rule"])))
    return groups


def _missing(source: Source, *, experiment: str) -> str:
    if source.experiment == experiment:
        return f"this experiment does not compute table {source.table}; its configuration would list it under tables"
    command = f"snakemake --cores 2 --configfile config/{source.experiment}.yaml"
    return f"table {source.table} of experiment {source.experiment} is not there; this computes it: {command}"
