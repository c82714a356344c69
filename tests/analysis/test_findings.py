"""The verdicts: every outcome on synthetic tables, every shipped claim on a tiny real measurement."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.settings import job_settings, select_network
from training.gradients.constructed import compute_rows as compute_constructed
from training.gradients.derivatives import compute_rows as compute_derivatives
from workflow.experiment.declarations import load_registry
from workflow.experiment.findings import Source, read_claims
from workflow.experiment.source_tree import SourceTree
from workflow.report.findings_page import format_page
from workflow.statistics.intervals import Interval
from workflow.statistics.verdicts import FAILS, HOLDS, ONLY_IF, UNDECIDED, find_condition, judge_interval
from workflow.tables.findings import Finding, evaluate_claims, list_findings

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = read_claims("config/claims.yaml", root=ROOT, figures=load_registry(SourceTree(ROOT)).figures)
MINE = Source("mine", "numbers")
SPREAD = {"low": (0.1, 0.2, 0.3), "high": (0.7, 0.8, 0.9), "across": (0.3, 0.45, 0.9)}


def claim(**changes: Any) -> dict[str, Any]:
    """Return a claim that all numbers are below 1/2."""
    check = {"asks": "Is it small?", "table": "numbers", "where": {}, "statistic": "mean", "by": ["flow", "model"]}
    check |= {"measure": {"kind": "value", "column": "number"}, "rule": {"below": 0.5}, **changes}
    return {"id": 1, "statement": "It is small.", "source": "Nobody.", "figure": "none", "checks": [check]}


def table_of(**spreads: str) -> pd.DataFrame:
    """Return a table with a spread of numbers per `flow_model`."""
    return pd.DataFrame(
        [
            {"flow": key.split("_")[0], "model": key.split("_")[1], "seed": seed, "number": number}
            for key, spread in spreads.items()
            for seed, number in enumerate(SPREAD[spread])
        ]
    )


def decide(claim: dict[str, Any], table: pd.DataFrame) -> Finding:
    (finding,) = evaluate_claims([claim], tables={MINE: table}, experiment="mine")
    return finding


@pytest.mark.parametrize(
    ("spreads", "verdict", "condition"),
    [
        ({"x_a": "low", "y_a": "low"}, HOLDS, ""),
        ({"x_a": "high", "y_a": "high"}, FAILS, ""),
        ({"x_a": "across"}, UNDECIDED, ""),
        ({"x_a": "low", "y_a": "across"}, UNDECIDED, ""),
        ({"x_a": "high", "y_a": "across"}, FAILS, ""),
        ({"x_a": "low", "y_a": "high"}, ONLY_IF, "flow = x"),
        ({"x_a": "low", "y_a": "high", "z_a": "across"}, ONLY_IF, "flow = x"),
        ({"x_a": "low", "y_a": "low", "x_b": "high", "y_b": "high"}, ONLY_IF, "model = a"),
        ({"x_a": "low", "y_a": "high", "x_b": "high", "y_b": "high"}, ONLY_IF, "flow = x and model = a"),
        ({"x_a": "low", "y_a": "low", "z_a": "high"}, ONLY_IF, "flow = x or y"),
        (
            {"x_a": "low", "y_b": "low", "x_b": "high", "y_a": "high"},
            ONLY_IF,
            "(flow = x and model = a) or (flow = y and model = b)",
        ),
        (
            {"x_a": "low", "y_b": "low", "x_b": "low", "y_a": "high", "z_a": "low", "z_b": "high"},
            ONLY_IF,
            "neither (flow = y and model = a) nor (flow = z and model = b)",
        ),
        ({"x_a": "low", "y_b": "low", "x_b": "low", "y_a": "high"}, ONLY_IF, "not (flow = y and model = a)"),
    ],
)
def test_every_verdict_and_its_condition(spreads, verdict, condition):
    finding = decide(claim(), table_of(**spreads))
    assert (finding.verdict, finding.condition) == (verdict, condition)
    assert finding.words == f"{verdict} {condition}".strip()


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ({"below": 0.5}, HOLDS),
        ({"below": 0.1}, FAILS),
        ({"below": 0.2}, UNDECIDED),
        ({"above": 0.05}, HOLDS),
        ({"above": 0.5}, FAILS),
        ({"at_least": 0.05}, HOLDS),
        ({"within": [0.0, 1.0]}, HOLDS),
        ({"within": [0.4, 1.0]}, FAILS),
        ({"within": [0.2, 1.0]}, UNDECIDED),
        ({"at_most": 0.5}, HOLDS),
    ],
)
def test_another_rule_gives_another_verdict(rule, verdict):
    assert decide(claim(rule=rule), table_of(x_a="low")).verdict == verdict


def test_limits_belong_to_at_least_and_at_most_and_not_to_above_and_below():
    exact, unknown = Interval(1.0, 1.0), Interval(np.nan, np.nan)
    for rule, verdict in [("at_most", HOLDS), ("at_least", HOLDS), ("below", FAILS), ("above", FAILS)]:
        assert judge_interval(exact, {rule: 1}) == verdict
        assert judge_interval(unknown, {rule: 1}) == UNDECIDED
    assert judge_interval(exact, {"within": [1, 2]}) == HOLDS


def test_one_seed_has_no_interval_and_decides_nothing():
    table = table_of(x_a="low")
    finding = decide(claim(), table[table["seed"] == 0])
    assert finding.verdict == UNDECIDED
    assert "flow = x, model = a" in finding.checks[0].note


def test_a_table_that_is_missing_is_told_with_the_command_that_makes_it():
    (finding,) = evaluate_claims([claim(experiment="other")], tables={}, experiment="mine")
    assert finding.verdict == UNDECIDED
    assert "snakemake --cores 2 --configfile config/other.yaml" in finding.checks[0].note
    (finding,) = evaluate_claims([claim()], tables={}, experiment="mine")
    assert "does not compute table numbers" in finding.checks[0].note
    finding = decide(claim(measure={"kind": "value", "column": "nrom"}), table_of(x_a="low"))
    assert (finding.verdict, "no column nrom" in finding.checks[0].note) == (UNDECIDED, True)
    assert decide(claim(where={"flow": "q"}), table_of(x_a="low")).verdict == UNDECIDED


def test_a_claim_fails_with_one_of_its_checks_and_else_waits_for_all():
    good, bad, open_ = ({**claim()["checks"][0], "where": {"flow": flow}} for flow in "xyz")
    table = table_of(x_a="low", y_a="high", z_a="across")
    for checks, verdict in [((good, good), HOLDS), ((good, open_), UNDECIDED), ((good, open_, bad), FAILS)]:
        assert decide({**claim(), "checks": list(checks)}, table).verdict == verdict
    either = {**good, "where": {}, "by": ["flow"]}
    finding = decide({**claim(), "checks": [good, either, either]}, table)
    assert (finding.verdict, finding.condition) == (ONLY_IF, "flow = x")


def test_intervals_of_a_table_are_taken_as_they_are():
    table = pd.DataFrame({"flow": ["x", "y"], "mean": [0.1, 0.9], "l": [0.0, 0.8], "h": [0.2, 1.0], "pairs": [7, 8]})
    measure = {"kind": "interval", "column": "mean", "low": "l", "high": "h"}
    finding = decide(claim(measure=measure, by=["flow"]), table)
    assert finding.words == "holds only if flow = x"
    assert [(group.interval, group.seeds) for group in finding.checks[0].groups] == [((0.0, 0.2), 7), ((0.8, 1.0), 8)]


@pytest.mark.parametrize("changes", [{"measure": {"high": "hi"}}, {"by": ["path"]}], ids=["limit", "group"])
def test_a_claim_that_its_table_does_not_fit_is_undecided(changes):
    """It was a KeyError that ended the job."""
    table = pd.DataFrame({"flow": ["x"], "mean": [0.1], "l": [0.0], "h": [0.2]})
    measure = {"kind": "interval", "column": "mean", "low": "l", "high": "h"} | changes.get("measure", {})
    finding = decide(claim(measure=measure, by=changes.get("by", ["flow"])), table)
    assert finding.verdict == UNDECIDED
    assert "no column" in finding.checks[0].note


def test_the_shortest_condition_is_found():
    held = [{"gate": "no", "flow": flow} for flow in ("full", "cell")]
    assert find_condition(held, failed=[{"gate": "yes", "flow": "full"}]) == "gate = no"
    assert find_condition(held[:1], failed=[{"gate": "yes", "flow": "full"}, held[1]]) == "gate = no and flow = full"


OPTIONS = {
    "lstm_no_forget": {"forget_gate": False},
    "lstm_forget_0": {"forget_bias": 0},
    "lstm_shut": {"forget_bias": -4},
    "lstm_peephole": {"peepholes": True},
}


@pytest.fixture(scope="module")
def measured() -> dict[Source, pd.DataFrame]:
    """Every table that the shipped claims read, of a few tiny networks; nothing is trained."""
    tables: dict[str, list[dict[str, Any]]] = {"derivatives": [], "gradient_versus_lag": [], "summary": []}
    for model, changes in OPTIONS.items():
        subset = job_settings(seeds=[0, 1, 2], learning_rates=[0.01], task="temporal_order", lag=8, hidden_size=4)
        options = {**subset["model"]["options"], **changes}
        tables["derivatives"] += compute_derivatives(
            select_network({**subset, "model": {**subset["model"], "name": model, "options": options}})
        )
        for gradient in ("full", "truncated_1997"):
            labels = {"device": "cpu", "task": "temporal_order", "lag": 8, "model": model, "gradient": gradient}
            details = {"cell": "lstm", "model_options": json.dumps(options), "learning_rate": 0.01}
            tables["summary"] += [
                labels | details | {"seed": seed, "updates": 100, "sequences": 100} for seed in (0, 1, 2)
            ]
    for row in tables["derivatives"]:
        labels = {"task": row["task"], "lag": 8, "model": row["model"], "seed": row["seed"], "flow": row["flow"]}
        for u in (0, 1, 2, 4, 8):
            norm = row["factor_per_step"] ** u
            tables["gradient_versus_lag"].append(labels | {"snapshot": "solved", "quantity": "c", "u": u, "norm": norm})
    cost = {"task": "adding", "model": "all", "measure": "test_accuracy", "pairs": 9, "difference": 0.0}
    tables["truncation_cost"] = [cost | {"low": -0.01, "high": 0.01}]
    actual = {Source("gradients", name): pd.DataFrame(rows) for name, rows in tables.items()}
    actual[Source("gradients", "constructed")] = pd.DataFrame(compute_constructed({"seeds": range(3)}))
    actual[Source("hochreiter1997", "summary")] = network_of_1997()
    return actual


def network_of_1997(**solved: list[bool]) -> pd.DataFrame:
    """Both flows on 6a with three seeds; `solved` says per flow which stop, all if it does not, after 100 sequences."""
    labels = {"device": "cpu", "task": "order_6a", "lag": 40, "model": "net_6a"}
    labels |= {"cell": "lstm_1997", "model_options": "{}"}
    rows = []
    for gradient in ("full", "truncated_1997"):
        for seed, stops in enumerate(solved.get(gradient, [True] * 3)):
            number = {"solved": stops, "updates_to_solve": 100.0 if stops else None, "updates": 100 if stops else 500}
            rows.append(labels | {"gradient": gradient, "seed": seed, "learning_rate": 0.5} | number)
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def findings(measured) -> list[Finding]:
    return evaluate_claims(CLAIMS, tables=measured, experiment="gradients")


def test_every_shipped_claim_is_decided_by_a_tiny_measurement(findings):
    assert [finding.claim["id"] for finding in findings] == [1, 2, 3, 4, 5, 6]
    assert all(checked.groups for finding in findings for checked in finding.checks)
    words = {finding.claim["id"]: finding.words for finding in findings}
    assert words[1] == "holds only if forget_gate = no and flow = truncated_1997"
    assert words[2] == HOLDS
    assert words[4] == "holds only if model = lstm_no_forget or lstm_peephole"
    assert words[5] == HOLDS
    assert words[6] == HOLDS
    for checked in findings[2].checks:  # constant without a forget gate and with the truncation, so not sure to vanish
        verdicts = {group.name: group.verdict for group in checked.groups}
        assert verdicts["model = lstm_no_forget, flow = truncated_1997"] == FAILS
        assert verdicts["model = lstm_forget_0, flow = truncated_1997"] == HOLDS


def test_seeds_that_never_stop_are_not_taken_for_equally_quick(measured):
    """Claim 6 compares the sequences of seeds that stop under both flows; how many stop is a question of its own."""
    for full, quick, many in (([False] * 3, UNDECIDED, FAILS), ([True, True, False], HOLDS, UNDECIDED)):
        tables = {**measured, Source("hochreiter1997", "summary"): network_of_1997(full=full)}
        checks = evaluate_claims(CLAIMS, tables=tables, experiment="gradients")[5].checks
        assert [checked.verdict for checked in checks[2:]] == [quick, many]


def test_a_mutated_rule_turns_a_shipped_verdict(measured):
    mutated = json.loads(json.dumps(CLAIMS))
    mutated[4]["checks"][0]["rule"] = {"at_least": 1e9}
    mutated[0]["checks"][0]["rule"] = {"at_most": 10}
    actual = evaluate_claims(mutated, tables=measured, experiment="gradients")
    assert actual[4].verdict == FAILS
    assert actual[0].checks[0].verdict == HOLDS


def test_without_the_other_tables_the_claims_say_what_to_run(measured):
    alone = {name: table for name, table in measured.items() if name.table != "gradient_versus_lag"}
    del alone[Source("hochreiter1997", "summary")]
    actual = evaluate_claims(CLAIMS, tables=alone, experiment="gradients")
    assert [finding.verdict for finding in actual] == [UNDECIDED, HOLDS, UNDECIDED, ONLY_IF, HOLDS, UNDECIDED]
    notes = {checked.note for finding in actual for checked in finding.checks if not checked.groups}
    assert any("config/hochreiter1997.yaml" in note for note in notes)


@pytest.mark.parametrize("suffix", ["md", "html"])
def test_the_text_names_each_claim_once_with_its_verdict_and_figure(suffix: str, findings):
    text = format_page(findings, experiment="gradients", figures=["constructed_network"], suffix=suffix)
    for finding in findings:
        headings = re.findall(rf"(?:## |'>)Claim {finding.claim['id']}: (.*?)(?:</h2>|\n)", text)
        assert headings == [finding.words]
    assert text.count("figures/constructed_network.png") == 1
    assert "truncation_cost.png" not in text
    assert "truncation_cost, which this experiment does not draw" in text


def test_the_page_keeps_only_short_cells_on_one_line_and_lets_wide_tables_scroll(findings):
    """So that no table is wider than the window: a condition may be long."""
    text = format_page(findings, experiment="gradients", figures=[], suffix="html")
    style, _, body = text.partition("</style>")
    (unbroken,) = re.findall(r"^(.*) \{.*white-space: nowrap", style, re.M)
    assert unbroken == ".numbers td:nth-child(2), .numbers td:nth-child(3)"
    numbers = [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(<td>.*)</tr>", body)]
    assert all(len(cell) < 50 for row in numbers if len(row) == 4 for cell in row[1:3])
    assert re.search(r"\.table \{ overflow-x: auto", style)
    assert style in (ROOT / "results/reference/gradients/findings.html").read_text()
    assert body.count("<table") == body.count("<div class='table'><table") == 1 + sum(len(f.checks) for f in findings)


def test_what_is_not_ours_is_escaped_in_the_page():
    finding = decide(claim(asks="Is a < b & c > d?") | {"statement": "<script>"}, table_of(x_a="low"))
    text = format_page([finding], experiment="mine", figures=[], suffix="html")
    assert "<script>" not in text
    assert "Is a &lt; b &amp; c &gt; d?" in text


def test_the_table_has_a_row_per_claim_check_and_group(findings):
    table = pd.DataFrame(list_findings(findings))
    assert len(table) == sum(len(checked.groups) for finding in findings for checked in finding.checks)
    assert table.groupby("claim")["verdict"].nunique().eq(1).all()
    (missing,) = evaluate_claims([claim()], tables={}, experiment="mine")
    (row,) = list_findings([missing])
    assert (row["verdict"], row["seeds"]) == (UNDECIDED, 0)
