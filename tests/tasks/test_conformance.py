"""What every task on disk promises: shapes, streams, chance levels, no leak of the target at the end.

`pytest tests/tasks/test_conformance.py --task NAME` tests one. A file whose structure is wrong has this one failure.
"""

import math

import numpy as np
import pytest
import torch

from tasks.task import Task, load_task
from tests.tasks import controls
from tests.tasks.contract import LAGS, files_with_tasks, structural_error, variants

DRAWS = 10_000


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Test the file of `--task`, or all; of a file whose structure is wrong nothing else."""
    chosen = metafunc.config.getoption("--task")
    names = files_with_tasks() if chosen is None else [chosen]
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", names)
    if "task" in metafunc.fixturenames:
        sound = [name for name in names if structural_error(name) is None]
        cases = [(name, options, lag) for name in sound for options in variants(name) for lag in LAGS]
        metafunc.parametrize("task", [pytest.param(_load(*case), id=_label(*case)) for case in cases])


def _load(name: str, options: dict, lag: int) -> Task:
    return load_task(name, lag=lag, options=options)


def _label(name: str, options: dict, lag: int) -> str:
    return "-".join([name, *map(str, options.values()), str(lag)])


def test_the_file_can_be_tested(name: str) -> None:
    error = structural_error(name)
    if error is not None:
        pytest.fail(error, pytrace=False)


def test_shapes_types_and_ends(task: Task) -> None:
    batch = task.sample(np.random.default_rng(0), 50)
    steps = task.sequence_length - task.first_target
    inputs = controls.dense(batch, features=task.features)
    assert inputs.shape == (task.sequence_length, 50, task.features)
    assert batch.inputs.dtype == (np.int64 if controls.is_one_hot(batch) else np.float32)
    assert batch.targets.shape == (steps, 50)
    assert batch.starts.shape == (50,)
    assert (batch.starts >= 0).all()
    assert (batch.starts <= task.sequence_length - task.lag).all()
    before = np.arange(task.sequence_length)[:, None] < batch.starts
    assert not inputs[before].any()
    assert inputs[~before].any(axis=1).all()


def test_same_stream_same_batch_and_another_stream_another(task: Task) -> None:
    batch, same, other = (task.sample(np.random.default_rng(seed), 20) for seed in (3, 3, 4))
    for a, b in zip(batch, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(batch.inputs, other.inputs)


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


def check_chance(task: Task, *, seed: int) -> None:
    """Hold the chance level against what a constant, fitted to some draws, reaches on others: within 4 deviations."""
    fitted, fresh = (task.sample(np.random.default_rng([seed, part]), DRAWS) for part in range(2))
    losses = controls.losses(task, controls.constant_predictor(task, fitted), fresh)
    _, accuracy = controls.scores(task, controls.constant_answer(task, fitted), fresh)
    scored = task.correct(torch.zeros(1, *fresh.targets.shape, task.outputs), torch.from_numpy(fresh.targets)[None])
    deviation = math.sqrt(task.chance.accuracy * (1 - task.chance.accuracy) / scored.numel())
    message = "chance must be what the best constant reaches on fresh sequences: compute it again"
    limit = 4 * float(losses.std()) / math.sqrt(DRAWS) + 1e-3 * task.chance.loss  # the fitted frequencies are rounded
    assert abs(float(losses.mean()) - task.chance.loss) < limit, message
    assert abs(accuracy - task.chance.accuracy) < 4 * deviation, message


def test_chance_is_what_a_constant_reaches_on_fresh_draws(task: Task) -> None:
    check_chance(task, seed=1)


@pytest.mark.slow
def test_chance_does_not_depend_on_the_seed_of_the_test(name: str) -> None:
    for seed in range(1, 21):
        check_chance(load_task(name, lag=LAGS[0], options=variants(name)[0]), seed=seed)


def test_floors_fall_from_chance_to_certainty(task: Task) -> None:
    floors = [task.floor(num_steps) for num_steps in range(task.sequence_length + 2)]
    assert floors[0] == pytest.approx(task.chance, rel=1e-12, abs=0)
    assert floors[-1] == floors[-2] == pytest.approx((0, 1), rel=1e-12, abs=1e-12)
    losses, accuracies = np.array(floors).T
    assert (np.diff(losses) <= 1e-15).all()
    assert (np.diff(accuracies) >= -1e-15).all()
    assert losses[task.lag] >= (1 - 1e-12) * losses[0] / 2  # of two addends it may show one, of all others nothing


def test_vectors_are_what_logistic_outputs_are_to_take(task: Task) -> None:
    batch = task.sample(np.random.default_rng(5), 200)
    if not task.logistic:
        assert task.stop is None
        with pytest.raises(ValueError, match="has no logistic outputs"):
            task.vectors(batch.targets)
        return
    assert task.stop is not None
    vectors = task.vectors(batch.targets)
    assert vectors.shape == (200, task.outputs)
    assert vectors.dtype == np.float64
    assert 0 <= vectors.min() <= vectors.max() <= 1
    outputs = torch.logit(torch.from_numpy(vectors).clamp(1e-6, 1 - 1e-6))[None]
    assert controls.scores(task, outputs, batch) == pytest.approx((0, 1), abs=1e-9)
    assert controls.scores(task, -outputs, batch)[0] > task.chance.loss


def test_the_end_does_not_leak_the_target(task: Task) -> None:
    """A linear probe on the last steps before (and at) the target stays at chance on fresh sequences."""
    batch = task.sample(np.random.default_rng(2), DRAWS)
    window = min(10, task.lag // 2)
    # of a task that scores every step (copy, loss: all) take the recall steps: only they need memory
    first = task.sequence_length - 10 if task.first_target < task.lag else task.first_target
    targets = torch.from_numpy(batch.targets[first - task.sequence_length :])
    shown = batch._replace(inputs=batch.inputs[first + 1 - window : first + 1])
    features = controls.dense(shown, features=task.features).transpose(1, 0, 2).reshape(DRAWS, -1)
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


def test_too_small_a_lag_and_unknown_options_are_refused(name: str) -> None:
    for options in variants(name) if structural_error(name) is None else []:
        with pytest.raises(ValueError, match=r"lag of \d+ or more; came: 0"):
            load_task(name, lag=0, options=options)
        with pytest.raises(ValueError, match="takes the options"):
            load_task(name, lag=40, options={**options, "nonsense": 1})
        for option in options:
            with pytest.raises(ValueError, match=r"'nonsense'.*known: "):
                load_task(name, lag=40, options={**options, option: "nonsense"})


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown task 'addding'; known: .*adding, copy"):
        load_task("addding", lag=40, options={})
