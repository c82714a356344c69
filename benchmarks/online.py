"""Online training of the 1997 network: microseconds per step, forward, backward and update, beside eager torch."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from models.gradient_flow import GradientFlow
from models.kernels import load_kernel
from models.kernels.online_1997.train import train_online
from models.lstm_1997 import LSTM1997Cell
from models.network import Network

STEPS = 105
"""Steps of a sequence: the mean of temporal order 6a."""
RATE = 0.1
FLOWS = {"truncated_1997": frozenset({"cell"}), "full": frozenset({"cell", "gates", "block_input"})}
NETWORKS: dict[str, dict[str, Any]] = {
    "temporal order 6a": {"features": 8, "block_size": 2, "biases": True},
    "2c, p = 50": {"features": 54, "block_size": 1, "biases": False},
    "2c, p = 1000": {"features": 1004, "block_size": 1, "biases": False},
}
OUTPUTS = {"temporal order 6a": 4, "2c, p = 50": 2, "2c, p = 1000": 2}


class Case(NamedTuple):
    """What is measured; the reference kernel is the rival."""

    network: str
    inputs: str
    gradient: str
    replicas: int


CASES = [
    Case(network, inputs, gradient, replicas)
    for network, inputs in (
        ("temporal order 6a", "one_hot"),
        ("temporal order 6a", "dense"),
        ("2c, p = 50", "one_hot"),
        ("2c, p = 1000", "one_hot"),
    )
    for gradient in FLOWS
    for replicas in (1, 8)
]


class Problem(NamedTuple):
    """A network and its sequences, the same for all replicas."""

    network: Network
    weights: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    starts: np.ndarray


def draw(case: Case, *, sequences: int) -> Problem:
    """Draw weights and sequences without shorter ones; their symbols are uniform."""
    cell = LSTM1997Cell(hidden_size=2 * NETWORKS[case.network]["block_size"], input_gate_bias=-2.0, bound=0.1,
                        **NETWORKS[case.network])  # fmt: skip
    kernel = load_kernel("reference", cell=cell, dtype=torch.float64, device=torch.device("cpu"))
    network = Network(cell, outputs=OUTPUTS[case.network], kernel=kernel)
    rng = np.random.default_rng(1997)
    indices = rng.integers(cell.features, size=(1, STEPS, sequences))
    dense = (indices[..., None] == np.arange(cell.features)).astype(np.float32) if case.inputs == "dense" else indices
    weights = [network.initialise(rng, sequence_length=STEPS) for _ in range(case.replicas)]
    targets = rng.integers(2, size=(1, sequences, network.outputs)).astype(np.float64)
    return Problem(network, np.stack(weights), dense, targets, np.zeros((1, sequences), np.int64))


def fused(case: Case, problem: Problem) -> np.ndarray:
    """Train with the fused kernel and return the weights."""
    weights, R = problem.weights.copy(), case.replicas
    cell: Any = problem.network.cell
    train_online(
        cell,
        weights=weights,
        inputs=problem.inputs,
        targets=problem.targets,
        starts=problem.starts,
        rows=[0] * R,
        rates=[RATE] * R,
        flow=GradientFlow(FLOWS[case.gradient]),
        outputs=problem.network.outputs,
    )
    return weights


def eager(case: Case, problem: Problem) -> np.ndarray:
    """Train with the reference kernel, autograd and plain SGD, all replicas in one batch, and return the weights."""
    weights, flow = torch.from_numpy(problem.weights.copy()), GradientFlow(FLOWS[case.gradient])
    inputs = torch.from_numpy(problem.inputs).expand(case.replicas, *problem.inputs.shape[1:])
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    targets, starts = torch.from_numpy(problem.targets), torch.from_numpy(problem.starts)
    for n in range(starts.shape[1]):
        part = slice(n, n + 1)
        outputs = problem.network.outputs_of(
            weights.requires_grad_(True),
            inputs=inputs[:, :, part],
            starts=starts[:, part].expand(case.replicas, 1),
            first_target=STEPS - 1,
            flow=flow,
        )
        loss = 0.5 * (torch.sigmoid(outputs[:, 0, 0]) - targets[:, n]).square().sum()
        (gradient,) = torch.autograd.grad(loss, weights)
        weights = weights.detach() - RATE * gradient
    return weights.numpy()


RIVALS: dict[str, Callable[[Case, Problem], np.ndarray]] = {"online": fused, "reference": eager}


def measure_online(rounds: int, sequences: int) -> pd.DataFrame:
    """Return microseconds per step and replica on one thread (median and quartiles), and the ratio to our kernel.

    All are measured in turns, round after round, so that a slow spell of the machine meets all of them. The eager rival
    trains on a hundredth of the sequences, 2 at least.
    """
    torch.set_num_threads(1)
    sizes = {"online": sequences, "reference": max(sequences // 100, 2)}
    problems = {(case, who): draw(case, sequences=n) for case in CASES for who, n in sizes.items()}
    times: dict[tuple[Case, str], list[float]] = {entry: [] for entry in problems}
    for _ in range(rounds + 1):
        for (case, who), problem in problems.items():
            began = time.perf_counter()
            RIVALS[who](case, problem)
            seconds = time.perf_counter() - began
            times[case, who].append(seconds * 1e6 / (sizes[who] * STEPS * case.replicas))
    table = pd.DataFrame([_row(*entry, problem, times[entry][1:]) for entry, problem in problems.items()])
    base = table["microseconds"].where(table["implementation"] == "online").ffill()
    return table.assign(ratio=table["microseconds"] / base)


def _row(case: Case, who: str, problem: Problem, times: list[float]) -> dict[str, Any]:
    low, middle, high = np.quantile(times, [0.25, 0.5, 0.75])
    sizes = {"features": problem.network.cell.features, "weights": problem.network.parameters, "steps": STEPS}
    micro = {"low_quartile": low, "microseconds": middle, "high_quartile": high, "best": min(times)}
    return {"implementation": who} | case._asdict() | sizes | {"sequences": problem.starts.shape[1]} | micro
