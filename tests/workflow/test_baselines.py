"""The jobs of the baselines: one per task, lag and model, made again only when their own numbers would change."""

import json
from pathlib import Path

import pytest

from records.condition import Condition
from tests.settings import TINY
from workflow.experiment.experiment import Experiment
from workflow.experiment.reading import merge
from workflow.experiment.source_tree import SourceTree
from workflow.jobs.requested import Request, digest_requests, list_requests
from workflow.tables.schema.csv_files import read_csv

ROOT = Path(__file__).resolve().parents[2]
POINTS = {
    ("cpu", "adding", 2, "rnn"),
    ("cpu", "adding", 3, "rnn"),
    ("cpu", "copy", 11, "rnn"),
    ("cpu", "adding", 2, "lstm_peephole"),
    ("cpu", "adding", 3, "lstm_peephole"),
}


def baselines(**changes: object) -> dict[Condition, Request]:
    requests = list_requests(Experiment(merge(TINY, changes), root=ROOT), "baseline")
    return {request.condition: request for request in requests}


def test_there_is_one_point_per_task_lag_and_model_whatever_the_gradients():
    assert {tuple(condition[:4]) for condition in baselines()} == POINTS
    both = [{**block, "gradients": ["full", "tbptt"]} for block in TINY["grid"]]
    assert {tuple(condition[:4]) for condition in baselines(grid=both)} == POINTS


def test_settings_hold_what_determines_a_guess_and_nothing_else():
    point = Condition("cpu", "adding", 3, "lstm_peephole")
    settings = baselines()[point].settings
    assert settings["task"] == {
        "name": "adding",
        "task": "adding",
        "lag": 3,
        "options": {"output": "linear", "variant": "uniform"},
    }
    assert settings["training"] == {"kernel": "reference", "dtype": "float32", "test_sequences": 16}
    assert settings["guessing"] == TINY["baselines"]
    trained_otherwise = baselines(
        seeds=[7], learning_rates=[0.5], gradients={"tbptt": {"num_steps": 3}}, training={"batch_size": 8}
    )
    digest = digest_requests(baselines().values())
    assert trained_otherwise[point].settings == settings
    assert digest_requests(trained_otherwise.values()) == digest
    for change in (
        {"baselines": {"guesses": 7}},
        {"training": {"test_sequences": 17}},
        {"models": {"lstm_peephole": {"hidden_size": 3}}},
    ):
        assert baselines(**change)[point].settings != settings
        assert digest_requests(baselines(**change).values()) != digest


def test_a_guess_depends_on_its_task_cell_and_kernel_and_on_nothing_that_trains():
    closure = {path.as_posix() for path in SourceTree(ROOT).closure(["training/guessing.py"])}
    assert {"training/evaluation.py", "models/network.py", "tasks/task.py"} <= closure
    assert not closure & {"training/condition.py", "training/protocols/minibatch.py", "models/lstm.py"}
    points = (Condition("cpu", task, lag, "rnn") for task, lag in (("copy", 11), ("adding", 2)))
    copy, adding = (baselines()[point].sources for point in points)
    assert copy != adding


def test_there_is_one_job_per_point_where_a_table_or_a_figure_needs_it(workspace):
    plan = workspace.plan("results/tiny/baselines.csv")
    assert plan.names("baseline") == {f"{task}/lag={lag}/{model}" for _, task, lag, model in POINTS}
    assert plan.rules() == {"baseline", "baselines"}
    workspace.configure(tables=["surface"], figures=["truncation_surface"])
    assert {"baseline", "baselines", "surface", "train"} <= workspace.plan().rules()


@pytest.mark.slow
def test_guesses_are_joined_to_accuracies(workspace):
    workspace.configure(tables=["baselines", "surface"], figures=["truncation_surface"])
    workspace.snakemake("--cores", "2")
    results = workspace.root / "results/tiny"
    tables = {name: read_csv(results / f"{name}.csv") for name in ("baselines", "statistics", "surface")}
    key = ["device", "task", "lag", "model"]
    assert {tuple(row) for row in tables["baselines"][key].itertuples(index=False)} == POINTS
    assert (tables["baselines"]["guesses"] == 6).all()
    for path in (results / "baselines").rglob("rnn.json"):
        provenance, record = (json.loads(item.read_text()) for item in (path.with_suffix(".provenance.json"), path))
        assert (provenance["sources"], provenance["kernel"]) == (record["sources"], record["kernel"])
        assert provenance["versions"]["torch"]
    for name in ("statistics", "surface"):
        joined = tables[name].merge(tables["baselines"], on=key, suffixes=("", "_"))
        assert len(joined) == len(tables[name]) == 5
        assert (joined["guess_accuracy"] == joined["guess_accuracy_"]).all()
    assert (results / "figures/truncation_surface.pdf").exists()
    assert workspace.plan().jobs == []
