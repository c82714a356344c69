"""The copy task against the uRNN definition."""

import math
import re

import numpy as np
import pytest
import torch

import tasks.copy
from tasks.copy import Copy
from tests.tasks import controls
from tests.tasks.scripted import ScriptedGenerator


def test_the_docstring_instance() -> None:
    rows = {
        name: np.array([int(digit) for digit in re.search(rf"{name}((?:\s+\d)+)", tasks.copy.__doc__)[1].split()])
        for name in ("input", "target")
    }
    rng = ScriptedGenerator([rows["input"][:10, None]])
    batch = Copy(lag=13, loss="all").sample(rng, 1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(batch.inputs[:, 0].argmax(axis=1), rows["input"])
    np.testing.assert_array_equal(batch.targets[:, 0], rows["target"])


@pytest.mark.parametrize("lag", [11, 30])
@pytest.mark.parametrize("loss", ["all", "recall"])
def test_ranges_and_lag(lag: int, loss: str) -> None:
    task = Copy(lag=lag, loss=loss)
    batch = task.sample(np.random.default_rng(0), 10_000)
    blanks = lag - 10  # T
    assert task.sequence_length == blanks + 20
    assert (batch.inputs.sum(axis=2) == 1).all()
    symbols = batch.inputs.argmax(axis=2)
    assert set(symbols[:10].ravel()) == set(range(1, 9))
    assert (symbols[10 : 10 + blanks - 1] == 0).all()
    assert (symbols[10 + blanks - 1] == 9).all()
    assert (symbols[10 + blanks :] == 0).all()
    recalled = batch.targets[-10:]
    np.testing.assert_array_equal(recalled, symbols[:10])  # step t is recalled at step t + lag
    assert len(batch.targets) == (task.sequence_length if loss == "all" else 10)
    assert (batch.targets[:-10] == 0).all()


def test_accuracy_looks_at_the_recall_steps_only() -> None:
    """A memoryless net is right on every blank; per-step accuracy over all steps would be 92.7 % at T = 100."""
    task = Copy(lag=110, loss="all")
    batch = task.sample(np.random.default_rng(0), 2_000)
    outputs = controls.constant_predictor(task, batch)
    per_step = float((outputs.argmax(dim=-1) == torch.from_numpy(batch.targets)).float().mean())
    assert per_step == pytest.approx(0.927, abs=0.002)
    loss, accuracy = controls.scores(task, outputs, batch)
    assert accuracy == pytest.approx(0.125, abs=0.02)
    assert loss == pytest.approx(10 * math.log(8) / 120, rel=0.01)


def test_a_perfect_memory_is_right_and_on_shuffled_targets_at_chance() -> None:
    task = Copy(lag=20, loss="recall")
    batch = task.sample(np.random.default_rng(0), 10_000)
    remembered = 50 * torch.from_numpy(np.eye(10)[batch.inputs[:10].argmax(axis=2)])
    loss, accuracy = controls.scores(task, remembered, batch)
    assert loss < 1e-12
    assert accuracy == 1
    shuffled = batch._replace(targets=np.random.default_rng(1).permuted(batch.targets, axis=1))
    assert controls.scores(task, remembered, shuffled)[1] == pytest.approx(1 / 8, abs=0.005)
