"""Elementwise parts of the fused CPU kernel: tanh and sigmoid, and the cells' steps, forward and backward.

All arrays of a step are feature-major: row j of (H, B) holds unit j of the B sequences, so that 16 sequences are one
vector. numba, float32; B is a multiple of 16 here.
"""

import numpy as np
from numpy.typing import NDArray

from models.kernels.compilation import inlined
from models.kernels.lanes import (
    WIDTH,
    Array,
    Lanes,
    absolute,
    at_least,
    at_most,
    load,
    power_of_two,
    spread,
    store,
    with_sign_of,
    zero_below,
)

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
def _reduced(x: Lanes) -> tuple[Lanes, Lanes]:
    """Return (p, 2^k) with x = k ln 2 + r and p = exp(r) - 1."""
    shifted = x * LOG2_E + ROUND
    k = shifted - ROUND
    r = x - k * LN2_HIGH
    r = r - k * LN2_LOW
    q = ((((Q5 * r + Q4) * r + Q3) * r + Q2) * r + Q1) * r + Q0
    return q * r * r + r, power_of_two(shifted)


@inlined
def tanh(x: Lanes) -> Lanes:
    """Return tanh(x) = (e^2x - 1) / (e^2x + 1), from exp(y) - 1 so that it is exact to a few ulp near zero."""
    p, scale = _reduced(TWO * at_most(absolute(x), TANH_END))
    e = p * scale + (scale - ONE)
    return with_sign_of(e / (e + TWO), x)


@inlined
def sigmoid(x: Lanes) -> Lanes:
    """Return 1 / (1 + e^-x)."""
    p, scale = _reduced(at_least(at_most(ZERO - x, SIGMOID_END), -SIGMOID_END))
    return zero_below(x, -SIGMOID_END, ONE / (ONE + (p * scale + scale)))


# One step of the RNN. a: activations (H, B), net inputs on entry.


@inlined
def rnn_forward(a: Array, h: Array) -> None:
    """Turn net inputs into h(t) = tanh(net)."""
    H, B = h.shape
    for j in range(H):
        for b in range(0, B, WIDTH):
            new = tanh(load(a, j, b))
            store(a, j, b, new)
            store(h, j, b, new)


@inlined
def rnn_backward(a: Array, dh: Array, dnet: Array) -> None:
    """Turn dL/dh(t) into the error of the net inputs."""
    H, B = dh.shape
    for j in range(H):
        for b in range(0, B, WIDTH):
            h = load(a, j, b)
            store(dnet, j, b, load(dh, j, b) * (ONE - h * h))


# One step of the LSTM. a: activations (G H, B), blocks i f z o, or i z o without a forget gate; net inputs on entry.
# p: peepholes (3, H) of i f o; the equations are those of models/lstm.py and of its gradient flow.


@inlined
def lstm_forward(a: Array, p: Array, peepholes: bool, forget_gate: bool, c_old: Array, c: Array, h: Array) -> None:
    """Turn net inputs into activations, c(t) and h(t)."""
    H, B = h.shape
    F = H
    Z = 2 * H if forget_gate else H
    O = Z + H
    for j in range(H):
        p_i, p_f, p_o = p[0, j], p[1, j], p[2, j]
        for b in range(0, B, WIDTH):
            before = load(c_old, j, b)
            net_i, net_f, net_o = load(a, j, b), load(a, F + j, b), load(a, O + j, b)
            if peepholes:
                net_i += p_i * before
                net_f += p_f * before
            i, z = sigmoid(net_i), tanh(load(a, Z + j, b))
            f = sigmoid(net_f) if forget_gate else spread(ONE)
            new = f * before + i * z
            if peepholes:
                net_o += p_o * new
            o = sigmoid(net_o)
            store(a, j, b, i)
            if forget_gate:
                store(a, F + j, b, f)
            store(a, Z + j, b, z)
            store(a, O + j, b, o)
            store(c, j, b, new)
            store(h, j, b, o * tanh(new))


@inlined
def lstm_backward(
    a: Array,
    p: Array,
    peepholes: bool,
    forget_gate: bool,
    paths: NDArray[np.bool_],
    c_old: Array,
    c: Array,
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
        p_i, p_f, p_o = p[0, j], p[1, j], p[2, j]
        for b in range(0, B, WIDTH):
            i, z, o, new, before = load(a, j, b), load(a, Z + j, b), load(a, O + j, b), load(c, j, b), load(c_old, j, b)
            f = load(a, F + j, b) if forget_gate else spread(ONE)
            squashed, of_h = tanh(new), load(dh, j, b)
            of_o = of_h * squashed * o * (ONE - o)
            of_c = load(dc, j, b) + of_h * o * (ONE - squashed * squashed)
            if into_output:
                of_c += p_o * of_o
            of_i = of_c * z * i * (ONE - i)
            of_f = of_c * before * f * (ONE - f)
            store(dnet, O + j, b, of_o)
            store(dnet, j, b, of_i)
            store(dnet, Z + j, b, of_c * i * (ONE - z * z))
            if forget_gate:
                store(dnet, F + j, b, of_f)
            eps = f * of_c if cell else spread(ZERO)
            if into_gates:
                eps += p_i * of_i + p_f * of_f
            store(dc, j, b, eps)
            if peepholes:
                store(dp, j, b, load(dp, j, b) + of_i * before)
                store(dp, H + j, b, load(dp, H + j, b) + of_f * before)
                store(dp, 2 * H + j, b, load(dp, 2 * H + j, b) + of_o * new)
