"""The page of findings, as HTML and as Markdown; its templates are findings.html.jinja and findings.md.jinja."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape

from workflow.statistics.verdicts import describe_rule
from workflow.tables.findings import CheckResult, Finding, Group

READING = (
    "Every verdict is computed from the numbers below by the rule next to them. A number is over seeds, with its 95 % "
    "bootstrap interval in brackets. It holds where the whole interval meets the rule, fails where all of it misses, "
    "and is undecided in between. A check holds if it does in every row, and only under a condition if it holds in "
    "some rows and fails in others; a claim fails if one of its checks does, and is undecided if one is."
)


def format_page(findings: Sequence[Finding], *, experiment: str, figures: Sequence[str], suffix: str) -> str:
    """Return the page as text, `suffix` html or md; `figures` are those that lie in figures/ next to it."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(["html.jinja"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters.update(describe_check=_describe_check, list_cells=_list_cells)
    content = {"findings": findings, "experiment": experiment, "figures": figures, "reading": READING}
    return templates.get_template(f"findings.{suffix}.jinja").render(content)


def _describe_check(result: CheckResult) -> str:
    """Return in words what is measured, by which rule, and the verdict."""
    check = result.check
    verdict = f"{result.verdict} {result.condition}" if result.condition else result.verdict
    return (
        f"Measured: {_describe_measure(check['measure'])}, {check['statistic']} over seeds, from "
        f"{'/'.join(result.source)}; rule: {describe_rule(check['rule'])}. Verdict: {verdict}."
    )


def _describe_measure(measure: Mapping[str, Any]) -> str:
    column, at = measure["column"], measure.get("at")
    over = " and ".join(f"{name} = {value}" for name, value in measure.get("over", {}).items())
    back = "the lag" if at == "lag" else f"{at} steps"
    return {
        "value": f"{column}",
        "interval": f"{column}",
        "flatness": f"largest relative change of {column} over u up to {back}",
        "retained": f"{column} at u = {back} over that at u = 0",
        "factor_per_step": f"factor per step of {column}, from u = 0 to {back}",
        "peak": f"{column} at u = {back} over the largest at smaller u",
        "ratio": f"{column} over that of {over}",
        "difference": f"{column} minus that of {over}",
    }[measure["kind"]]


def _list_cells(group: Group) -> list[str]:
    low, high = group.interval
    between = "no interval" if math.isnan(low) or math.isnan(high) else f"[{low:.4g}, {high:.4g}]"
    return [group.name, f"{group.estimate:.4g} {between}", str(group.seeds), group.verdict]
