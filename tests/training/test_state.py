"""A training that continues from a state, through the bytes of a checkpoint, ends with the bits of an unbroken one."""

import functools
import json
from typing import Any

import pytest

import tasks.adding
import tasks.temporal_order
import training.protocols.online
from tests.settings import job_settings, online_settings
from tests.training.checkpointers import MemoryCheckpointer
from training import checkpoint
from training.condition import train_condition

SGD = {"name": "sgd", "momentum": 0.9}
RMSPROP = {"name": "rmsprop", "decay": 0.9, "epsilon": 1e-8}
CASES: dict[str, dict[str, Any]] = {
    "adam, solved and unsolved": job_settings(seeds=[0, 4, 5], learning_rates=[0.01, 0.03], evaluate_every=3),
    "rmsprop, float32": job_settings(seeds=[0, 1], learning_rates=[0.01], dtype="float32", optimiser=RMSPROP),
    "sgd with momentum, one diverges": job_settings(
        seeds=[0, 1], learning_rates=[0.1, 1e200], task="adding", optimiser=SGD, clip_norm=None, evaluate_every=4
    ),
    "sgd without, windows": job_settings(
        seeds=[3], learning_rates=[0.1], optimiser=SGD | {"momentum": 0.0}, num_steps=5, cell="rnn"
    ),
    "online, full": online_settings(paths=("cell", "gates", "block_input")),
    "online, one-hot": online_settings(task="long_lag"),
}
CASES["fused kernel"] = job_settings(seeds=[0, 2], learning_rates=[0.003, 0.03], dtype="float32", evaluate_every=7)
CASES["fused kernel"]["training"]["kernel"] = "cpu"


@pytest.fixture(autouse=True)
def early_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let some replicas solve the task at different times."""
    monkeypatch.setattr(training.protocols.online, "CHUNK", 7)
    monkeypatch.setattr(tasks.adding, "STOPS", [{"when": {}, "error": 0.02, "streak": 3}])
    monkeypatch.setattr(tasks.adding, "TOLERANCE", 0.15)
    monkeypatch.setattr(tasks.temporal_order.TemporalOrder, "success_accuracy", 0.35)


def train(settings: dict[str, Any], checkpointer: MemoryCheckpointer | None) -> str:
    return json.dumps(train_condition(settings, lambda progress: None, checkpointer=checkpointer), allow_nan=False)


@functools.cache
def train_unbroken(name: str) -> str:
    return train(CASES[name], None)


@pytest.mark.parametrize("name", CASES)
def test_a_resumed_training_ends_with_the_same_bits_wherever_it_was_cut(name: str) -> None:
    whole, saved = train_unbroken(name), MemoryCheckpointer()
    assert train(CASES[name], saved) == whole
    assert len(saved.states) >= 6
    for cut in (0, len(saved.states) // 2, len(saved.states) - 2):
        again = MemoryCheckpointer(saved.states[cut])
        assert train(CASES[name], again) == whole
        assert again.states == saved.states[cut + 1 :]


def test_the_cases_are_those_that_they_are_named_after() -> None:
    rows = {name: json.loads(train_unbroken(name))["replicas"] for name in CASES}
    ends = [row["updates"] for row in rows["adam, solved and unsolved"]]
    assert len(set(ends)) > 1
    assert max(ends) == 20
    assert [row["diverged"] for row in rows["sgd with momentum, one diverges"]] == [False, True] * 2
    assert any(row["solved"] for row in rows["online, full"])


def test_a_state_that_lacks_a_stream_gives_other_numbers() -> None:
    """The test above would notice: with the streams of the beginning the numbers are others."""
    name, saved, start = "adam, solved and unsolved", MemoryCheckpointer(), MemoryCheckpointer()
    whole = train(CASES[name], saved)
    state = checkpoint.unpack(saved.states[4])
    first = checkpoint.unpack(saved.states[0])
    start.begin = checkpoint.pack(state | {"streams": first["streams"]})
    assert train(CASES[name], start) != whole
