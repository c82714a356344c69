"""The long time lag problem against experiment 2c of 1997."""

import re

import numpy as np
import pytest
import torch

import tasks.long_lag
from tasks.long_lag import LongLag
from tests.tasks.scripted import ScriptedGenerator


def test_the_docstring_instance() -> None:
    shown = re.search(r"(b [xy] (?:a\d )+e)\s+target ([xy])", tasks.long_lag.__doc__)
    stated = re.search(r"Lag (\d+) \(q = (\d+)\), p = (\d+), k = (\d+)", tasks.long_lag.__doc__)
    lag, q, p, k = map(int, stated.groups())
    names = [f"a{i}" for i in range(1, p + 1)] + ["e", "b", "x", "y"]
    symbols = np.array([names.index(word) for word in shown[1].split()])
    assert lag == q + 1
    assert len(symbols) == q + k + 3
    task = LongLag(lag=lag, symbols=p)
    draw = 1 - 0.9 ** (k + 0.5)
    sampled = np.where(symbols < p, symbols, 0)
    padded = np.concatenate([np.zeros(task.sequence_length - len(symbols), dtype=int), sampled])
    answer = "xy".index(shown[2])
    batch = task.sample(ScriptedGenerator([[answer], [draw], padded[:, None]]), 1)  # type: ignore[arg-type]
    assert batch.starts[0] == task.sequence_length - len(symbols)
    np.testing.assert_array_equal(batch.inputs[batch.starts[0] :, 0], symbols)
    assert (batch.inputs[: batch.starts[0]] == -1).all()
    assert batch.targets.item() == answer


@pytest.mark.parametrize(("lag", "symbols"), [(2, 1), (11, 5)])
def test_ranges_and_the_geometric_number_of_further_distractors(lag: int, symbols: int) -> None:
    task, draws = LongLag(lag=lag, symbols=symbols), 20_000
    batch = task.sample(np.random.default_rng(0), draws)
    sequences = np.arange(draws)
    trigger, start, x, y = range(symbols, symbols + 4)
    assert (batch.inputs[batch.starts, sequences] == start).all()
    np.testing.assert_array_equal(batch.inputs[batch.starts + 1, sequences], np.where(batch.targets[0], y, x))
    assert (batch.inputs[-1] == trigger).all()
    inner = np.arange(task.sequence_length)[:, None] >= batch.starts + 2
    inner[-1] = False
    assert set(np.unique(batch.inputs[inner])) == set(range(symbols))
    more = inner.sum(axis=0) - (lag - 1)  # k
    assert more.min() == 0
    assert abs(more.mean() - 9) < 4 * np.sqrt(90 / draws)
    share = np.mean(more == 0)
    assert abs(share - 0.1) < 4 * np.sqrt(0.09 / draws)
    assert abs(batch.targets.mean() - 0.5) < 4 * 0.5 / np.sqrt(draws)
    seen_at = task.sequence_length - 1 - (batch.starts + 1)
    np.testing.assert_array_equal(seen_at, lag + more)  # the minimal time lag


def test_the_bound_cuts_the_tail_and_nothing_else() -> None:
    """The largest and the smallest uniform draw make the longest and the shortest sequence."""
    task = LongLag(lag=2, symbols=1)
    length = (task.sequence_length, 2)
    draws = [[0, 0], [0.0, 1 - 2**-53], np.zeros(length, dtype=int)]
    batch = task.sample(ScriptedGenerator(draws), 2)  # type: ignore[arg-type]
    assert batch.starts.tolist() == [131, 0]


def test_right_means_both_outputs_within_0_2() -> None:
    task = LongLag(lag=3, symbols=2)
    values = torch.tensor([[0.81, 0.19], [0.79, 0.0], [1.0, 0.21], [0.19, 0.81]], dtype=torch.float64)
    outputs, targets = torch.logit(values, eps=1e-9)[None, None], torch.zeros(1, 1, 4, dtype=torch.int64)
    assert task.correct(outputs, targets).flatten().tolist() == [True, False, False, False]
    squares = [2 * 0.19**2, 0.21**2, 0.21**2, 2 * 0.81**2]
    assert float(task.loss(outputs, targets)) == pytest.approx(sum(squares) / 4, rel=1e-7)
