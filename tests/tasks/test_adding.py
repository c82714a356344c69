"""The adding problem against its two papers."""

import re

import numpy as np
import pytest
import torch

import tasks.adding
from tasks.adding import Adding
from tests.tasks import controls
from tests.tasks.scripted import ScriptedGenerator

SEQUENCES = np.arange(10_000)


def marked_positions(markers: np.ndarray) -> np.ndarray:
    """Return the steps (2, B) whose marker (T, B) is 1, in order."""
    steps, sequences = np.nonzero(markers.T == 1)[::-1]
    assert (np.bincount(sequences) == 2).all()
    return steps.reshape(-1, 2).T


def test_the_docstring_instance() -> None:
    rows = {
        name: np.array(
            [float(number) for number in re.search(rf"{name}((?:\s+[\d.]+)+)", tasks.adding.__doc__)[1].split()]
        )
        for name in ("value", "marker")
    }
    positions = np.flatnonzero(rows["marker"])
    rng = ScriptedGenerator([rows["value"][:, None], positions[:1], positions[1:]])
    batch = Adding(lag=3, variant="uniform", output="linear").sample(rng, 1)  # type: ignore[arg-type]
    np.testing.assert_allclose(batch.inputs[:, 0], np.column_stack([rows["value"], rows["marker"]]), rtol=1e-6)
    stated = re.search(r"target ([\d.]+) \+ ([\d.]+) = ([\d.]+)", tasks.adding.__doc__)
    assert (
        float(batch.targets[0, 0])
        == pytest.approx(float(stated[3]))
        == pytest.approx(float(stated[1]) + float(stated[2]))
    )


@pytest.mark.parametrize("lag", [1, 2, 25])
def test_uniform_ranges(lag: int) -> None:
    batch = Adding(lag=lag, variant="uniform", output="linear").sample(np.random.default_rng(0), 10_000)
    values, markers = batch.inputs[:, :, 0], batch.inputs[:, :, 1]
    assert len(values) == 2 * lag
    assert values.min() >= 0
    assert values.max() < 1
    assert values.max() > 0.99
    assert set(np.unique(markers)) <= {0.0, 1.0}
    first, second = marked_positions(markers)
    assert set(first) == set(range(lag))
    assert set(second) == set(range(lag, 2 * lag))
    np.testing.assert_allclose(batch.targets[0], values[first, SEQUENCES] + values[second, SEQUENCES], rtol=1e-6)


@pytest.mark.parametrize("lag", [10, 11, 50])
def test_hochreiter1997_ranges(lag: int) -> None:
    task = Adding(lag=lag, variant="hochreiter1997", output="linear")
    batch = task.sample(np.random.default_rng(0), 10_000)
    lengths = task.sequence_length - batch.starts
    assert set(lengths) == set(range(2 * lag, 2 * lag + 2 * lag // 10 + 1))
    values, markers = batch.inputs[:, :, 0], batch.inputs[:, :, 1]
    assert values.min() >= -1
    assert values.max() < 1
    assert values.min() < -0.99
    assert values.max() > 0.99
    assert (markers[batch.starts, SEQUENCES] == -1).all()
    assert (markers[-1] == -1).all()
    ones = markers == 1
    count = ones.sum(axis=0)
    assert set(count) == {1, 2}
    share = np.mean(count == 1)
    expected = 0.1 + 0.9 / (lag - 1)
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 10_000)
    addends = (values * ones).sum(axis=0)
    np.testing.assert_allclose(batch.targets[0], 0.5 + addends / 4, rtol=1e-5, atol=1e-7)
    last_marked = np.where(ones, np.arange(len(ones))[:, None], -1).max(axis=0) - batch.starts
    assert last_marked.max() == lag - 1
    assert (task.sequence_length - 1 - batch.starts - last_marked).min() >= lag  # the minimal time lag T/2
    both = count == 2
    first_marked = np.where(ones, np.arange(len(ones))[:, None], 10**6).min(axis=0) - batch.starts
    assert first_marked[both].max() <= 10


def test_first_markers_of_1997_are_uniform_over_the_first_ten() -> None:
    """A long sequence separates the two picks: positions of 10 or more belong to the second one."""
    task = Adding(lag=500, variant="hochreiter1997", output="linear")
    batch = task.sample(np.random.default_rng(0), 4_000)
    ones = batch.inputs[:, :, 1] == 1
    steps = np.where(ones, np.arange(len(ones))[:, None], 10**6).min(axis=0) - batch.starts
    early = np.bincount(steps[(steps >= 1) & (steps < 10)], minlength=10)[1:]
    assert early.min() > 0.8 * early.mean()
    assert early.max() < 1.2 * early.mean()


def test_right_means_an_absolute_error_below_0_04() -> None:
    task = Adding(lag=5, variant="uniform", output="linear")
    outputs = torch.tensor([1.0, 1.0, 1.0, 1.0]).reshape(1, 1, 4, 1)
    targets = torch.tensor([1.039, 0.961, 1.041, 0.8]).reshape(1, 1, 4)
    assert task.correct(outputs, targets).flatten().tolist() == [True, True, False, False]


def test_published_chance_levels() -> None:
    """1/6 and 7.8 %; and of 1997, for long sequences with no marked first pair, 1/24 and 15.4 %."""
    assert Adding(lag=50, variant="uniform", output="linear").chance == pytest.approx((1 / 6, 0.0784))
    loss, accuracy = Adding(lag=10**6, variant="hochreiter1997", output="linear").chance
    assert (loss - 0.1 / 48) / 0.9 == pytest.approx(1 / 24, rel=1e-4)
    assert (accuracy - 0.1 * 0.16) / 0.9 == pytest.approx(0.1536, rel=1e-4)


def test_shuffled_targets_cannot_be_predicted_from_the_marked_sum() -> None:
    """The true marked sum is right on every sequence, and at most at chance once targets are shuffled."""
    task = Adding(lag=25, variant="uniform", output="linear")
    batch = task.sample(np.random.default_rng(0), 10_000)
    oracle = torch.from_numpy((batch.inputs[:, :, 0] * batch.inputs[:, :, 1]).sum(axis=0))[None, :, None]
    assert controls.scores(task, oracle, batch) == pytest.approx((0, 1), abs=1e-6)
    shuffled = batch._replace(targets=np.random.default_rng(1).permuted(batch.targets, axis=1))
    loss, accuracy = controls.scores(task, oracle, shuffled)
    assert loss == pytest.approx(2 / 6, rel=0.05)
    assert accuracy < 0.1


def test_the_logistic_output_of_1997_is_squashed_in_loss_and_success() -> None:
    task = Adding(lag=50, variant="hochreiter1997", output="logistic")
    outputs = torch.logit(torch.tensor([0.5, 0.539, 0.541, 0.1], dtype=torch.float64)).reshape(1, 1, 4, 1)
    targets = torch.full((1, 1, 4), 0.5, dtype=torch.float64)
    assert task.correct(outputs, targets).flatten().tolist() == [True, True, False, False]
    assert float(task.loss(outputs, targets)) == pytest.approx((0.039**2 + 0.041**2 + 0.4**2) / 4, rel=1e-9)
    assert task.stop == (0.01, 2000)


def test_a_logistic_output_is_refused_where_it_cannot_reach_the_targets() -> None:
    with pytest.raises(ValueError, match=r"task 'adding': a logistic output cannot reach .* came: .*uniform"):
        Adding(lag=50, variant="uniform", output="logistic")
