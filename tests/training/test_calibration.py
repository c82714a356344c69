"""What a job's parts cost, timed in a little of its training, is what the whole of it takes."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from models.lstm_1997 import OPTIONS as OPTIONS_1997
from tests.settings import job_settings
from training.calibration import STARTED, time_job
from training.condition import train_condition
from training.gradients import measurement
from training.guessing import guess_condition
from training.replica import TrainingProgress


def ignore(progress: TrainingProgress) -> None:
    """Take no notice."""


def online(*, sequences: int) -> dict[str, Any]:
    """Return settings of an experiment of 1997 that is not solved within so few sequences."""
    own = {"block_size": 2, "input_gate_bias": -1, "biases": True, "bound": 0.1}
    assert own.keys() == OPTIONS_1997.keys()
    given = job_settings(
        seeds=[0, 1], learning_rates=[0.5], task="adding", lag=20, sequences=sequences, dtype="float64"
    )
    given["task"]["options"] = {"variant": "hochreiter1997", "output": "logistic"}
    given["model"] = {"name": "net", "cell": "lstm_1997", "hidden_size": 4, "options": own}
    given["gradient"] |= {"paths": ["cell"]}
    given["training"] |= {"protocol": "online", "batch_size": 1, "clip_norm": None, "validation_sequences": 1}
    return given | {"optimiser": {"name": "sgd", "momentum": 0}}


def minibatch(**changes: Any) -> dict[str, Any]:
    """Return settings of a condition that is not solved."""
    given = {"seeds": [0, 1], "learning_rates": [1e-5, 1e-6], "lag": 30, "dtype": "float32", "evaluate_every": 10}
    return job_settings(**given | changes)


def guessing() -> dict[str, Any]:
    given = minibatch() | {"guessing": {"guesses": 640, "bound": 100, "scales": [1], "validation_sequences": 64}}
    given["guessing"]["seed"] = 0
    return given


def measured() -> dict[str, Any]:
    flows = {"full": ["block_input", "cell", "gates"], "truncated_1997": ["cell"]}
    given = minibatch(learning_rates=[1e-5], sequences=1600)
    return given | {"measurement": {"sequences": 8, "evaluations": 4, "flows": flows}}


def train(given: dict[str, Any]) -> object:
    return train_condition(given, ignore)


def measure(given: dict[str, Any]) -> object:
    return measurement.measure_condition(given, ignore)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "given", "job"),
    [
        ("run", minibatch(sequences=2400), train),
        ("run", online(sequences=20_000), train),
        ("baseline", guessing(), guess_condition),
        ("measurement", measured(), measure),
    ],
    ids=["minibatch", "online", "baseline", "measurement"],
)
def test_a_job_takes_what_its_parts_let_expect(
    kind: str, given: dict[str, Any], job: Callable[[dict[str, Any]], object]
) -> None:
    cost = time_job(kind, given)
    updates = given["task"]["sequences"] // given["training"]["batch_size"]
    units = given["guessing"]["guesses"] if kind == "baseline" else updates
    expected = cost.once - STARTED + cost.unit * units
    began = time.process_time()
    job(given)
    seconds = time.process_time() - began
    factor = 2.5 if kind == "measurement" else 1.6  # a measurement is timed roughly: one seed, and a cut training
    assert seconds / factor < expected < seconds * factor


def test_updates_are_timed_whatever_their_number() -> None:
    for sequences in (8, 800):
        assert 1e-5 < time_job("run", minibatch(sequences=sequences)).unit < 1
