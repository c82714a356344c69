"""The problem that every contestant solves: weights, inputs and a loss, the same numbers for all of them.

    L = sum over replicas r, sequences b and units j of w[r, b, j] h(T)[r, b, j]

The loss is at the last step alone, as in the adding and the temporal-order task. Inputs need no gradient; every weight
does. The initial weights are those of config/default.yaml: with others the error would vanish within a hundred steps,
and subnormal numbers be timed.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.points import FEATURES, Point
from models.cell import Cell, load_cell
from models.gradient_flow import GradientFlow
from models.lstm import VANILLA

Array = NDArray[np.float32]

LSTM_OPTIONS = VANILLA | {"forget_bias": "chrono", "input_bias": 0}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "lstm_peephole": ("lstm", LSTM_OPTIONS | {"peepholes": True}),
    "lstm": ("lstm", LSTM_OPTIONS | {"peepholes": False}),
    "rnn": ("rnn", {"initialisation": "orthogonal"}),
}
"""Cell and options by the model's name."""


class Problem(NamedTuple):
    """What the replicas compute, float32."""

    parameters: dict[str, Array]  # by the cell's symbols, (R, ...) each
    inputs: Array  # (R, T, B, features)
    loss_weights: Array  # (R, B, H)


def build_cell(model: str, *, hidden_size: int) -> Cell:
    """Make the cell of a model."""
    name, options = MODELS[model]
    return load_cell(name, features=FEATURES, hidden_size=hidden_size, options=options)


def build_flow(gradient: str, *, cell: Cell, sequence_length: int) -> GradientFlow:
    """Make a gradient flow: `full`, `truncated_1997` (paths: cell), or `tbptt` with num_steps = T / 10."""
    every = frozenset(cell.paths)
    num_steps = max(sequence_length // 10, 1)
    flows = {
        "full": GradientFlow(every),
        "truncated_1997": GradientFlow(frozenset({"cell"})),
        "tbptt": GradientFlow(every, num_steps, num_steps),
    }
    return flows[gradient]


def draw(model: str, point: Point, *, replicas: Iterable[int]) -> Problem:
    """Draw the problem of some replicas of a point; a replica's numbers do not depend on the others'."""
    R, H, B, T = point
    cell = build_cell(model, hidden_size=H)
    problems = []
    for replica in replicas:
        rng = np.random.default_rng([R, H, B, T, replica])
        inputs = rng.random((T, B, FEATURES), dtype=np.float32)
        loss_weights = rng.standard_normal((B, H), dtype=np.float32)
        problems.append((cell.initialise(rng, sequence_length=T), inputs, loss_weights))
    return Problem(
        {symbol: np.stack([p[symbol] for p, _, _ in problems]).astype(np.float32) for symbol in cell.shapes},
        np.stack([inputs for _, inputs, _ in problems]),
        np.stack([weights for _, _, weights in problems]),
    )
