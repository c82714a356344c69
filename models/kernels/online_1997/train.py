"""Online training of the 1997 network, fused: after every sequence W <- W - rate * gradient, float64 on the CPU.

    loss of a sequence = 1/2 sum over outputs of (sigmoid(y(T)) - target)^2

A replica's arithmetic is the same whoever else trains and however many threads there are. A network that has diverged
goes on as NaN.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.gradient_flow import GradientFlow
from models.kernels.online_1997 import groups, time_loop
from models.kernels.online_1997.double_lanes import WIDTH, Array
from models.kernels.online_1997.groups import Integers
from models.kernels.threads import for_each_range

if TYPE_CHECKING:
    from models.lstm_1997 import LSTM1997Cell


class _Axes(NamedTuple):
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
    axes = _Axes(len(rows), inputs.shape[0], inputs.shape[1], inputs.shape[2], outputs)
    order = groups.places(cell, outputs=outputs)
    given = {"weights": weights, "targets": targets, "starts": starts, "rates": np.array(rates, np.float64)}
    _check(cell, axes, order=order, given=given, inputs=inputs, rows=rows)
    R, _, T, n, _ = axes
    if R == 0:
        return np.empty((0, n, outputs))
    count, one_hot = -(-R // WIDTH), inputs.ndim == 3
    along = time_loop.Flow(
        cell="cell" in flow.paths,
        gates="gates" in flow.paths,
        block_input="block_input" in flow.paths,
        earliest=flow.windows(T)[-1].start,
    )
    sizes = groups.Sizes(cell.blocks, cell.hidden_size, cell.hidden_size + 2 * cell.blocks, cell.features, outputs, T)
    packed = groups.pack(cell, weights, order=order, one_hot=one_hot)
    data = time_loop.Data(
        dense=np.zeros((1, 1, 0, 1), np.float32) if one_hot else np.require(inputs, np.float32, ["C", "W"]),
        indices=np.require(inputs, np.int64, ["C", "W"]) if one_hot else np.zeros((1, 1, 0), np.int64),
        starts=np.require(starts, np.int64, ["C", "W"]),  # another layout would be compiled anew
        targets=np.require(targets, np.float64, ["C", "W"]),
    )
    nets = np.empty((R, n, outputs))
    rates_ = np.zeros((count, 1, WIDTH))
    rates_.reshape(-1)[:R] = given["rates"]
    rows_ = np.array(rows, np.int64)

    def run(part: tuple[int, int], scratch: groups.Scratch) -> None:
        time_loop.train(part, sizes, cell.biases, along, packed, rates_, rows_, data, nets, scratch)

    for_each_range(
        run, count, work=R * n * T * sizes.units**2, prepare=lambda: groups.make_scratch(sizes, one_hot=one_hot)
    )
    groups.unpack(packed, weights, order=order)
    return nets


def _check(
    cell: "LSTM1997Cell",
    axes: _Axes,
    *,
    order: Sequence[Integers],
    given: Mapping[str, NDArray[Any]],
    inputs: NDArray[np.float32] | Integers,
    rows: Sequence[int],
) -> None:
    """Refuse what the time loop, which checks no bounds, cannot take."""
    R, D, T, n, outputs = axes
    of_inputs = ("int64", (D, T, n)) if inputs.ndim == 3 else ("float32", (D, T, n, cell.features))
    expected = {
        "weights": ("float64", (R, sum(part.size for part in order))),
        "inputs": of_inputs,
        "targets": ("float64", (D, n, outputs)),
        "starts": ("int64", (D, n)),
        "rates": ("float64", (R,)),
    }
    for name, (dtype, shape) in expected.items():
        array = inputs if name == "inputs" else given[name]
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(f"{name} must be {dtype} {shape}; came: {array.dtype} {array.shape}")
    for name, array, bound in (("rows", np.array(rows), D), ("starts", given["starts"], T)):
        if array.size and not 0 <= array.min() <= array.max() < bound:
            raise ValueError(f"{name} must be from 0 to {bound - 1}; came: {array.min()} to {array.max()}")
    if inputs.ndim == 3 and inputs.size and inputs.max() >= cell.features:
        raise ValueError(f"inputs must be indices below {cell.features}; came: {inputs.max()}")
