"""Replicas of the 1997 network as groups of eight: rows of weights become the lanes of vectors, and rows again.

Net inputs stand in the order z, i, o, as the units do that follow them; C cells, N units.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels.online_1997.double_lanes import WIDTH, Array, aligned

if TYPE_CHECKING:
    from models.lstm_1997 import LSTM1997Cell

Integers = NDArray[np.int64]


class Sizes(NamedTuple):
    """Axes of the arrays."""

    blocks: int
    cells: int
    units: int
    features: int
    outputs: int
    steps: int


class Weights(NamedTuple):
    """The weights of a group of 8 replicas; of W only one is there, the other one is empty."""

    W: Array  # (features N, 8), for dense inputs
    rows: Array  # (8 features vectors, 8): W of each replica, row by row, for one-hot inputs
    U: Array  # (N N, 8)
    b: Array  # (N, 8)
    V: Array  # (outputs C, 8)
    b_y: Array  # (outputs, 8)


class Scratch(NamedTuple):
    """What a sequence of each replica needs, 8 numbers at a time."""

    u: Array  # (T + 1) N: y, i, o; those of step t are at t + 1
    z: Array  # T C: sigmoid(z)
    h: Array  # T C: sigmoid(s)
    d: Array  # T N: net inputs, later their errors
    x: Array  # T features: the inputs, if they are dense
    s: Array  # C
    du: Array  # N: error of u
    ds: Array  # C: error of s
    dy: Array  # outputs: error of the readout's net inputs
    dU: Array  # N N
    dW: Array  # features N, if they are dense
    starts: Array  # 1
    tile: Array  # 24: two of 8 rows that are transposed, and the result


def places(cell: "LSTM1997Cell", *, outputs: int) -> list[Integers]:
    """Return where in a row of weights W, U, b (nets in the order z i o), V and b_y stand; biases may be nowhere."""
    shapes = {**cell.shapes, "V": (cell.hidden_size, outputs)} | ({"b_y": (outputs,)} if cell.biases else {})
    of_symbol, begin = {}, 0
    for symbol, shape in shapes.items():
        size = int(np.prod(shape))
        of_symbol[symbol] = np.arange(begin, begin + size).reshape(shape)
        begin += size
    nowhere = np.zeros(0, np.int64)
    stacked = [np.concatenate([of_symbol.get(f"{kind}_{net}", nowhere) for net in "zio"], axis=-1) for kind in "WUb"]
    return [*stacked, of_symbol["V"].T, of_symbol.get("b_y", nowhere)]


def pack(cell: "LSTM1997Cell", weights: Array, *, order: Sequence[Integers], one_hot: bool) -> Weights:
    """Return rows of weights as groups of 8 replicas, next to each other."""
    R, groups, N = len(weights), -(-len(weights) // WIDTH), cell.hidden_size + 2 * cell.blocks
    outputs = order[3].shape[0]
    sizes = (0 if one_hot else cell.features * N, N * N, N, cell.hidden_size * outputs, outputs)
    lanes = [aligned(groups, size, WIDTH) for size in sizes]
    vectors = -(-N // WIDTH)
    rows = aligned(groups, WIDTH * cell.features * vectors if one_hot else 0, WIDTH)
    every = np.zeros((groups * WIDTH, weights.shape[1]))
    every[:R] = weights
    for part, packed in zip(order, lanes, strict=True):
        if part.size and packed.size:
            packed[:] = every[:, part.ravel()].reshape(groups, WIDTH, -1).swapaxes(1, 2)
    if one_hot:
        rows.reshape(-1, cell.features, vectors * WIDTH)[:, :, :N] = every[:, order[0]]
    return Weights(lanes[0], rows, *lanes[1:])


def unpack(packed: Weights, weights: Array, *, order: Sequence[Integers]) -> None:
    """Write groups of replicas back into rows of weights."""
    R = len(weights)
    if packed.rows.size:
        features, N = order[0].shape
        weights[:, order[0]] = packed.rows.reshape(len(packed.rows) * WIDTH, features, -1)[:R, :, :N]
    for part, lanes in zip(order, (packed.W, *packed[2:]), strict=True):
        if part.size and lanes.size:
            weights[:, part.ravel()] = lanes.swapaxes(1, 2).reshape(-1, part.size)[:R]


def make_scratch(sizes: Sizes, *, one_hot: bool) -> Scratch:
    """Return memory for a sequence of each replica of a group."""
    _, C, N, features, outputs, T = sizes
    dense = 0 if one_hot else features
    axes = ((T + 1) * N, T * C, T * C, T * N, T * dense, C, N, C, outputs, N * N, dense * N, 1, 3 * WIDTH)
    return Scratch(*(aligned(axis, WIDTH) for axis in axes))
