"""A random search through the pipeline: from drawn models to the tables and figures of their variants."""

import csv
from pathlib import Path

import pytest

SEARCH = {
    "hidden_size": {"draws": 2, "from": 2, "to": 8},
    "learning_rate": {"draws": 5, "from": 0.001, "to": 0.1},
    "seed": 0,
    "reference": "rnn",
}
GRID = [{"devices": ["cpu"], "tasks": ["adding", "copy"], "models": ["rnn", "lstm"], "gradients": ["full"]}]
CHANGES = {
    "grid": GRID,
    "seeds": [0, 1],
    "search": SEARCH,
    "tasks": {"adding": {"lags": [2]}},
    "tables": ["odyssey", "odyssey_importance", "baselines"],
    "figures": ["odyssey_variants", "odyssey_importance"],
}


def test_every_model_is_trained_at_every_sampled_size(workspace):
    workspace.configure(**CHANGES)
    plan = workspace.plan()
    sizes = {job.wildcards["model"].partition(".h")[2] for job in plan.select("train")}
    assert len(sizes) == 2
    assert plan.names() == {
        f"{task}/lag={lag}/{model}.h{size}/full/seeds=0-1"
        for task, lag in (("adding", 2), ("copy", 11))
        for model in ("rnn", "lstm")
        for size in sizes
    }
    assert "comparisons" not in plan.rules()
    assert {"odyssey", "odyssey_importance"} <= plan.rules()


@pytest.mark.slow
def test_search_runs_to_its_tables_and_reruns_nothing(workspace):
    workspace.configure(**CHANGES)
    workspace.snakemake("--cores", "2")
    for name in ("statistics", "odyssey"):
        assert all(row["guess_accuracy"] for row in read(workspace.root / f"results/tiny/{name}.csv"))
    results = workspace.root / "results/tiny"
    assert {path.name for path in (results / "figures").glob("[!.]*")} == {
        f"{name}.{kind}" for name in CHANGES["figures"] for kind in ("pdf", "svg", "png")
    }
    rows = {name: read(results / f"{name}.csv") for name in ("summary", "odyssey", "odyssey_importance")}
    for name in ("odyssey", "odyssey_importance"):
        actual = [(row["task"], row["lag"], row["variant"], row["trials"]) for row in rows[name]]
        assert actual == [
            (task, lag, variant, "20") for task, lag in (("adding", "2"), ("copy", "11")) for variant in ("rnn", "lstm")
        ]
    trials = {(row["learning_rate"], row["hidden_size"], row["seed"]) for row in rows["summary"]}
    assert len(trials) == 20
    assert len(rows["summary"]) == 80
    first = {name: (results / f"{name}.csv").read_bytes() for name in rows}
    assert workspace.plan().jobs == []

    workspace.configure(**CHANGES | {"search": SEARCH | {"reference": "lstm"}})
    assert workspace.plan().names() == set()
    workspace.snakemake("--cores", "2", *(f"results/tiny/{name}.csv" for name in ("odyssey", "odyssey_importance")))
    assert (results / "odyssey.csv").read_bytes() != first["odyssey"]
    assert (results / "odyssey_importance.csv").read_bytes() == first["odyssey_importance"]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
