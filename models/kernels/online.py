"""Online training of the 1997 network, fused: after every sequence W <- W - rate * gradient, float64 on the CPU.

    loss of a sequence = 1/2 sum over outputs of (sigmoid(y(T)) - target)^2

A replica's arithmetic is the same whoever else trains and however many threads there are. A network that has diverged
goes on as NaN.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.gradient_flow import GradientFlow
from models.kernels import memory_blocks
from models.kernels.memory_blocks import Array, Integers
from models.kernels.threads import for_each_range

if TYPE_CHECKING:
    from models.lstm_1997 import LSTM1997Cell


class _Sizes(NamedTuple):
    """Axes of the arrays."""

    replicas: int
    datasets: int
    steps: int
    sequences: int
    outputs: int


def train_online(
    cell: "LSTM1997Cell",
    *,
    weights: Array,
    inputs: NDArray[np.float32] | Integers,
    targets: Array,
    starts: Integers,
    rows: Sequence[int],
    rates: Sequence[float] | Array,
    flow: GradientFlow,
    outputs: int,
) -> Array:
    """Train replica r, row r of weights (R, P), in place on every sequence of data set `rows[r]`, in their order.

    `weights` are rows of a `Network` of this cell with `outputs` outputs; inputs (D, T, n, features) float32, or (D, T,
    n) int64 the index of the feature that is 1 (-1: none); targets (D, n, outputs) in [0, 1]; starts (D, n) the first
    step of each sequence; rates (R,). Returns the net inputs of the outputs at the last step of each sequence, before
    its update: (R, n, outputs). Another shape, type or index is a ValueError.
    """
    flow.check(cell.paths)
    if inputs.ndim not in (3, 4):
        raise ValueError(f"inputs must have the axes (D, T, n, features) or (D, T, n); came: {inputs.shape}")
    sizes = _Sizes(len(rows), inputs.shape[0], inputs.shape[1], inputs.shape[2], outputs)
    order = _order(cell, outputs=outputs)
    _check(cell, sizes, order=order, weights=weights, inputs=inputs, targets=targets, starts=starts, rows=rows)
    R, _, T, n, _ = sizes
    C, N, features = cell.hidden_size, cell.hidden_size + 2 * cell.blocks, cell.features
    packed = memory_blocks.Weights(*(np.ascontiguousarray(weights[:, part]) for part in order))
    if not cell.biases:
        packed = packed._replace(b=np.zeros((R, N)), b_y=np.zeros((R, outputs)))
    one_hot = inputs.ndim == 3
    data = memory_blocks.Data(
        dense=np.zeros((1, 1, 0, 1), np.float32) if one_hot else np.require(inputs, np.float32, "CW"),
        indices=np.require(inputs, np.int64, "CW") if one_hot else np.zeros((1, 1, 0), np.int64),
        starts=np.require(starts, requirements="CW"),  # another layout would be compiled anew
        targets=np.require(targets, requirements="CW"),
    )
    along = memory_blocks.Flow(
        cell="cell" in flow.paths,
        gates="gates" in flow.paths,
        block_input="block_input" in flow.paths,
        earliest=flow.windows(T)[-1].start,
    )
    nets = np.empty((R, n, outputs))
    rates_, rows_ = np.array(rates, np.float64), np.array(rows, np.int64)

    def run(replicas: tuple[int, int], scratch: memory_blocks.Scratch) -> None:
        memory_blocks.train(replicas, cell.blocks, cell.biases, along, packed, rates_, rows_, data, nets, scratch)

    of_scratch = ((T + 1, N), (T, C), (T, C), (T, N), (C,), (N,), (C,), (outputs,), (N, N))
    work = R * n * T * N * (N + 1 + (0 if one_hot else features))
    if R:
        for_each_range(
            run, R, work=work, prepare=lambda: memory_blocks.Scratch(*(np.zeros(shape) for shape in of_scratch))
        )
    for part, values in zip(order, packed, strict=True):
        if part.size:
            weights[:, part] = values
    return nets


def _order(cell: "LSTM1997Cell", *, outputs: int) -> list[Integers]:
    """Return where in a row of weights W, U, b (nets in the order z i o), V and b_y stand; biases may be nowhere."""
    shapes = {**cell.shapes, "V": (cell.hidden_size, outputs)} | ({"b_y": (outputs,)} if cell.biases else {})
    places, begin = {}, 0
    for symbol, shape in shapes.items():
        size = int(np.prod(shape))
        places[symbol] = np.arange(begin, begin + size).reshape(shape)
        begin += size
    nowhere = np.zeros(0, np.int64)
    stacked = [np.concatenate([places.get(f"{kind}_{net}", nowhere) for net in "zio"], axis=-1) for kind in "WUb"]
    return [*stacked, places["V"], places.get("b_y", nowhere)]


def _check(
    cell: "LSTM1997Cell",
    sizes: _Sizes,
    *,
    order: Sequence[Integers],
    weights: Array,
    inputs: NDArray[np.float32] | Integers,
    targets: Array,
    starts: Integers,
    rows: Sequence[int],
) -> None:
    """Refuse what the time loop, which checks no bounds, cannot take."""
    R, D, T, n, outputs = sizes
    known = ("int64", (D, T, n)) if inputs.ndim == 3 else ("float32", (D, T, n, cell.features))
    expected = {
        "weights": (weights, "float64", (R, sum(part.size for part in order))),
        "inputs": (inputs, *known),
        "targets": (targets, "float64", (D, n, outputs)),
        "starts": (starts, "int64", (D, n)),
    }
    for name, (array, dtype, shape) in expected.items():
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(f"{name} must be {dtype} {shape}; came: {array.dtype} {array.shape}")
    for name, array, bound in (("rows", np.array(rows), D), ("starts", starts, T)):
        if array.size and not 0 <= array.min() <= array.max() < bound:
            raise ValueError(f"{name} must be from 0 to {bound - 1}; came: {array.min()} to {array.max()}")
    if inputs.ndim == 3 and inputs.size and inputs.max() >= cell.features:
        raise ValueError(f"inputs must be indices below {cell.features}; came: {inputs.max()}")
