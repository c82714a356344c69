"""What is measured: the points of the grid, and the contestants at each of them."""

from typing import NamedTuple

FEATURES = 2  # as the adding task's

BASE = "cpu"
"""The implementation that every ratio is against: the project's fused kernel."""
TORCH = ("torch_threads", "torch_processes")
"""The two ways to run `torch.nn.LSTM` or `torch.nn.RNN` once per replica; the faster one is the rival."""


class Point(NamedTuple):
    """One point of the grid."""

    replicas: int
    hidden_size: int
    batch: int
    sequence_length: int

    def __str__(self) -> str:
        """Return R 8, H 32, B 32, T 100."""
        return f"R {self.replicas}, H {self.hidden_size}, B {self.batch}, T {self.sequence_length}"


class Contestant(NamedTuple):
    """Who computes what: an implementation, a model and a gradient flow, by name."""

    implementation: str
    model: str
    gradient: str


CONTESTANTS = [
    Contestant("cpu", "lstm_peephole", "full"),
    Contestant("cpu", "lstm", "full"),
    Contestant("cpu", "lstm_peephole", "truncated_1997"),
    Contestant("cpu", "lstm_peephole", "tbptt"),
    Contestant("cpu", "rnn", "full"),
    *(Contestant(implementation, model, "full") for implementation in (*TORCH, "jax") for model in ("lstm", "rnn")),
    Contestant("reference", "lstm_peephole", "full"),
]

SLOW = {"reference": (Point(8, 16, 32, 100), Point(8, 64, 32, 100))}
"""Implementations so slow that only some points and few rounds are worth the time."""
SLOW_ROUNDS = 4

POINTS = [Point(8, H, B, T) for B in (32, 64) for T in (100, 400) for H in (8, 16, 32, 64, 128)] + [
    Point(1, H, 32, T) for T in (100, 400) for H in (8, 16, 32, 64, 128)
]
QUICK_POINTS = [Point(8, 16, 32, 100), Point(8, 64, 32, 20)]


def contestants_at(point: Point, *, available: set[str]) -> list[Contestant]:
    """Return who is measured at a point, of the implementations that this machine has."""
    return [
        contestant
        for contestant in CONTESTANTS
        if contestant.implementation in available and point in SLOW.get(contestant.implementation, (point,))
    ]
