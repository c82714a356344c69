"""The time loop of the 1997 network (models/lstm_1997.py) with its online updates: float64, one sequence per update.

Eight replicas are the lanes of a vector, each with its own weights and sequences. Units stand in the order y, i, o and
net inputs in the order z, i, o, so that U is square: C cells, K blocks, N = C + 2 K. An array of shape (a, b, 8) is one
of two axes here, (a b, 8).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels.compilation import compiled, inlined
from models.kernels.online_1997.double_lanes import (
    WIDTH,
    Array,
    load,
    multiply_add,
    sigmoid,
    spread,
    store,
    transpose,
    unless_above,
)
from models.kernels.online_1997.groups import Integers, Scratch, Sizes, Weights


class Flow(NamedTuple):
    """What the error does on its way back."""

    cell: bool
    gates: bool
    block_input: bool
    earliest: int
    """The first step that it reaches."""


class Data(NamedTuple):
    """The sequences of all data sets: `dense` or `indices` are the inputs, the other one has no sequence."""

    dense: NDArray[np.float32]  # (D, T, n, features)
    indices: Integers  # (D, T, n)
    starts: Integers  # (D, n)
    targets: Array  # (D, n, outputs)


@inlined
def _read(data: Data, rows: Integers, n: int, first: int, sizes: Sizes, w: Weights, scratch: Scratch) -> None:
    """Let the net inputs of the steps from `first` on begin with what no recurrence enters: x W + b."""
    N, features = sizes.units, w.W.shape[0] // sizes.units
    x, d, tile, vectors = scratch.x, scratch.d, scratch.tile, -(-N // WIDTH)
    for t in range(first, sizes.steps):
        if features:
            for k in range(features):
                for lane in range(rows.size):
                    running = t >= scratch.starts[0, lane]
                    x[t * features + k, lane] = data.dense[rows[lane], t, n, k] if running else 0.0
            for j in range(N):
                net = load(w.b, j)
                for k in range(features):
                    net = multiply_add(load(x, t * features + k), load(w.W, k * N + j), net)
                store(d, t * N + j, net)
        else:
            for part in range(vectors):
                for lane in range(rows.size):
                    index = data.indices[rows[lane], t, n]
                    row = (lane * sizes.features + index) * vectors + part
                    store(tile, lane, load(w.rows, row) if index >= 0 else spread(0.0))
                transpose(tile, 0, tile, 2 * WIDTH)
                for j in range(part * WIDTH, min((part + 1) * WIDTH, N)):
                    store(d, t * N + j, load(w.b, j) + load(tile, 2 * WIDTH + j - part * WIDTH))


@inlined
def _add_product(u: Array, of_u: int, U: Array, nets: Array, of_nets: int, N: int) -> None:
    """Add u U to the net inputs, rows from `of_u` and `of_nets` on; four at a time share the loads of u."""
    whole = N // 4 * 4
    for j in range(0, whole, 4):
        at = of_nets + j
        a, b, c, d = load(nets, at), load(nets, at + 1), load(nets, at + 2), load(nets, at + 3)
        for k in range(N):
            source, row = load(u, of_u + k), k * N + j
            a = multiply_add(source, load(U, row), a)
            b = multiply_add(source, load(U, row + 1), b)
            c = multiply_add(source, load(U, row + 2), c)
            d = multiply_add(source, load(U, row + 3), d)
        store(nets, at, a)
        store(nets, at + 1, b)
        store(nets, at + 2, c)
        store(nets, at + 3, d)
    for j in range(whole, N):
        net = load(nets, of_nets + j)
        for k in range(N):
            net = multiply_add(load(u, of_u + k), load(U, k * N + j), net)
        store(nets, of_nets + j, net)


@inlined
def _forward(first: int, latest: int, sizes: Sizes, w: Weights, scratch: Scratch) -> None:
    """Run the steps from `first` on; a state is zero before its sequence starts, which is at `latest` the latest."""
    K, C, N = sizes.blocks, sizes.cells, sizes.units
    u, s, starts = scratch.u, scratch.s, load(scratch.starts, 0)
    u[first * N : (first + 1) * N] = 0.0
    s[:] = 0.0
    for t in range(first, sizes.steps):
        before, after = t * N, (t + 1) * N
        _add_product(u, before, w.U, scratch.d, t * N, N)
        for j in range(N):
            activation = sigmoid(load(scratch.d, t * N + j))
            if j < C:
                store(scratch.z, t * C + j, activation)
            else:
                store(u, after + j, activation)
        for c in range(C):
            k = c * K // C
            new = load(s, c) + load(u, after + C + k) * (load(scratch.z, t * C + c) * 4.0 - 2.0)
            store(s, c, new)
            h = sigmoid(new)
            store(scratch.h, t * C + c, h)
            store(u, after + c, load(u, after + C + K + k) * (h * 2.0 - 1.0))
        if t < latest:
            for c in range(C):
                store(s, c, unless_above(starts, float(t), load(s, c), 0.0))
            for j in range(N):
                store(u, after + j, unless_above(starts, float(t), load(u, after + j), 0.0))


@inlined
def _answer(data: Data, rows: Integers, n: int, sizes: Sizes, w: Weights, scratch: Scratch, nets: Array) -> None:
    """Write the readout's net inputs at the last step, and begin the backward pass with their errors."""
    C, last = sizes.cells, sizes.steps * sizes.units
    u, du, dy = scratch.u, scratch.du, scratch.dy
    du[:] = 0.0
    scratch.ds[:] = 0.0
    for q in range(sizes.outputs):
        net = load(w.b_y, q)
        for c in range(C):
            net = multiply_add(load(u, last + c), load(w.V, q * C + c), net)
        y = sigmoid(net)
        store(dy, q, net)
        for lane in range(rows.size):
            nets[lane, n, q] = dy[q, lane]
        for lane in range(rows.size):
            dy[q, lane] = data.targets[rows[lane], n, q]
        error = (y - load(dy, q)) * y * (1.0 - y)
        store(dy, q, error)
        for c in range(C):
            store(du, c, multiply_add(error, load(w.V, q * C + c), load(du, c)))


@inlined
def _backward(first: int, flow: Flow, sizes: Sizes, w: Weights, scratch: Scratch) -> None:
    """Send the errors back to step `first`; d becomes that of the net inputs.

    Before a sequence starts its gates are zero, and so these errors are.
    """
    K, C, N = sizes.blocks, sizes.cells, sizes.units
    u, d, du, ds = scratch.u, scratch.d, scratch.du, scratch.ds
    recurrent = flow.gates or flow.block_input
    begin, end = 0 if flow.block_input else C, N if flow.gates else C
    for t in range(sizes.steps - 1, first - 1, -1):
        now, after = t * N, (t + 1) * N
        for k in range(K):
            i, o = load(u, after + C + k), load(u, after + C + K + k)
            di, do = load(du, C + k), load(du, C + K + k)
            for c in range(k * C // K, (k + 1) * C // K):
                z, h, dy = load(scratch.z, t * C + c), load(scratch.h, t * C + c), load(du, c)
                do = do + dy * (h * 2.0 - 1.0)
                of_s = load(ds, c) + dy * o * (h * (1.0 - h) * 2.0)
                di = di + of_s * (z * 4.0 - 2.0)
                store(d, now + c, of_s * i * (z * (1.0 - z) * 4.0))
                store(ds, c, of_s if flow.cell else spread(0.0))
            store(d, now + C + k, di * i * (1.0 - i))
            store(d, now + C + K + k, do * o * (1.0 - o))
        for k in range(N):
            total = spread(0.0)
            if recurrent:
                for j in range(begin, end):
                    total = multiply_add(load(w.U, k * N + j), load(d, now + j), total)
            store(du, k, total)


@inlined
def _correlate(sources: Array, count: int, first: int, sizes: Sizes, errors: Array, out: Array) -> None:
    """Write the sum over steps of each source (T count, 8) times each error (T N, 8) to out (count N, 8)."""
    N = sizes.units
    out[:] = 0.0
    for t in range(first, sizes.steps):
        for k in range(count):
            source = load(sources, t * count + k)
            for j in range(N):
                store(out, k * N + j, multiply_add(source, load(errors, t * N + j), load(out, k * N + j)))


@inlined
def _update(
    data: Data,
    rows: Integers,
    n: int,
    first: int,
    rates: Array,
    sizes: Sizes,
    biases: bool,
    w: Weights,
    scratch: Scratch,
) -> None:
    """Take the gradient times the rates from the weights."""
    C, N, last = sizes.cells, sizes.units, sizes.steps * sizes.units
    features = w.W.shape[0] // N
    d, tile, vectors, minus = scratch.d, scratch.tile, -(-N // WIDTH), load(rates, 0) * -1.0
    _correlate(scratch.u, N, first, sizes, d, scratch.dU)
    for k in range(N * N):
        store(w.U, k, multiply_add(minus, load(scratch.dU, k), load(w.U, k)))
    if features:
        _correlate(scratch.x, features, first, sizes, d, scratch.dW)
        for k in range(features * N):
            store(w.W, k, multiply_add(minus, load(scratch.dW, k), load(w.W, k)))
    else:
        for t in range(first, sizes.steps):
            for part in range(vectors):
                for j in range(part * WIDTH, min((part + 1) * WIDTH, N)):
                    store(tile, WIDTH + j - part * WIDTH, load(d, t * N + j))
                transpose(tile, WIDTH, tile, 2 * WIDTH)  # columns beyond N are nobody's
                for lane in range(rows.size):
                    index = data.indices[rows[lane], t, n]
                    if index >= 0:
                        row = (lane * sizes.features + index) * vectors + part
                        step = multiply_add(spread(-rates[0, lane]), load(tile, 2 * WIDTH + lane), load(w.rows, row))
                        store(w.rows, row, step)
    if biases:
        for j in range(N):
            total = spread(0.0)
            for t in range(first, sizes.steps):
                total = total + load(d, t * N + j)
            store(w.b, j, multiply_add(minus, total, load(w.b, j)))
    for q in range(sizes.outputs):
        error = minus * load(scratch.dy, q)
        for c in range(C):
            store(w.V, q * C + c, multiply_add(error, load(scratch.u, last + c), load(w.V, q * C + c)))
        if biases:
            store(w.b_y, q, load(w.b_y, q) + error)


@compiled
def train(
    groups: tuple[int, int],
    sizes: Sizes,
    biases: bool,
    flow: Flow,
    weights: Weights,
    rates: Array,
    rows: Integers,
    data: Data,
    nets: Array,
    scratch: Scratch,
) -> None:
    """Train the groups of a range on all sequences of their data sets, in order.

    Weights have a leading axis of groups; rates (groups, 1, 8); rows (R,): the data set of each replica; nets (R, n,
    outputs): the readout's net inputs at the last step, before the update. Lanes that are no replica have no weights.
    """
    for group in range(groups[0], groups[1]):
        own = Weights(
            weights.W[group],
            weights.rows[group],
            weights.U[group],
            weights.b[group],
            weights.V[group],
            weights.b_y[group],
        )
        begin, end = group * WIDTH, min((group + 1) * WIDTH, nets.shape[0])
        of_rows, of_nets = rows[begin:end], nets[begin:end]
        for n in range(data.starts.shape[1]):
            first, latest = sizes.steps, 0
            for lane in range(end - begin):
                start = data.starts[of_rows[lane], n]
                scratch.starts[0, lane] = start
                first, latest = min(first, start), max(latest, start)
            _read(data, of_rows, n, first, sizes, own, scratch)
            _forward(first, latest, sizes, own, scratch)
            _answer(data, of_rows, n, sizes, own, scratch, of_nets)
            first = max(first, flow.earliest)
            _backward(first, flow, sizes, own, scratch)
            _update(data, of_rows, n, first, rates[group], sizes, biases, own, scratch)
