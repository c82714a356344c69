"""Published numbers in a configuration, and a tiny reproduction from the command line."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.settings import TINY
from tests.workflow.workspace import Workspace
from workflow.experiment.errors import ConfigurationError
from workflow.experiment.experiment import Experiment, complete
from workflow.experiment.reading import merge, read
from workflow.experiment.source_tree import SourceTree

ROOT = Path(__file__).resolve().parents[2]
ROW = {"table": "Table 7", "experiment": "adding", "task": "adding", "lag": 10, "model": "net", "learning_rate": 0.5}
ROW |= {"sequences": 900, "wrong": 1, "trials": 10, "weights": 93, "notes": ""}
ONLINE = yaml.safe_load("""
grid:
  - {devices: [cpu], tasks: [adding], models: [net], gradients: [truncated_1997, full]}
learning_rates: [0.5]
tables: [published, baselines]
figures: [published]
tasks:
  adding: {task: adding, variant: hochreiter1997, output: logistic, lags: [10], sequences: 64}
  copy: {task: copy, loss: recall, lags: [11], sequences: 64}
models:
  net: {cell: lstm_1997, hidden_size: 4, block_size: 2, input_gate_bias: -3, biases: true, bound: 0.1}
training: {protocol: online, dtype: float64, optimiser: sgd, batch_size: 1, clip_norm: null, evaluate_every: 10}
""") | {"published": [ROW]}


def error_line(**changes: object) -> str:
    """Return the line with which the tiny online configuration is refused after these changes."""
    with pytest.raises(ConfigurationError) as caught:
        Experiment(merge(TINY, ONLINE | changes), root=ROOT)
    line = str(caught.value)
    assert line.isprintable()
    return line


def test_the_tiny_configuration_itself_is_accepted() -> None:
    assert Experiment(merge(TINY, ONLINE), root=ROOT).config["published"] == [ROW]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"task": "ading"}, "published[0].task: unknown task 'ading'; known: adding"),
        ({"model": "nte"}, "published[0].model: unknown model 'nte'; known:"),
        ({"lag": 11}, "published[0].lag: expected a lag of task adding (10); came 11"),
        ({"task": "copy", "lag": 11}, "published[0]: no block of the grid runs model net on task copy"),
        ({"wrong": -1}, "published[0].wrong: expected"),
        ({"sequences": "31 390"}, "published[0].sequences: expected an integer"),
        ({"trails": 10}, "published[0].trails: unknown key"),
    ],
)
def test_a_malformed_row_is_refused_in_one_line(row: dict, line: str) -> None:
    assert error_line(published=[ROW | row]).startswith(f"config: {line}")


def test_a_missing_key_a_second_row_and_another_protocol_are_refused() -> None:
    without = {name: value for name, value in ROW.items() if name != "trials"}
    assert "published[0].trials" in error_line(published=[without])
    assert error_line(published=[ROW, ROW]).startswith("config: published[1].experiment: published[0] is of this table")
    with pytest.raises(
        ConfigurationError, match=r"^config: published: the key is missing; it is needed, as tables names published"
    ):
        Experiment(merge(TINY, {"tables": ["published"]}), root=ROOT)
    row = ROW | {"task": "copy", "lag": 11, "model": "rnn"}
    with pytest.raises(ConfigurationError, match=r"^config: published: .*expected training\.protocol online"):
        Experiment(merge(TINY, {"published": [row]}), root=ROOT)


@pytest.mark.parametrize("name", ["hochreiter1997", "hochreiter1997_long"])
def test_the_shipped_rows_have_as_many_weights_as_the_paper_s_networks(name: str) -> None:
    """From the configured sizes alone: H'(in + H' + 1) + out(cells + 1), without the ones if there are no biases."""
    config = complete(read(ROOT / "config" / f"{name}.yaml"), root=ROOT)
    Experiment(config, root=ROOT)
    for row in config["published"]:
        model, task = config["models"][row["model"]], config["tasks"][row["task"]]
        cells, biases = model["hidden_size"], int(model["biases"])
        units = cells // model["block_size"] * (model["block_size"] + 2)
        features = {"adding": 2, "temporal_order": 8, "long_lag": task.get("symbols", 0) + 4}[task["task"]]
        outputs = {"adding": 1, "temporal_order": 2 ** task.get("symbols", 0), "long_lag": 2}[task["task"]]
        assert units * (features + units + biases) + outputs * (cells + biases) == row["weights"], row


def test_the_protocol_s_code_determines_online_runs_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SourceTree, "digest", SourceTree.closure)
    experiments = (Experiment(merge(TINY, changes), root=ROOT) for changes in (ONLINE, {}))
    covers = ["training/protocols/online.py" in map(str, e.sources(e.conditions[0])) for e in experiments]
    assert covers == [True, False]


@pytest.mark.slow
def test_a_tiny_reproduction_runs_and_then_has_nothing_to_do(workspace: Workspace) -> None:
    workspace.configure(**ONLINE)
    workspace.snakemake("--cores", "2")
    table = pd.read_csv(workspace.root / "results/tiny/published.csv")
    assert list(table["gradient"]) == ["full", "truncated_1997"]
    assert set(table["verdict"]) == {"censored"}
    assert set(table["parameters"]) == {93}
    assert table["weights_agree"].all()
    assert table["guess_accuracy"].between(0, 1).all()
    assert table["constant_accuracy"].between(0, 1, inclusive="neither").all()
    assert {path.suffix for path in (workspace.root / "results/tiny/figures").glob("published.*")} == {
        ".pdf",
        ".svg",
        ".png",
    }
    assert workspace.plan().jobs == []
