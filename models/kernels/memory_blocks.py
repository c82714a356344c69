"""The time loop of the 1997 network (models/lstm_1997.py) with its online updates: float64, one sequence per update.

Units in the order y, i, o, and net inputs in the order z, i, o, so that U is square: C cells, K blocks, N = C + 2 K.
A range of replicas after another, one sequence after another: forward, error at the last step, backward, update.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels.compilation import compiled, inlined

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


class Flow(NamedTuple):
    """What the error does on its way back."""

    cell: bool
    gates: bool
    block_input: bool
    earliest: int
    """The first step that it reaches."""


class Weights(NamedTuple):
    """The weights of all replicas; biases that the network has not are zero and stay so."""

    W: Array  # (R, features, N)
    U: Array  # (R, N, N)
    b: Array  # (R, N)
    V: Array  # (R, C, outputs)
    b_y: Array  # (R, outputs)


class Data(NamedTuple):
    """The sequences of all data sets: `dense` or `indices` are the inputs, the other has no sequence."""

    dense: NDArray[np.float32]  # (D, T, n, features)
    indices: Integers  # (D, T, n)
    starts: Integers  # (D, n)
    targets: Array  # (D, n, outputs)


class Scratch(NamedTuple):
    """What one sequence needs: activations of each step and errors of its net inputs."""

    u: Array  # (T + 1, N): y, i, o; row t is before step t
    of_z: Array  # (T, C): sigmoid(z)
    of_s: Array  # (T, C): sigmoid(s)
    nets: Array  # (T, N): net inputs, later their errors
    s: Array  # (C,)
    du: Array  # (N,): error of u
    ds: Array  # (C,): error of s
    dy: Array  # (outputs,): error of the readout's net inputs
    dU: Array  # (N, N)


@inlined
def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


@compiled
def train(
    replicas: tuple[int, int],
    blocks: int,
    biases: bool,
    flow: Flow,
    weights: Weights,
    rates: Array,
    rows: Integers,
    data: Data,
    nets: Array,
    scratch: Scratch,
) -> None:
    """Train the replicas of a range on all sequences of their data sets; nets (R, n, outputs) is what they answer."""
    cells = weights.V.shape[1]
    size, N, outputs = cells // blocks, weights.U.shape[1], weights.V.shape[2]
    features = weights.W.shape[1]
    u, of_z, of_s, d, s, du, ds, dy, dU = scratch
    T = of_z.shape[0]
    one_hot = data.indices.shape[2] > 0
    for r in range(replicas[0], replicas[1]):
        W, U, b, V, b_y = weights.W[r], weights.U[r], weights.b[r], weights.V[r], weights.b_y[r]
        rate, row = rates[r], rows[r]
        for n in range(data.starts.shape[1]):
            start = data.starts[row, n]
            # forward
            u[start] = 0.0
            s[:] = 0.0
            for t in range(start, T):
                net, before, after = d[t], u[t], u[t + 1]
                if one_hot:
                    index = data.indices[row, t, n]
                    for j in range(N):
                        net[j] = b[j] + W[index, j] if index >= 0 else b[j]
                else:
                    net[:] = b
                    for k in range(features):
                        x = np.float64(data.dense[row, t, n, k])
                        for j in range(N):
                            net[j] += x * W[k, j]
                for k in range(N):
                    for j in range(N):
                        net[j] += before[k] * U[k, j]
                for j in range(cells, N):
                    after[j] = _sigmoid(net[j])
                for j in range(cells):
                    block = j // size
                    of_z[t, j] = _sigmoid(net[j])
                    s[j] += after[cells + block] * (4.0 * of_z[t, j] - 2.0)
                    of_s[t, j] = _sigmoid(s[j])
                    after[j] = after[cells + blocks + block] * (2.0 * of_s[t, j] - 1.0)
            # readout and its error
            du[:] = 0.0
            ds[:] = 0.0
            for q in range(outputs):
                total = b_y[q]
                for j in range(cells):
                    total += u[T, j] * V[j, q]
                nets[r, n, q] = total
                y = _sigmoid(total)
                dy[q] = (y - data.targets[row, n, q]) * y * (1.0 - y)
                for j in range(cells):
                    du[j] += dy[q] * V[j, q]
            # backward
            dU[:] = 0.0
            first = max(start, flow.earliest)
            for t in range(T - 1, first - 1, -1):
                after, dnet = u[t + 1], d[t]
                for k in range(blocks):
                    i, o = after[cells + k], after[cells + blocks + k]
                    di, do = du[cells + k], du[cells + blocks + k]
                    for j in range(k * size, (k + 1) * size):
                        z, h = of_z[t, j], of_s[t, j]
                        do += du[j] * (2.0 * h - 1.0)
                        ds[j] += du[j] * o * (2.0 * h * (1.0 - h))
                        di += ds[j] * (4.0 * z - 2.0)
                        dnet[j] = ds[j] * i * (4.0 * z * (1.0 - z))
                        if not flow.cell:
                            ds[j] = 0.0
                    dnet[cells + k] = di * i * (1.0 - i)
                    dnet[cells + blocks + k] = do * o * (1.0 - o)
                for k in range(N):
                    total = 0.0
                    if flow.block_input:
                        for j in range(cells):
                            total += U[k, j] * dnet[j]
                    if flow.gates:
                        for j in range(cells, N):
                            total += U[k, j] * dnet[j]
                    du[k] = total
                    for j in range(N):
                        dU[k, j] += u[t, k] * dnet[j]
            # update
            for t in range(first, T):
                if biases:
                    for j in range(N):
                        b[j] -= rate * d[t, j]
                if one_hot:
                    index = data.indices[row, t, n]
                    if index >= 0:
                        for j in range(N):
                            W[index, j] -= rate * d[t, j]
                else:
                    for k in range(features):
                        x = np.float64(data.dense[row, t, n, k])
                        for j in range(N):
                            W[k, j] -= rate * x * d[t, j]
            for k in range(N):
                for j in range(N):
                    U[k, j] -= rate * dU[k, j]
            for q in range(outputs):
                for j in range(cells):
                    V[j, q] -= rate * u[T, j] * dy[q]
                if biases:
                    b_y[q] -= rate * dy[q]
