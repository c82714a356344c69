"""A replica's bits on the fused kernel: the same after some updates in any batch, in any order, on any threads."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from models.cell import load_cell
from models.gradient_flow import GradientFlow
from models.kernels import Kernel, cpu, threads
from models.network import Network
from tasks.task import Task, load_task
from tests.settings import CELL_OPTIONS
from training.networks import stream
from training.optimisers.adam import Adam
from training.protocol import train
from training.protocols.minibatch import Minibatch
from training.replica import Replica
from training.setup import Setup

UPDATES = 12  # one evaluation among them
RATES = (0.001, 0.003, 0.01, 0.03)
MEMBERS = [(seed, rate) for seed in range(16) for rate in RATES]
TASKS: dict[str, dict[str, Any]] = {
    "adding": {"variant": "uniform", "output": "linear"},
    "copy": {"loss": "all"},
    "temporal_order": {"symbols": 2, "output": "softmax"},
}
LAGS = {"adding": 6, "copy": 12, "temporal_order": 8}


@pytest.fixture(autouse=True)
def many_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every call be worth a thread."""
    monkeypatch.setattr(threads, "WORTH_A_THREAD", 1)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(
    members: Sequence[tuple[int, float]],
    *,
    task: str,
    cell: str,
    batch_size: int,
    count: int,
    hidden_size: int = 9,
    updates: int = UPDATES,
) -> list[Replica]:
    """Train members (seed, learning rate) in one batch on `count` threads."""
    torch.set_num_threads(count)
    built = load_task(task, lag=LAGS[task], options=TASKS[task])
    network = Network(
        load_cell(cell, features=built.features, hidden_size=hidden_size, options=CELL_OPTIONS[cell]),
        outputs=built.outputs,
        kernel=Kernel("cpu", cpu.unroll, cpu.readout),
    )
    seeds = sorted({seed for seed, _ in members})

    def streams(purpose: Any) -> list[np.random.Generator]:
        return [stream(purpose, task=task, lag=built.lag, seed=seed) for seed in seeds]

    initial = [network.initialise(rng, sequence_length=built.sequence_length) for rng in streams("weights")]
    replicas = [Replica(seeds.index(seed), rate) for seed, rate in members]
    weights = torch.from_numpy(np.stack([initial[replica.seed] for replica in replicas])).float()
    setup = Setup(
        network,
        built,
        GradientFlow(frozenset(network.cell.paths)),
        replicas,
        weights,
        streams=streams("training"),
        validation=[built.sample(rng, 40) for rng in streams("validation")],
        batch_size=batch_size,
        updates=updates,
        evaluate_every=10,
        clip_norm=1.0,
        optimiser=Adam(beta1=0.9, beta2=0.999, epsilon=1e-8),
    )
    protocol = Minibatch(setup)
    train(protocol, lambda _: None)
    protocol.finish()
    return replicas


def same(first: Replica, other: Replica) -> bool:
    assert first.last_weights is not None
    assert other.last_weights is not None
    return (
        torch.equal(first.last_weights, other.last_weights)
        and first.curve == other.curve
        and first.validation == other.validation
        and first.updates == other.updates
    )


CASES = [("adding", "lstm", 1), ("copy", "rnn", 1)]
SLOW_CASES = [("adding", "rnn", 24), ("copy", "lstm", 24), ("temporal_order", "lstm", 24), ("temporal_order", "rnn", 1)]


@pytest.mark.parametrize(
    ("task", "cell", "batch_size"), [*CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW_CASES)]
)
def test_a_replica_has_the_same_bits_alone_in_seven_and_in_sixty_four(task: str, cell: str, batch_size: int) -> None:
    how: dict[str, Any] = {"task": task, "cell": cell, "batch_size": batch_size}
    order = np.random.default_rng(0).permutation(len(MEMBERS))
    shuffled = run([MEMBERS[k] for k in order], **how, count=4)
    together = [shuffled[row] for row in np.argsort(order)]
    assert all(same(*pair) for pair in zip(together, run(MEMBERS, **how, count=1), strict=True))
    seven = [0, 5, 18, 33, 34, 50, 63]
    for member, replica in zip(seven, run([MEMBERS[k] for k in seven], **how, count=2), strict=True):
        assert same(replica, together[member]), MEMBERS[member]
    for member in seven[::2]:
        (alone,) = run([MEMBERS[member]], **how, count=2)
        assert same(alone, together[member]), MEMBERS[member]


def test_replicas_that_leave_solved_change_no_bit_of_those_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A low criterion lets most of the batch leave at several evaluations."""
    how: dict[str, Any] = {"task": "temporal_order", "cell": "lstm", "batch_size": 8, "updates": 50}
    monkeypatch.setattr(Task, "success_accuracy", 0.45)
    together = run(MEMBERS, **how, count=2)
    left = {replica.updates for replica in together}
    assert len(left) > 2, left
    for member in (1, 22, 40, 63):
        (alone,) = run([MEMBERS[member]], **how, count=1)
        assert same(alone, together[member]), MEMBERS[member]


@pytest.mark.parametrize("task", ["adding", "copy"])
def test_sums_that_torch_would_cut_for_its_threads_have_the_same_bits(task: str) -> None:
    """A hundred units have more weights, and a batch of 1500 more losses, than torch adds up on one thread."""
    how: dict[str, Any] = {"task": task, "cell": "lstm", "batch_size": 1500, "hidden_size": 100, "updates": 2}
    first, two = run(MEMBERS[:2], **how, count=1)
    for member, expected in ((0, first), (1, two)):
        (alone,) = run([MEMBERS[member]], **how, count=4)
        assert same(alone, expected)
