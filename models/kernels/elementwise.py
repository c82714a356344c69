"""Elementwise parts of the fused CPU kernel: tanh and sigmoid that vectorise; the cells' steps, forward and backward.

All arrays of a step are feature-major: row j of (H, B) holds unit j of the B sequences, so that every inner loop runs
over contiguous memory, writes one array, and vectorises. numba, float32.
"""

import numpy as np
from numpy.typing import NDArray

from models.kernels.compilation import inlined

Array = NDArray[np.float32]

LOG2_E = np.float32(1.44269504)
LN2_HIGH = np.float32(0.693359375)  # 9 bits: k times it is exact
LN2_LOW = np.float32(-2.12194440e-4)
ROUND = np.float32(12582912.0)  # 1.5 * 2^23: adding it rounds to an integer
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
TANH_END = np.float32(9.02)  # tanh is 1 beyond it in float32
SIGMOID_END = np.float32(88.3)  # sigmoid is denormal below its negative
# exp(r) = 1 + r + r^2 q(r) for |r| <= ln(2) / 2
Q0, Q1, Q2, Q3, Q4, Q5 = (
    np.float32(c) for c in (0.5, 1.6666665e-1, 4.1665795e-2, 8.3334519e-3, 1.3981999e-3, 1.9875691e-4)
)


@inlined
def _reduced(x: np.float32) -> tuple[np.float32, np.float32]:
    """Return (p, 2^k) with x = k ln 2 + r and p = exp(r) - 1."""
    shifted = x * LOG2_E + ROUND
    k = shifted - ROUND
    r = x - k * LN2_HIGH
    r = r - k * LN2_LOW
    q = ((((Q5 * r + Q4) * r + Q3) * r + Q2) * r + Q1) * r + Q0
    p = q * r * r + r
    scale = np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    return p, scale


@inlined
def tanh(x: np.float32) -> np.float32:
    """Return tanh(x) = (e^2x - 1) / (e^2x + 1), from exp(y) - 1 so that it is exact to a few ulp near zero."""
    a = abs(x)
    a = TANH_END if a > TANH_END else a
    p, scale = _reduced(TWO * a)
    e = p * scale + (scale - ONE)
    y = e / (e + TWO)
    return np.copysign(y, x)


@inlined
def sigmoid(x: np.float32) -> np.float32:
    """Return 1 / (1 + e^-x)."""
    a = -x
    a = SIGMOID_END if a > SIGMOID_END else a
    a = -SIGMOID_END if a < -SIGMOID_END else a
    p, scale = _reduced(a)
    y = ONE / (ONE + (p * scale + scale))
    return ZERO if x < -SIGMOID_END else y


# One step of the RNN. a: activations (H, B), net inputs on entry.


@inlined
def rnn_forward(a: Array, h: Array) -> None:
    """Turn net inputs into h(t) = tanh(net)."""
    H, B = h.shape
    for j in range(H):
        for b in range(B):
            a[j, b] = tanh(a[j, b])
        for b in range(B):
            h[j, b] = a[j, b]


@inlined
def rnn_backward(a: Array, dh: Array, dnet: Array) -> None:
    """Turn dL/dh(t) into the error of the net inputs."""
    H, B = dh.shape
    for j in range(H):
        for b in range(B):
            dnet[j, b] = dh[j, b] * (ONE - a[j, b] * a[j, b])


# One step of the LSTM. a: activations (G H, B), blocks i f z o, or i z o without a forget gate; net inputs on entry.
# p: peepholes (3, H) of i f o; the equations are those of models/lstm.py and of its gradient flow.


@inlined
def lstm_forward(
    a: Array, p: Array, peepholes: bool, forget_gate: bool, c_old: Array, c: Array, tanh_c: Array, h: Array
) -> None:
    """Turn net inputs into activations, c(t), tanh(c(t)) and h(t)."""
    H, B = h.shape
    F = H
    Z = 2 * H if forget_gate else H
    O = Z + H
    for j in range(H):
        if peepholes:
            p_i, p_f, p_o = p[0, j], p[1, j], p[2, j]
            for b in range(B):
                a[j, b] += p_i * c_old[j, b]
            if forget_gate:
                for b in range(B):
                    a[F + j, b] += p_f * c_old[j, b]
        for b in range(B):
            a[j, b] = sigmoid(a[j, b])
        for b in range(B):
            a[Z + j, b] = tanh(a[Z + j, b])
        if forget_gate:
            for b in range(B):
                a[F + j, b] = sigmoid(a[F + j, b])
            for b in range(B):
                c[j, b] = a[F + j, b] * c_old[j, b] + a[j, b] * a[Z + j, b]
        else:
            for b in range(B):
                c[j, b] = c_old[j, b] + a[j, b] * a[Z + j, b]
        if peepholes:
            for b in range(B):
                a[O + j, b] += p_o * c[j, b]
        for b in range(B):
            a[O + j, b] = sigmoid(a[O + j, b])
        for b in range(B):
            tanh_c[j, b] = tanh(c[j, b])
        for b in range(B):
            h[j, b] = a[O + j, b] * tanh_c[j, b]


@inlined
def lstm_backward(
    a: Array,
    p: Array,
    peepholes: bool,
    forget_gate: bool,
    paths: NDArray[np.bool_],
    c_old: Array,
    c: Array,
    tanh_c: Array,
    dh: Array,
    dc: Array,
    dnet: Array,
    dp: Array,
) -> None:
    """Turn dL/dh(t) and eps_c, in `dc`, into net-input errors, leave eps_c(t-1) in `dc`, and add to dp (3 H, B).

    `paths` says which of cell, peepholes, output_peephole carry error.
    """
    H, B = dh.shape
    F = H
    Z = 2 * H if forget_gate else H
    O = Z + H
    cell, into_gates, into_output = paths[0], paths[1], paths[2]
    for j in range(H):
        for b in range(B):
            o = a[O + j, b]
            dnet[O + j, b] = dh[j, b] * tanh_c[j, b] * o * (ONE - o)
        for b in range(B):
            dc[j, b] += dh[j, b] * a[O + j, b] * (ONE - tanh_c[j, b] * tanh_c[j, b])
        if into_output:
            for b in range(B):
                dc[j, b] += p[2, j] * dnet[O + j, b]
        for b in range(B):
            i = a[j, b]
            dnet[j, b] = dc[j, b] * a[Z + j, b] * i * (ONE - i)
        for b in range(B):
            z = a[Z + j, b]
            dnet[Z + j, b] = dc[j, b] * a[j, b] * (ONE - z * z)
        if forget_gate:
            for b in range(B):
                f = a[F + j, b]
                dnet[F + j, b] = dc[j, b] * c_old[j, b] * f * (ONE - f)
        if peepholes:
            for b in range(B):
                dp[j, b] += dnet[j, b] * c_old[j, b]
            for b in range(B):
                dp[2 * H + j, b] += dnet[O + j, b] * c[j, b]
            if forget_gate:
                for b in range(B):
                    dp[H + j, b] += dnet[F + j, b] * c_old[j, b]
        if not cell:
            for b in range(B):
                dc[j, b] = ZERO
        elif forget_gate:
            for b in range(B):
                dc[j, b] *= a[F + j, b]
        if into_gates:
            for b in range(B):
                dc[j, b] += p[0, j] * dnet[j, b]
            if forget_gate:
                for b in range(B):
                    dc[j, b] += p[1, j] * dnet[F + j, b]
