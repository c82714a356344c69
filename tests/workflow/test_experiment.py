"""From a configuration to conditions, settings and files."""

import re
from pathlib import Path

import pytest

from records.condition import Condition
from tests.settings import TINY, TINY_RUNS
from workflow.experiment.configuration import Configuration
from workflow.experiment.declarations import Declaration, is_met
from workflow.experiment.experiment import Experiment
from workflow.experiment.gate import require_devices
from workflow.experiment.reading import merge
from workflow.jobs.requested import digest_requests, list_requests, list_requests_at

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = Configuration.model_json_schema()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def experiment(**changes: object) -> Experiment:
    return Experiment(merge(TINY, changes), root=ROOT)


def run_paths(tiny: Experiment) -> list[str]:
    return [request.path for request in list_requests(tiny, "run")]


def test_grid_is_a_union_of_products():
    tiny = experiment()
    assert {path.partition("/cpu/")[2].removesuffix(".json") for path in run_paths(tiny)} == TINY_RUNS
    assert experiment(grid=TINY["grid"] * 2).conditions == tiny.conditions


def test_settings_hold_what_determines_the_numbers_and_nothing_else():
    settings = experiment().settings(Condition("cpu", "adding", 3, "lstm_peephole", "tbptt"), [2, 0])
    assert settings == {
        "device": "cpu",
        "seeds": [0, 2],
        "learning_rates": [0.01],
        "task": {
            "name": "adding",
            "task": "adding",
            "lag": 3,
            "sequences": 64,
            "options": {"output": "linear", "variant": "uniform"},
        },
        "model": {
            "name": "lstm_peephole",
            "cell": "lstm",
            "hidden_size": 2,
            "options": {
                "coupled_gates": False,
                "forget_bias": 1,
                "forget_gate": True,
                "gate_recurrence": False,
                "input_activation": "tanh",
                "input_bias": 0,
                "input_gate": True,
                "output_activation": "tanh",
                "output_gate": True,
                "peepholes": True,
            },
        },
        "gradient": {
            "name": "tbptt",
            "paths": ["block_input", "cell", "gates", "output_peephole", "peepholes"],
            "k1": 20,
            "k2": 20,
        },
        "training": {
            "protocol": "minibatch",
            "kernel": "reference",
            "dtype": "float32",
            "batch_size": 32,
            "clip_norm": 1,
            "evaluate_every": 1,
            "validation_sequences": 16,
            "test_sequences": 16,
        },
        "optimiser": {"name": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    }


def test_paths_and_window_are_resolved_against_the_cell():
    gradients = {"some": {"paths": ["recurrent"], "k1": 2, "k2": 5}}
    tiny = experiment(gradients=gradients)
    assert tiny.settings(Condition("cpu", "copy", 11, "rnn", "some"), [0])["gradient"] == {
        "name": "some",
        "paths": ["recurrent"],
        "k1": 2,
        "k2": 5,
    }
    full = tiny.settings(Condition("cpu", "copy", 11, "lstm", "full"), [0])["gradient"]
    assert full == {"name": "full", "paths": ["block_input", "cell", "gates"], "k1": None, "k2": None}


@pytest.mark.parametrize(
    "changes",
    [
        {"threads": 7},
        {"figures": []},
        {"seeds_per_job": 1},
        {"learning_rates": [0.01, 0.01 + 0.0][:1]},
        {"training": {"clip_norm": 1, "batch_size": 32.0}},
        {"grid": TINY["grid"][::-1]},
    ],
)
def test_settings_do_not_depend_on_what_changes_no_number(changes):
    path = "results/tiny/runs/cpu/adding/lag=2/rnn/full/seeds=0-2.json"
    requested = list_requests_at(experiment(**changes), "run", [path])[path]
    assert requested == list_requests_at(experiment(), "run", [path])[path]
    assert requested.settings["seeds"] == [0, 1, 2]


def test_requests_name_the_seeds_of_every_block(tmp_path):
    folder = tmp_path / "results/tiny/runs/cpu/copy/lag=11/rnn/full"
    folder.mkdir(parents=True)
    (folder / "seeds=1-4.json").touch()
    tiny = experiment()
    path = "results/tiny/runs/cpu/copy/lag=11/rnn/full/seeds="
    requests = {request.path: request for request in list_requests(tiny, "run")}
    assert requests[f"{path}1-4.json"].seeds == (1, 2)
    assert requests[f"{path}1-4.json"].settings["seeds"] == [1, 2, 3, 4]
    assert requests[f"{path}0.json"].seeds == (0,)
    assert list_requests_at(tiny, "run", requests) == requests
    below = list_requests_at(tiny, "run", [f"prefix/{path}0-2.json"])
    assert below[f"prefix/{path}0-2.json"].seeds == (0, 1, 2)


def test_digest_of_the_tables_follows_the_seed_list_when_no_run_changes(tmp_path):
    folder = tmp_path / "results/tiny/runs/cpu/copy/lag=11/rnn/full"
    folder.mkdir(parents=True)
    (folder / "seeds=0-2.json").touch()
    grid = [{"devices": ["cpu"], "tasks": ["copy"], "models": ["rnn"], "gradients": ["full"]}]
    before, after = experiment(grid=grid), experiment(grid=grid, seeds=[0, 1])
    assert run_paths(before) == run_paths(after)
    digests = {digest_requests(list_requests(item, "run")) for item in (before, after)}
    assert len(digests) == 2


def test_a_when_is_met_by_equal_values():
    assert is_met({}, options={"a": 1})
    assert is_met({"a": 1}, options={"a": 1})
    assert not is_met({"a": 1}, options={"a": 2})
    task = Declaration(lags=[{"when": {"a": 1}, "minimum": 5}, {"when": {"a": 2}, "minimum": 9}])
    assert task.find_smallest_lag({"a": 1}) == 5
    assert task.find_smallest_lag({"a": 3}) == 1


def test_cuda_is_refused_only_without_a_gpu_and_only_while_its_runs_are_missing(tmp_path):
    no_gpu, gpu = tmp_path / "no_gpu", tmp_path / "gpu"
    for python, status in ((no_gpu, 1), (gpu, 0)):
        python.write_text(f"#!/bin/sh\nexit {status}\n")
        python.chmod(0o755)
    grid = [TINY["grid"][0], {"devices": ["cuda"], "tasks": ["copy"], "models": ["rnn"], "gradients": ["full"]}]
    two_devices = experiment(grid=grid)
    require_devices(two_devices, devices={"cpu", "cuda"}, python=str(gpu))
    require_devices(two_devices, devices={"cpu"}, python=str(no_gpu))
    with pytest.raises(SystemExit, match=r"^config: grid\[1\]\.devices: .*allowed here: cpu; came 'cuda'$"):
        require_devices(two_devices, devices={"cpu", "cuda"}, python=str(no_gpu))


def test_ten_thousand_conditions_are_expanded_at_once():
    tasks = {
        "adding": {"lags": list(range(1, 5001)), "sequences": 64},
        "copy": {"lags": list(range(11, 5011)), "sequences": 64},
    }
    grid = [{"devices": ["cpu"], "tasks": ["adding", "copy"], "models": ["rnn"], "gradients": ["full"]}]
    big = experiment(tasks=tasks, grid=grid)
    requests = list_requests(big, "run")
    assert len(requests) == 10_000
    assert re.fullmatch("[0-9a-f]{64}", digest_requests(requests))


def properties(schema: object, *, path: str = ""):
    """Yield every key that a configuration can have, with its schema."""
    if isinstance(schema, dict):
        for name, below in schema.get("properties", {}).items():
            yield f"{path}{name}", name, below
            yield from properties(below, path=f"{path}{name}.")
        for below in (schema.get("items"), schema.get("additionalProperties"), *schema.get("$defs", {}).values()):
            yield from properties(below, path=path)


def test_every_key_and_every_option_has_a_description():
    keys = list(properties(SCHEMA))
    registry = experiment().registry
    for files in (registry.tasks, registry.cells, registry.optimisers, registry.schedules):
        keys += [(f"{file}.{name}", name, option) for file, d in files.items() for name, option in d.options.items()]
    assert len(keys) > 45
    assert not [path for path, _, schema in keys if not schema.get("description")]


def test_every_object_of_the_schema_refuses_unknown_keys():
    def closed(schema: object, place: str) -> None:
        if isinstance(schema, dict):
            if schema.get("type") == "object" and "properties" in schema:
                assert schema.get("additionalProperties") is False, place
            for name, below in schema.items():
                closed(below, f"{place}.{name}")

    closed(SCHEMA, "")
