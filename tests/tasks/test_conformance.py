"""What every task on disk promises: shapes, streams, chance levels, no leak of the target at the end."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.task import Task, load_task, task_names
from tests.options import combinations
from tests.tasks import controls

DRAWS = 10_000


def variants(name: str) -> list[dict]:
    """List the option combinations of a task."""
    source = Path("tasks", f"{name}.py").read_text()
    literals = {
        node.targets[0].id: node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return list(combinations(ast.literal_eval(literals["OPTIONS"])))


CASES = [(name, options) for name in task_names() for options in variants(name)]
LAGS = (12, 17, 40)


@pytest.fixture(params=[(*case, lag) for case in CASES for lag in LAGS], ids=str)
def task(request: pytest.FixtureRequest) -> Task:
    """Every task at every option and three lags."""
    name, options, lag = request.param
    return load_task(name, lag=lag, options=options)


def test_shapes_types_and_ends(task: Task) -> None:
    batch = task.sample(np.random.default_rng(0), 50)
    steps = task.sequence_length - task.first_target
    assert batch.inputs.shape == (task.sequence_length, 50, task.features)
    assert batch.inputs.dtype == np.float32
    assert batch.targets.shape == (steps, 50)
    assert batch.starts.shape == (50,)
    assert (batch.starts >= 0).all()
    assert (batch.starts <= task.sequence_length - task.lag).all()
    before = np.arange(task.sequence_length)[:, None] < batch.starts
    assert not batch.inputs[before].any()


def test_same_stream_same_batch_and_another_stream_another(task: Task) -> None:
    one, same, other = (task.sample(np.random.default_rng(seed), 20) for seed in (3, 3, 4))
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.inputs, other.inputs)


def test_loss_and_correct_have_a_number_per_replica(task: Task) -> None:
    batch = task.sample(np.random.default_rng(0), 6)
    targets = torch.from_numpy(batch.targets)[None].repeat(3, 1, 1)
    outputs = torch.randn(3, *batch.targets.shape, task.outputs, generator=torch.Generator().manual_seed(0))
    loss = task.loss(outputs, targets)
    assert loss.shape == (3,)
    for replica in range(3):
        alone = task.loss(outputs[replica : replica + 1], targets[:1])
        torch.testing.assert_close(loss[replica : replica + 1], alone, rtol=1e-6, atol=0)
    assert task.correct(outputs, targets).dtype == torch.bool


def test_chance_equals_the_constant_predictor(task: Task) -> None:
    batch = task.sample(np.random.default_rng(1), DRAWS)
    loss, accuracy = controls.scores(task, controls.constant_predictor(task, batch), batch)
    scored = task.correct(torch.zeros(1, *batch.targets.shape, task.outputs), torch.from_numpy(batch.targets)[None])
    deviation = math.sqrt(task.chance.accuracy * (1 - task.chance.accuracy) / scored.numel())
    assert loss == pytest.approx(task.chance.loss, rel=0.03)
    assert abs(accuracy - task.chance.accuracy) < 4 * deviation


def test_the_end_does_not_leak_the_target(task: Task) -> None:
    """A linear probe on the last steps before (and at) the target stays at chance on fresh sequences."""
    batch = task.sample(np.random.default_rng(2), DRAWS)
    window = min(10, task.lag // 2)
    # of a task that scores every step (copy, loss: all) take the recall steps: only they need memory
    first = task.sequence_length - 10 if task.first_target < task.lag else task.first_target
    targets = torch.from_numpy(batch.targets[first - task.sequence_length :])
    features = batch.inputs[first + 1 - window : first + 1].transpose(1, 0, 2).reshape(DRAWS, -1)
    split = DRAWS // 2
    answer = batch.targets[first - task.sequence_length]
    if targets.is_floating_point():
        prediction = controls.linear_probe(features, answer[:, None], split=split)
        loss = float(((prediction[:, 0] - answer[split:]) ** 2).mean())
        assert loss > 0.95 * task.chance.loss
        return
    prediction = controls.linear_probe(features, np.eye(task.outputs)[answer], split=split)
    accuracy = float((prediction.argmax(axis=1) == answer[split:]).mean())
    deviation = math.sqrt(task.chance.accuracy * (1 - task.chance.accuracy) / split)
    assert accuracy < task.chance.accuracy + 4 * deviation


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_too_small_a_lag_and_unknown_options_are_refused(name: str, options: dict) -> None:
    with pytest.raises(ValueError, match=r"lag of \d+ or more; came: 0"):
        load_task(name, lag=0, options=options)
    with pytest.raises(ValueError, match="takes the options"):
        load_task(name, lag=40, options={**options, "nonsense": 1})
    for option in options:
        with pytest.raises(ValueError, match=r"'nonsense'.*known: "):
            load_task(name, lag=40, options={**options, option: "nonsense"})


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown task 'addding'; known: adding, copy, temporal_order"):
        load_task("addding", lag=40, options={})
