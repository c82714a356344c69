"""The file of the claims: what ships is accepted, a mistake is one line; where the tables of a claim are looked for."""

import copy
from pathlib import Path

import pytest
import yaml

from tests.settings import TINY
from workflow.experiment.declarations import load_registry
from workflow.experiment.errors import ConfigurationError
from workflow.experiment.experiment import Experiment, complete
from workflow.experiment.findings import Findings, Source, find_source, read_claims
from workflow.experiment.reading import read
from workflow.experiment.source_tree import SourceTree
from workflow.experiment.tables import list_networks

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = read(ROOT / "config/claims.yaml")
FIGURES = load_registry(SourceTree(ROOT)).figures


def findings(**changes: str) -> Findings:
    return Findings(Experiment(complete({**TINY, **changes}, root=ROOT), root=ROOT))


def test_the_six_claims_of_the_thread_ship():
    claims = read_claims("config/claims.yaml", root=ROOT, figures=FIGURES)
    assert [claim["id"] for claim in claims] == [1, 2, 3, 4, 5, 6]
    assert all(f"Thread, claim {claim['id']};" in claim["source"] for claim in claims)


MALFORMED = [
    # the place in the file and what stands there instead, the key named, what else the line says
    (["claims"], [], "claims:", ["at least 1", "came []"]),
    (["claims", 0, "id"], 2, "claims[1].id:", ["came 2 twice"]),
    (["claims", 0, "verdict"], "holds", "claims[0].verdict:", ["unknown key", "known: id, statement"]),
    (["claims", 0, "figure"], "constructed_netwrok", "claims[0].figure:", ["did you mean constructed_network?"]),
    (["claims", 0, "checks", 0, "statistic"], "modus", "claims[0].checks[0].statistic:", ["one of mean, median"]),
    (["claims", 0, "checks", 0, "rule"], {"atmost": 1}, "claims[0].checks[0].rule.atmost:", ["did you mean at_most?"]),
    (["claims", 0, "checks", 0, "rule"], {}, "claims[0].checks[0].rule:", ["at_most, at_least", "came none"]),
    (["claims", 0, "checks", 0, "rule"], {"below": "1e-3"}, "claims[0].checks[0].rule.below:", ["reads as text"]),
    (["claims", 0, "checks", 0, "rule"], {"within": [2, 1]}, "claims[0].checks[0].rule:", ["lower end first"]),
    (["claims", 0, "checks", 0, "table"], "../x", "claims[0].checks[0].table:", ["name of a table", "came '../x'"]),
    (["claims", 0, "checks", 0, "experiment"], "a/b", "claims[0].checks[0].experiment:", ["a label of letters"]),
    (
        ["claims", 4, "checks", 0, "measure"],
        {"kind": "peak", "column": "x"},
        "claims[4].checks[0].measure:",
        ["expected for peak besides the column: at; came none"],
    ),
    (
        ["claims", 0, "checks", 0, "measure"],
        {"kind": "value", "column": "x", "at": 3},
        "claims[0].checks[0].measure:",
        ["expected for value besides the column: none; came at"],
    ),
    (["claims", 0, "checks", 0, "by"], ["a", "b", "c", "d"], "claims[0].checks[0].by:", ["0 to 3 different items"]),
]


@pytest.mark.parametrize(("place", "value", "key", "says"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_claim_is_refused_in_one_line(tmp_path, place, value, key, says):
    content = copy.deepcopy(SHIPPED)
    target = content
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = value
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError) as caught:
        read_claims(str(tmp_path / "claims.yaml"), root=ROOT, figures=FIGURES)
    line = str(caught.value)
    assert line.startswith(f"config: {key}")
    assert all(text in line for text in says), line
    assert line.isprintable()


def test_tables_are_looked_for_where_they_are_made_or_published(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = {"claims": [copy.deepcopy(SHIPPED["claims"][5])]}
    for check in content["claims"][0]["checks"]:  # names of which nothing is published
        if "experiment" in check:
            check["experiment"] = {"gradients": "tiny", "hochreiter1997": "elsewhere"}[check["experiment"]]
    content["claims"][0]["checks"][0] |= {"experiment": "tiny"}
    Path("claims.yaml").write_text(yaml.safe_dump(content))

    def tables(name: str) -> dict[Source, str]:
        return findings(experiment=name, claims="claims.yaml").tables

    own = {Source("tiny", table): f"results/tiny/{table}.csv" for table in ("summary", "statistics")}
    assert tables("tiny") == own
    published = Path("results/reference/elsewhere")
    published.mkdir(parents=True)
    (published / "summary.csv").touch()
    assert tables("tiny") == own | {Source("elsewhere", "summary"): f"{published}/summary.csv"}
    computed = Path("results/elsewhere")
    computed.mkdir()
    (computed / "summary.csv").touch()
    assert tables("tiny")[Source("elsewhere", "summary")] == f"{computed}/summary.csv"
    assert set(tables("another")) == {Source("another", "summary"), Source("another", "statistics"),
                                      Source("elsewhere", "summary")}  # fmt: skip


def test_a_check_without_an_experiment_is_about_the_one_that_is_asked_for():
    assert find_source({"table": "constructed"}, experiment="mine") == Source("mine", "constructed")
    assert find_source({"table": "constructed", "experiment": "a"}, experiment="mine") == Source("a", "constructed")


def test_networks_are_those_of_the_grid_each_once():
    networks = list_networks(findings().experiment)
    request = [(group["task"]["name"], group["task"]["lag"], group["model"]["name"]) for group in networks]
    assert request == [
        ("adding", 2, "lstm_peephole"), ("adding", 2, "rnn"), ("adding", 3, "lstm_peephole"), ("adding", 3, "rnn"),
        ("copy", 11, "rnn"),
    ]  # fmt: skip
    assert all(group["seeds"] == TINY["seeds"] for group in networks)
