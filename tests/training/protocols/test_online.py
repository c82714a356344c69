"""Protocol online against a literal loop: one sequence, one update of torch's SGD, float64, reference kernel."""

from typing import Any

import numpy as np
import pytest
import torch

import tasks.adding
import tasks.long_lag
import training.protocols.online
from models.cell import load_cell
from models.gradient_flow import GradientFlow
from models.kernels import load_kernel
from models.kernels.online_1997.train import train_online
from models.network import Network
from tasks.task import Stop, load_task
from tests.settings import online_settings
from training.condition import train_condition
from training.networks import stream
from training.protocols.online import Learner
from training.replica import Replica, TrainingProgress

CHUNK = 7
SEEDS, RATES = online_settings()["seeds"], online_settings()["learning_rates"]


@pytest.fixture(autouse=True)
def small_chunks_and_lenient_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let chunks end between the points of the curve, and the rules hold early, in the midst of a chunk."""
    monkeypatch.setattr(training.protocols.online, "CHUNK", CHUNK)
    monkeypatch.setattr(tasks.adding, "STOPS", [{"when": {}, "error": 0.02, "streak": 3}])
    monkeypatch.setattr(tasks.adding, "TOLERANCE", 0.15)
    monkeypatch.setattr(tasks.long_lag.LongLag, "stop", Stop(error=None, streak=3))
    monkeypatch.setattr(tasks.long_lag, "TOLERANCE", 0.6)


def literal(settings: dict[str, Any], *, seed: int, rate: float) -> dict[str, Any]:
    """Train one network sequence by sequence, looking back at the whole history after each."""
    task = load_task(settings["task"]["task"], lag=settings["task"]["lag"], options=settings["task"]["options"])
    model = settings["model"]
    cell = load_cell(model["cell"], features=task.features, hidden_size=4, options=model["options"])
    kernel = load_kernel("reference", cell=cell, dtype=torch.float64, device=torch.device("cpu"))
    network = Network(cell, outputs=task.outputs, kernel=kernel)
    initial = network.initialise(stream("weights", task="ours", lag=10, seed=seed), sequence_length=1)
    weights = torch.from_numpy(initial[None]).requires_grad_(True)
    sgd = torch.optim.SGD([weights], lr=rate)
    flow = GradientFlow(frozenset(settings["gradient"]["paths"]))
    rng = stream("training", task="ours", lag=10, seed=seed)
    losses: list[float] = []
    right: list[bool] = []
    ends: dict[str, Any] = {"error": None, "streak": None, "solved": None}
    assert task.stop is not None
    while len(losses) < settings["task"]["sequences"] and ends["solved"] is None:
        if len(losses) % CHUNK == 0:
            batch = task.sample(rng, min(CHUNK, settings["task"]["sequences"] - len(losses)))
            vectors = torch.from_numpy(task.vectors(batch.targets))
        k = len(losses) % CHUNK
        inputs = torch.from_numpy(batch.inputs[:, [k]])[None]
        inputs = inputs.double() if inputs.ndim == 4 else inputs
        starts = torch.from_numpy(batch.starts[[k]])[None]
        net = network.outputs_of(weights, inputs=inputs, starts=starts, first_target=task.first_target, flow=flow)
        deviations = torch.sigmoid(net[0, 0, 0]) - vectors[k]
        sgd.zero_grad()
        (deviations.square().sum() / 2).backward()
        sgd.step()
        losses.append(float(deviations.detach().square().sum()))
        right.append(bool((deviations.abs() < (0.15 if settings["task"]["task"] == "adding" else 0.6)).all()))
        low = task.stop.error is None or (
            len(losses) >= task.stop.streak and np.mean(losses[-task.stop.streak :]) < task.stop.error
        )
        long = len(right) >= task.stop.streak and all(right[-task.stop.streak :])
        n = len(losses)
        if low and task.stop.error is not None:
            ends["error"] = ends["error"] or n
        ends["streak"] = ends["streak"] or (n if long else None)
        ends["solved"] = n if low and long else None
    test = task.sample(stream("test", task="ours", lag=10, seed=seed), 64)
    inputs = torch.from_numpy(test.inputs)[None]
    inputs = inputs.double() if inputs.ndim == 4 else inputs
    starts = torch.from_numpy(test.starts)[None]
    nets = network.outputs_of(weights.detach(), inputs=inputs, starts=starts, first_target=task.first_target, flow=flow)
    answers = torch.from_numpy(test.targets)[None]
    loss = task.loss(nets, answers.double() if answers.is_floating_point() else answers)
    return ends | {"losses": losses, "test_loss": float(loss)}


TRUNCATED, FULL = ("cell",), ("cell", "gates", "block_input")


@pytest.mark.parametrize(
    ("task", "paths"),
    [
        ("adding", FULL),
        ("long_lag", TRUNCATED),
        pytest.param("adding", TRUNCATED, marks=pytest.mark.slow),
        pytest.param("long_lag", FULL, marks=pytest.mark.slow),
    ],
)
def test_online_training_is_the_literal_loop(task: str, paths: tuple[str, ...]) -> None:
    settings = online_settings(task=task, paths=paths)
    reports: list[TrainingProgress] = []
    record = train_condition(settings, reports.append)
    assert record["kernel"] == "online"
    ends = set()
    for row in record["replicas"]:
        expected = literal(settings, seed=row["seed"], rate=row["learning_rate"])
        halves = (row["sequences_to_error"], row["sequences_to_streak"], row["updates_to_solve"])
        assert halves == (expected["error"], expected["streak"], expected["solved"])
        assert row["updates"] == row["best_update"] == len(expected["losses"])
        assert row["solved"] == (expected["solved"] is not None)
        np.testing.assert_allclose(row["test_loss"], expected["test_loss"], rtol=1e-9, atol=0)
        curve = [p for p in record["curves"] if (p["seed"], p["learning_rate"]) == (row["seed"], row["learning_rate"])]
        parts = [expected["losses"][k : k + 10] for k in range(0, len(expected["losses"]), 10)]
        assert [p["update"] for p in curve] == [min(10 * k + 10, row["updates"]) for k in range(len(parts))]
        np.testing.assert_allclose([p["train_loss"] for p in curve], [np.mean(p) for p in parts], rtol=1e-9, atol=0)
        assert {row["validation_loss"], row["validation_accuracy"]} == {None}
        ends.add(row["updates"])
    assert any(end % CHUNK and end < 45 for end in ends)  # at least one stopped within a chunk
    assert reports[-1].solved == sum(row["solved"] for row in record["replicas"])
    assert reports[-1].sequences == sum(row["updates"] for row in record["replicas"])


def test_a_budget_that_ends_first_censors_and_a_replica_does_not_depend_on_the_others() -> None:
    settings = online_settings(sequences=12)
    together = train_condition(settings, lambda _: None)["replicas"]
    assert any(not row["solved"] and row["updates"] == 12 for row in together)
    alone = train_condition(settings | {"seeds": [2], "learning_rates": [1.0]}, lambda _: None)["replicas"]
    (same,) = [row for row in together if (row["seed"], row["learning_rate"]) == (2, 1.0)]
    assert alone == [same]


def test_a_network_that_is_not_a_number_has_diverged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of four learners becomes NaN by its fourth update of the second chunk; the others go on as without."""
    monkeypatch.setattr(tasks.adding, "STOPS", [{"when": {}, "error": 0.0, "streak": 3}])  # nobody stops
    settings, calls = online_settings(), []
    without = train_condition(settings, lambda _: None)

    def broken(cell: Any, *, weights: Any, **how: Any) -> Any:
        calls.append(len(weights))
        nets = train_online(cell, weights=weights, **how)
        if len(calls) == 2:
            weights[0] = nets[0, 3:] = np.nan
        return nets

    monkeypatch.setattr(training.protocols.online, "train_online", broken)
    record = train_condition(settings, lambda _: None)
    row = record["replicas"][0]
    assert (row["diverged"], row["solved"], row["updates"]) == (True, False, CHUNK + 4)
    assert row["test_loss"] is row["test_accuracy"] is None
    assert [point["train_loss"] is None for point in record["curves"] if point["learning_rate"] == 0.5][:2] == [
        False,
        True,
    ]
    assert record["replicas"][1:] == without["replicas"][1:]


def test_a_stop_rule_is_watched_over_the_ends_of_what_it_is_given() -> None:
    rng = np.random.default_rng(0)
    losses, right = rng.random(400) ** 3, rng.random(400) < 0.8
    low = [n >= 12 and bool(losses[n - 12 : n].mean() < 0.12) for n in range(1, 401)]
    long = [n >= 12 and bool(right[n - 12 : n].all()) for n in range(1, 401)]
    both = [a and b for a, b in zip(low, long, strict=True)]
    assert any(low)
    assert any(long)
    for size in (1, 3, 12, 50, 400):
        learner, ends = Learner(Replica(0, 0.1), np.zeros(1), Stop(error=0.12, streak=12)), []
        for begin in range(0, 400, size):
            part = slice(begin, begin + size)
            end = learner.apply_stop_rule(losses[part], right[part])
            learner.replica.updates += len(losses[part])
            ends += [] if end is None else [begin + end]
        assert (learner.to_error, learner.to_streak) == (low.index(True) + 1, long.index(True) + 1)
        assert ends[:1] == ([both.index(True) + 1] if any(both) else [])


def test_other_cells_and_tasks_without_a_rule_are_refused() -> None:
    settings = online_settings()
    rnn = {"name": "rnn", "cell": "rnn", "hidden_size": 4, "options": {"initialisation": "orthogonal"}}
    flow = {"name": "full", "paths": ["recurrent"], "k1": None, "k2": None}
    with pytest.raises(ValueError, match="protocol online trains the cell lstm_1997; came: RNNCell"):
        train_condition(settings | {"model": rnn, "gradient": flow}, lambda _: None)
    linear = settings["task"] | {"options": {"variant": "uniform", "output": "linear"}}
    tasks.adding.STOPS.clear()
    with pytest.raises(ValueError, match="needs a task with a stop rule; Adding has none"):
        train_condition(settings | {"task": linear}, lambda _: None)
