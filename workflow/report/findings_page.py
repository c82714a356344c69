"""Findings for a reader: one text, as Markdown and as a page that needs nothing but its pictures."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from workflow.tables.findings import Checked, Finding, Group, rule_words

READING = (
    "Every verdict is computed from the numbers below by the rule beside them. A number is over seeds, with its 95 % "
    "bootstrap interval in brackets. It holds where the whole interval meets the rule, fails where all of it misses, "
    "and is undecided in between. A check holds if it does in every row, and only under a condition if it holds in "
    "some rows and fails in others; a claim fails if one of its checks does, and is undecided if one is."
)
HEAD = ["case", "number", "seeds", "verdict"]
STYLE = """
body { font: 16px/1.5 Georgia, serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2, table, .verdict { font-family: system-ui, sans-serif; } h2 { margin-top: 3rem; }
table { border-collapse: collapse; font-size: 0.85rem; margin: 0.5rem 0 1rem; }
th, td { text-align: left; padding: 0.15rem 1rem 0.15rem 0; border-bottom: 1px solid #ddd; }
td:nth-child(2), td:nth-child(3) { font-variant-numeric: tabular-nums; white-space: nowrap; }
.verdict { font-weight: 600; } .source, .note { color: #555; font-size: 0.9rem; } img { max-width: 100%; }
"""


def markdown(findings: Sequence[Finding], *, experiment: str, figures: Sequence[str]) -> str:
    """Write the findings as Markdown; `figures` are those that lie in figures/ beside the text."""
    lines = [
        f"# Findings of experiment {experiment}",
        "",
        READING,
        "",
        *_table(["claim", "verdict"], _overview(findings)),
    ]
    for finding in findings:
        claim = finding.claim
        lines += ["", f"## Claim {claim['id']}: {finding.words}", "", f"> {claim['statement']}", "", claim["source"]]
        for letter, checked in zip("abcdefghij", finding.checks, strict=False):
            lines += ["", f"**{claim['id']}{letter}. {checked.check['asks']}** {_asked(checked)}", ""]
            lines += _table(HEAD, [_row(group) for group in checked.groups]) if checked.groups else []
            lines += ["", f"Note: {checked.note}."] if checked.note else []
        lines += ["", f"![{claim['figure']}]({_picture(claim)})" if claim["figure"] in figures else _undrawn(claim)]
    return "\n".join(lines) + "\n"


def page(findings: Sequence[Finding], *, experiment: str, figures: Sequence[str]) -> str:
    """Write the findings as one HTML page; `figures` are those that lie in figures/ beside it."""
    title = html.escape(f"Findings of experiment {experiment}")
    parts = [f"<h1>{title}</h1>", f"<p>{html.escape(READING)}</p>", _grid(["claim", "verdict"], _overview(findings))]
    for finding in findings:
        claim = finding.claim
        parts += [
            f"<h2 id='claim-{claim['id']}'>Claim {claim['id']}: {html.escape(finding.words)}</h2>",
            f"<blockquote>{html.escape(claim['statement'])}</blockquote>",
            f"<p class='source'>{html.escape(claim['source'])}</p>",
        ]
        for letter, checked in zip("abcdefghij", finding.checks, strict=False):
            asks, asked = html.escape(checked.check["asks"]), html.escape(_asked(checked))
            parts += [f"<p><b>{claim['id']}{letter}. {asks}</b> {asked}</p>"]
            parts += [_grid(HEAD, [_row(group) for group in checked.groups])] if checked.groups else []
            parts += [f"<p class='note'>Note: {html.escape(checked.note)}.</p>"] if checked.note else []
        shown = (
            f"<img src='{_picture(claim)}' alt='{claim['figure']}'>" if claim["figure"] in figures else _undrawn(claim)
        )
        parts += [f"<p>{shown}</p>"]
    head = f"<meta charset='utf-8'><title>{title}</title><style>{STYLE}</style>"
    return f"<!DOCTYPE html>\n<html lang='en'><head>{head}</head><body>\n" + "\n".join(parts) + "\n</body></html>\n"


def _overview(findings: Sequence[Finding]) -> list[list[str]]:
    return [[f"{finding.claim['id']}. {finding.claim['statement']}", finding.words] for finding in findings]


def _asked(checked: Checked) -> str:
    """Say what is measured, by which rule, and what came out."""
    check = checked.check
    verdict = f"{checked.verdict} {checked.condition}" if checked.condition else checked.verdict
    return (
        f"Measured: {_measure_words(check['measure'])}, {check['statistic']} over seeds, from "
        f"{'/'.join(checked.source)}; rule: {rule_words(check['rule'])}. Verdict: {verdict}."
    )


def _measure_words(measure: Mapping[str, Any]) -> str:
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


def _row(group: Group) -> list[str]:
    low, high = group.interval
    between = "no interval" if math.isnan(low) or math.isnan(high) else f"[{low:.4g}, {high:.4g}]"
    return [group.name, f"{group.estimate:.4g} {between}", str(group.seeds), group.verdict]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _grid(head: list[str], rows: list[list[str]]) -> str:
    def line(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"


def _picture(claim: Mapping[str, Any]) -> str:
    return f"figures/{claim['figure']}.png"


def _undrawn(claim: Mapping[str, Any]) -> str:
    return f"Figure: {claim['figure']}, which this experiment does not draw."
