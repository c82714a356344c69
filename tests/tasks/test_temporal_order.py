"""The temporal order problem against experiments 6a and 6b of 1997."""

import math
import re

import numpy as np
import pytest
import torch

import tasks.temporal_order
from tasks.temporal_order import TemporalOrder
from tests.tasks import controls
from tests.tasks.scripted import ScriptedGenerator

ALPHABET = "EBabcdXY"


def relevant_steps(symbols: np.ndarray, *, count: int) -> np.ndarray:
    """Return the steps (count, B) at which X or Y stands, in order, from symbols (T, B)."""
    steps, sequences = np.nonzero(symbols.T >= 6)[::-1]
    assert (np.bincount(sequences) == count).all()
    return steps.reshape(-1, count).T


def test_the_docstring_instance() -> None:
    shown = re.search(r"((?:[EBabcdXY] ){10,}B)\s+class (\d) of", tasks.temporal_order.__doc__)
    symbols = np.array([ALPHABET.index(letter) for letter in shown[1].split()])
    task = TemporalOrder(lag=8, symbols=2, output="softmax")
    length = len(symbols)
    assert task.shortest <= length <= task.sequence_length
    steps = np.flatnonzero(symbols >= 6)
    background = np.where((symbols < 2) | (symbols >= 6), 2, symbols)
    padded = np.concatenate([np.full(task.sequence_length - length, 2), background])
    draws = [[length], padded[:, None], (symbols[steps] - 6)[:, None], steps[:1] + 1, steps[1:] + 1]
    batch = task.sample(ScriptedGenerator(draws), 1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(batch.inputs[batch.starts[0] :, 0].argmax(axis=1), symbols)
    assert batch.targets.item() == int(shown[2])


@pytest.mark.parametrize(
    ("symbols", "lag", "positions"), [(2, 40, [(10, 20), (50, 60)]), (3, 24, [(10, 20), (33, 43), (66, 76)])]
)
def test_the_published_ranges(symbols: int, lag: int, positions: list[tuple[int, int]]) -> None:
    task = TemporalOrder(lag=lag, symbols=symbols, output="softmax")
    batch = task.sample(np.random.default_rng(0), 10_000)
    lengths = task.sequence_length - batch.starts
    assert set(lengths) == set(range(100, 111))
    sampled = batch.inputs.argmax(axis=2)
    running = np.arange(len(sampled))[:, None] >= batch.starts
    assert (batch.inputs.sum(axis=2) == running).all()
    assert (sampled[batch.starts, np.arange(10_000)] == 0).all()
    assert (sampled[-1] == 1).all()
    inner = running.copy()
    inner[batch.starts, np.arange(10_000)] = False
    inner[-1] = False
    assert set(sampled[inner]) == set(range(2, 8))
    steps = relevant_steps(np.where(running, sampled, 0), count=symbols)
    for step, (first, last) in zip(steps - batch.starts + 1, positions, strict=True):
        assert set(step) == set(range(first, last + 1))
    assert (task.sequence_length - 1 - steps[-1]).min() == lag
    digits = sampled[steps, np.arange(10_000)] - 6
    np.testing.assert_array_equal(batch.targets[0], sum(d * 2**k for k, d in enumerate(digits[::-1])))
    counts = np.bincount(batch.targets[0], minlength=2**symbols)
    assert counts.min() > 0.8 * 10_000 / 2**symbols


@pytest.mark.parametrize("lag", [8, 9, 13, 20, 41, 77, 400])
def test_scaled_lags_are_exact(lag: int) -> None:
    task = TemporalOrder(lag=lag, symbols=2, output="softmax")
    batch = task.sample(np.random.default_rng(0), 5_000)
    sampled = np.where(np.arange(task.sequence_length)[:, None] >= batch.starts, batch.inputs.argmax(axis=2), 0)
    steps = relevant_steps(sampled, count=2)
    assert (task.sequence_length - 1 - steps[-1]).min() >= lag
    lengths = task.sequence_length - batch.starts
    assert lengths.min() - (steps[-1] - batch.starts + 1).max() == lag
    assert (steps[0] > batch.starts).all()


@pytest.mark.parametrize("symbols", [2, 3])
def test_knowing_only_the_last_symbol_is_the_published_plateau(symbols: int) -> None:
    """For two symbols: 50 % and ln 2, twice the chance level of 25 % and ln 4."""
    task = TemporalOrder(lag=40, symbols=symbols, output="softmax")
    batch = task.sample(np.random.default_rng(0), 10_000)
    loss, accuracy = controls.scores(task, controls.last_symbol_predictor(task, batch), batch)
    assert loss == pytest.approx((symbols - 1) * math.log(2), abs=1e-6)
    assert accuracy == pytest.approx(2 * task.chance.accuracy, abs=0.02)
    shuffled = batch._replace(targets=np.random.default_rng(1).permuted(batch.targets, axis=1))
    assert controls.scores(task, controls.last_symbol_predictor(task, shuffled), shuffled)[1] == pytest.approx(
        task.chance.accuracy, abs=0.02
    )


def test_logistic_outputs_are_right_if_each_is_within_0_3_and_lose_the_sum_of_squares() -> None:
    task = TemporalOrder(lag=8, symbols=2, output="logistic")
    values = torch.tensor([[0.71, 0.29, 0, 0.29], [0.69, 0, 0, 0], [1, 0, 0.31, 0], [0, 1, 0, 0]], dtype=torch.float64)
    outputs, targets = torch.logit(values, eps=1e-9)[None, None], torch.zeros(1, 1, 4, dtype=torch.int64)
    assert task.correct(outputs, targets).flatten().tolist() == [True, False, False, False]
    assert float(task.loss(outputs, targets)) == pytest.approx((3 * 0.29**2 + 0.31**2 + 0.31**2 + 2) / 4, rel=1e-7)
