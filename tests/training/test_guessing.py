"""Random weight guessing: solves what is trivial and nothing else, and gives the same again."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cell import load_cell
from models.kernels import load_kernel
from models.network import Network
from tasks.task import Batch, Chance, Task, cross_entropy, load_task
from training import guessing
from training.guessing import Best, find_best_guess, guess_condition, sample_guess

GUESSING: dict[str, Any] = {"guesses": 300, "bound": 100, "scales": [1, 3, 10]}


class Latch(Task):
    """The latch problem (Bengio et al. 1994): the class is the sign of the first input, nine steps of noise follow."""

    lag, sequence_length, features, outputs, first_target = 9, 10, 1, 2, 9
    chance = Chance(loss=math.log(2), accuracy=0.5)

    def floor(self, num_steps: int) -> Chance:
        return Chance(0.0, 1.0) if num_steps >= self.sequence_length else self.chance

    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        inputs = rng.uniform(-0.1, 0.1, (self.sequence_length, size, 1)).astype(np.float32)
        classes = rng.integers(0, 2, size)
        inputs[0, :, 0] = 2 * classes - 1
        return Batch(inputs, classes[None], np.zeros(size, dtype=np.int64))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(outputs, targets)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return outputs.argmax(dim=-1) == targets


def network_of(task: Task, *, hidden_size: int, kernel: str = "cpu") -> Network:
    cell = load_cell("rnn", features=task.features, hidden_size=hidden_size, options={"initialisation": "orthogonal"})
    loaded = load_kernel(kernel, cell=cell, dtype=torch.float32, device=torch.device("cpu"))
    return Network(cell, outputs=task.outputs, kernel=loaded)


def guess(task: Task, *, hidden_size: int, seed: int = 0, options: dict[str, Any] = GUESSING) -> Best:
    network, validation = network_of(task, hidden_size=hidden_size), task.sample(np.random.default_rng(1), 100)
    rng = np.random.default_rng(seed)
    like = torch.zeros(0)
    best = find_best_guess(network, task, validation=validation, options=options, rng=rng, like=like)
    assert best is not None
    return best


def test_guessing_solves_the_latch_problem_and_not_temporal_order() -> None:
    assert guess(Latch(), hidden_size=3).validation["accuracy"] >= 0.99
    hard = load_task("temporal_order", lag=20, options={"symbols": 2, "output": "softmax"})
    assert guess(hard, hidden_size=3).validation["accuracy"] < 0.6


def test_guesses_are_reproducible_and_do_not_depend_on_how_many_are_scored_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some = GUESSING | {"guesses": 50}
    first, again = (guess(Latch(), hidden_size=3, options=some) for _ in range(2))
    monkeypatch.setattr(guessing, "GUESSES_AT_ONCE", 7)
    other = guess(Latch(), hidden_size=3, options=some)
    assert torch.equal(first.weights, again.weights)
    assert torch.equal(first.weights, other.weights)
    assert first.validation == other.validation
    assert not torch.equal(first.weights, guess(Latch(), hidden_size=3, seed=1, options=some).weights)


def test_the_best_is_the_most_accurate_and_then_the_one_of_least_loss() -> None:
    """Against a search by hand over the same draws."""
    task, some = Latch(), GUESSING | {"guesses": 40}
    network, rng = network_of(task, hidden_size=2), np.random.default_rng(5)
    batch = task.sample(np.random.default_rng(1), 100)
    inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
    ranked = []
    for number in range(some["guesses"]):
        values = network.by_symbol(
            torch.from_numpy(sample_guess(network, task, options=some, number=number, rng=rng)).float()[None]
        )
        h = torch.zeros(100, 2)
        for x in inputs:
            h = torch.tanh(h @ values["U"][0] + x @ values["W"][0] + values["b"][0])
        outputs = h @ values["V"][0] + values["b_y"][0]
        accuracy = float((outputs.argmax(dim=1) == targets[0]).double().mean())
        loss = float(torch.nn.functional.cross_entropy(outputs.double(), targets[0]))
        ranked.append((accuracy, -round(loss, 4)))
    best = find_best_guess(
        network, task, validation=batch, options=some, rng=np.random.default_rng(5), like=torch.zeros(0)
    )
    assert best is not None
    assert (best.validation["accuracy"], -round(best.validation["loss"], 4)) == max(ranked)


def test_guesses_take_turns_between_the_published_range_and_scaled_initial_weights() -> None:
    task = Latch()
    network = network_of(task, hidden_size=4)
    for number, scale in ((1, 1), (2, 3), (3, 10), (5, 1)):
        sampled = sample_guess(network, task, options=GUESSING, number=number, rng=np.random.default_rng(2))
        initial = network.initialise(np.random.default_rng(2), sequence_length=task.sequence_length)
        np.testing.assert_array_equal(sampled, scale * initial)
    wide = sample_guess(network, task, options=GUESSING, number=4, rng=np.random.default_rng(2))
    assert 50 < np.abs(wide).max() <= 100
    assert abs(wide.mean()) < 25


def settings(**changes: Any) -> dict[str, Any]:
    record = {
        "device": "cpu",
        "task": {"name": "order", "task": "temporal_order", "lag": 8, "options": {"symbols": 2, "output": "softmax"}},
        "model": {"name": "m", "cell": "rnn", "hidden_size": 4, "options": {"initialisation": "orthogonal"}},
        "training": {"kernel": "cpu", "dtype": "float32", "test_sequences": 200},
        "guessing": {"guesses": 30, "bound": 100, "scales": [1], "validation_sequences": 50, "seed": 0},
    }
    return record | changes


def test_the_record_is_complete_and_reproducible_to_the_byte() -> None:
    first, again = (json.dumps(guess_condition(settings()), allow_nan=False) for _ in range(2))
    assert first == again
    record = json.loads(first)
    assert record["settings"] == settings()
    assert record["chance"] == {"loss": 2 * math.log(2), "accuracy": 0.25}
    best = record["best"]
    assert best["validation_accuracy"] >= best["test_accuracy"] - 0.2
    assert best["test_accuracy"] * 200 == round(best["test_accuracy"] * 200)  # scored once, on 200 sequences


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_guesses_that_all_overflow_leave_no_best() -> None:
    wild = settings(guessing=settings()["guessing"] | {"bound": 1e38, "scales": []})
    assert guess_condition(wild)["best"] is None


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_guess_that_overflows_keeps_no_later_one_from_being_the_best() -> None:
    half = settings(guessing=settings()["guessing"] | {"bound": 1e38, "scales": [1]})  # every other one overflows
    assert guess_condition(half)["best"]["test_accuracy"] > 0


def test_the_network_of_1997_is_guessed_on_the_reference_kernel() -> None:
    options = {"block_size": 1, "input_gate_bias": 0, "biases": False, "bound": 0.2}
    task = {"name": "t", "task": "long_lag", "lag": 20, "options": {"symbols": 20}}
    given = settings(
        task=task,
        model={"name": "m", "cell": "lstm_1997", "hidden_size": 2, "options": options},
        training={"kernel": "reference", "dtype": "float64", "test_sequences": 50},
    )
    record = guess_condition(given)
    assert record["kernel"] == "reference"
    assert 0 <= record["best"]["test_accuracy"] <= 1


def test_a_gpu_that_is_not_there_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU: asking for it is no mistake here")
    with pytest.raises(RuntimeError, match="device cuda was asked for, but torch finds no GPU"):
        guess_condition(settings(device="cuda"))
