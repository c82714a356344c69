"""The training loop: independence of replicas, agreement with plain torch, solving, divergence, bookkeeping."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from models.cell import load_cell
from models.gradient_flow import GradientFlow
from models.kernels import Kernel, reference
from models.network import Network
from tasks.task import Task, load_task
from tests.settings import CELL_OPTIONS, TASK_OPTIONS
from training.networks import stream
from training.optimiser import Optimiser
from training.optimisers.adam import Adam
from training.optimisers.sgd import SGD
from training.protocol import train
from training.protocols.minibatch import Minibatch
from training.replica import Replica, TrainingProgress
from training.setup import Setup

ADAM = Adam(beta1=0.9, beta2=0.999, epsilon=1e-8)


def build(name: str, *, lag: int, cell: str, hidden_size: int) -> tuple[Task, Network]:
    """Make a task and a network for it."""
    options = TASK_OPTIONS[name]
    task = load_task(name, lag=lag, options=options)
    built = load_cell(cell, features=task.features, hidden_size=hidden_size, options=CELL_OPTIONS[cell])
    return task, Network(built, outputs=task.outputs, kernel=Kernel("reference", reference.unroll, reference.readout))


def run(
    members: Sequence[tuple[int, float]],
    *,
    task: Task,
    network: Network,
    updates: int = 20,
    evaluate_every: int = 10,
    clip_norm: float | None = 1.0,
    optimiser: Optimiser = ADAM,
    dtype: torch.dtype = torch.float64,
) -> tuple[list[Replica], list[TrainingProgress]]:
    """Train the replicas (seed, learning rate) together; seeds are those of the streams."""
    seeds = sorted({seed for seed, _ in members})

    def streams(purpose: Any) -> list[np.random.Generator]:
        return [stream(purpose, task="test", lag=task.lag, seed=seed) for seed in seeds]

    initial = [network.initialise(rng, sequence_length=task.sequence_length) for rng in streams("weights")]
    replicas = [Replica(seeds.index(seed), rate) for seed, rate in members]
    weights = torch.from_numpy(np.stack([initial[replica.seed] for replica in replicas])).to(dtype)
    reports: list[TrainingProgress] = []
    setup = Setup(
        network,
        task,
        GradientFlow(frozenset(network.cell.paths)),
        replicas,
        weights,
        streams=streams("training"),
        validation=[task.sample(rng, 64) for rng in streams("validation")],
        batch_size=8,
        updates=updates,
        evaluate_every=evaluate_every,
        clip_norm=clip_norm,
        optimiser=optimiser,
    )
    protocol = Minibatch(setup)
    train(protocol, reports.append)
    protocol.finish()
    return replicas, reports


def last(replica: Replica) -> Tensor:
    """Return the weights that a replica ended with."""
    assert replica.last_weights is not None
    return replica.last_weights


MEMBERS = [(0, 0.01), (0, 0.003), (1, 0.01), (2, 0.03), (5, 0.01), (7, 0.001), (7, 0.01)]


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("name", ["adding", "temporal_order"])
def test_a_replica_does_not_depend_on_the_others_or_their_order(cell: str, name: str) -> None:
    task, network = build(name, lag=8, cell=cell, hidden_size=6)
    together, _ = run(MEMBERS, task=task, network=network)
    backwards, _ = run(MEMBERS[::-1], task=task, network=network)
    for member, replica, other in zip(MEMBERS, together, backwards[::-1], strict=True):
        (alone,), _ = run([member], task=task, network=network)
        assert alone.curve[-1] == pytest.approx(replica.curve[-1], rel=1e-6)
        torch.testing.assert_close(last(alone), last(replica), rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(last(other), last(replica), rtol=1e-6, atol=1e-9)
    moved = last(together[0]) - last(together[2])
    assert moved.abs().max() > 1e-2  # different seeds are different networks


def test_neighbours_that_leave_the_batch_change_nothing() -> None:
    task, network = build("temporal_order", lag=8, cell="rnn", hidden_size=12)
    exploding = [(1, 1e308), (2, 1e308)]
    together, reports = run([exploding[0], (0, 0.01), exploding[1]], task=task, network=network)
    (alone,), _ = run([(0, 0.01)], task=task, network=network)
    assert [replica.diverged for replica in together] == [True, False, True]
    assert reports[-1].alive == 1
    assert reports[-1].diverged == 2
    torch.testing.assert_close(last(alone), last(together[1]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("limit", "rtol"), [(1.0, 1e-4), (None, 1e-8)])
def test_twenty_updates_equal_plain_torch(limit: float | None, rtol: float) -> None:
    """nn.LSTM, nn.Linear, clip_grad_norm_ (which adds 1e-6 to the norm) and torch.optim.Adam reach the same weights."""
    task, network = build("temporal_order", lag=8, cell="lstm", hidden_size=6)
    (replica,), _ = run([(3, 0.02)], task=task, network=network, clip_norm=limit)

    def rng(purpose: Any) -> np.random.Generator:
        return stream(purpose, task="test", lag=8, seed=3)

    start = torch.from_numpy(network.initialise(rng("weights"), sequence_length=task.sequence_length))[None]
    ours = {symbol: value[0] for symbol, value in network.by_symbol(start).items()}
    lstm = torch.nn.LSTM(8, 6, dtype=torch.float64)
    linear = torch.nn.Linear(6, 4, dtype=torch.float64)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(torch.cat([ours[f"W_{gate}"] for gate in "ifzo"], dim=1).T)
        lstm.weight_hh_l0.copy_(torch.cat([ours[f"U_{gate}"] for gate in "ifzo"], dim=1).T)
        lstm.bias_ih_l0.copy_(torch.cat([ours[f"b_{gate}"] for gate in "ifzo"]))
        lstm.bias_hh_l0.zero_()
        linear.weight.copy_(ours["V"].T)
        linear.bias.copy_(ours["b_y"])
    lstm.bias_hh_l0.requires_grad_(False)
    trained = [p for p in [*lstm.parameters(), *linear.parameters()] if p.requires_grad]
    adam = torch.optim.Adam(trained, lr=0.02)
    data = rng("training")
    for _ in range(20):
        batch = task.sample(data, 8)
        losses = []
        for b in range(8):  # ragged sequences, one at a time, from their own first step
            hidden, _ = lstm(torch.from_numpy(batch.inputs[batch.starts[b] :, b]).double())
            losses.append(torch.nn.functional.cross_entropy(linear(hidden[-1]), torch.tensor(batch.targets[0, b])))
        adam.zero_grad()
        torch.stack(losses).mean().backward()
        torch.nn.utils.clip_grad_norm_(trained, limit or torch.inf)
        adam.step()
    end = {symbol: value[0] for symbol, value in network.by_symbol(last(replica)[None]).items()}
    for k, gate in enumerate("ifzo"):
        rows = slice(6 * k, 6 * k + 6)
        torch.testing.assert_close(end[f"W_{gate}"], lstm.weight_ih_l0[rows].T.detach(), rtol=rtol, atol=1e-4 * rtol)
        torch.testing.assert_close(end[f"U_{gate}"], lstm.weight_hh_l0[rows].T.detach(), rtol=rtol, atol=1e-4 * rtol)
        torch.testing.assert_close(end[f"b_{gate}"], lstm.bias_ih_l0[rows].detach(), rtol=rtol, atol=1e-4 * rtol)
    torch.testing.assert_close(end["V"], linear.weight.T.detach(), rtol=rtol, atol=1e-4 * rtol)


def test_the_loop_solves_a_tiny_task_and_solved_replicas_leave() -> None:
    task, network = build("temporal_order", lag=8, cell="lstm", hidden_size=16)
    members = [(0, 0.02), (1, 0.02), (1, 1e-7)]
    replicas, reports = run(members, task=task, network=network, updates=400, evaluate_every=20, dtype=torch.float32)
    for replica in replicas[:2]:
        assert replica.updates_to_solve is not None
        assert replica.updates_to_solve < 400
        assert replica.updates == replica.updates_to_solve == replica.best_update == replica.curve[-1]["update"]
        assert replica.validation["accuracy"] >= 0.99 > replica.curve[0]["validation_accuracy"]
    assert replicas[2].updates_to_solve is None
    assert replicas[2].updates == 400
    assert (reports[-1].solved, reports[-1].alive, reports[-1].update) == (2, 1, 400)
    expected = 8 * sum(replica.updates for replica in replicas)
    assert reports[-1].sequences == expected


def test_shuffled_targets_stay_at_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the loop: with targets that belong to other sequences nothing is learnt."""
    task, network = build("temporal_order", lag=8, cell="lstm", hidden_size=16)
    sample = task.sample

    def shuffled(rng: np.random.Generator, size: int) -> Any:
        batch = sample(rng, size)
        return batch._replace(targets=rng.permuted(batch.targets, axis=1))

    monkeypatch.setattr(task, "sample", shuffled)
    (replica,), _ = run([(0, 0.02)], task=task, network=network, updates=400, evaluate_every=20, dtype=torch.float32)
    assert replica.updates_to_solve is None
    assert replica.validation["accuracy"] < 0.5
    assert replica.curve[-1]["train_loss"] > 0.9 * task.chance.loss


@pytest.mark.parametrize("evaluate_every", [1, 2, 5])
@pytest.mark.parametrize("members", [[(0, 1e160)], [(0, 1e160), (1, 1e170)], [(0, 1e160), (0, 1e-3)]], ids=str)
def test_divergence_is_recorded_with_the_last_finite_best(
    members: list[tuple[int, float]], evaluate_every: int
) -> None:
    """Alone, all at once, or beside one that goes on; also at an update that is an evaluation, and at the last one."""
    task, network = build("adding", lag=8, cell="rnn", hidden_size=6)
    for updates in (2, 3, 20):
        replicas, reports = run(
            members,
            task=task,
            network=network,
            updates=updates,
            evaluate_every=min(evaluate_every, updates),
            clip_norm=None,
            optimiser=SGD(momentum=0.0),
        )
        for replica, (_, rate) in zip(replicas, members, strict=True):
            if rate < 1:
                assert (replica.diverged, replica.updates) == (False, updates)
                continue
            assert (replica.diverged, replica.updates_to_solve) == (True, None)
            assert replica.updates <= 3
            assert replica.best_weights is not None
            assert torch.isfinite(replica.best_weights).all()
            assert 0 <= replica.validation["accuracy"] <= 1
            last_point = replica.curve[-1]
            assert last_point["update"] == replica.updates
            assert last_point["validation_accuracy"] is None or not np.isfinite(last_point["validation_accuracy"])
        assert reports[-1].diverged == sum(rate > 1 for _, rate in members)


def test_a_network_that_is_not_finite_at_the_start_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    task, network = build("temporal_order", lag=8, cell="rnn", hidden_size=6)
    initialise = network.initialise
    factors = iter([np.nan, 1.0])
    monkeypatch.setattr(network, "initialise", lambda rng, **sizes: next(factors) * initialise(rng, **sizes))
    (broken, healthy), reports = run([(0, 0.01), (1, 0.01)], task=task, network=network)
    assert (broken.diverged, broken.updates, broken.best_weights, broken.validation) == (True, 0, None, {})
    assert np.isnan(broken.curve[0]["validation_accuracy"])  # argmax of NaN would be right by chance
    assert (healthy.diverged, healthy.updates) == (False, 20)
    assert reports[0].update == 0
    assert (reports[0].alive, reports[0].diverged) == (1, 1)


def test_a_network_that_is_solved_at_the_start_is_not_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    task, network = build("temporal_order", lag=8, cell="rnn", hidden_size=6)
    monkeypatch.setattr(type(task), "success_accuracy", 0.0)
    (replica,), reports = run([(0, 0.01)], task=task, network=network)
    assert (replica.updates_to_solve, replica.updates) == (0, 0)
    assert [progress.solved for progress in reports] == [1]


def test_train_loss_is_the_mean_since_the_last_evaluation() -> None:
    """The last evaluation comes with the budget, also when it is no multiple of `evaluate_every`."""
    task, network = build("adding", lag=8, cell="rnn", hidden_size=6)
    often, _ = run([(0, 1e-3)], task=task, network=network, updates=7, evaluate_every=1)
    seldom, _ = run([(0, 1e-3)], task=task, network=network, updates=7, evaluate_every=5)
    each = [point["train_loss"] for point in often[0].curve]
    assert each[0] is None
    assert [point["update"] for point in seldom[0].curve] == [0, 5, 7]
    assert seldom[0].curve[1]["train_loss"] == pytest.approx(np.mean(each[1:6]), rel=1e-9)
    assert seldom[0].curve[2]["train_loss"] == pytest.approx(np.mean(each[6:8]), rel=1e-9)
