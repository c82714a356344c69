"""Elementwise parts of the fused CPU kernel: tanh and sigmoid, and the cells' steps, forward and backward.

All arrays of a step are feature-major: row j of (H, B) holds unit j of the B sequences, so that 16 sequences are one
vector. numba, float32; B is a multiple of 16 here.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels.compilation import inlined
from models.kernels.lanes import (
    WIDTH,
    Array,
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
from models.kernels.vectors import Lanes

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


# One step of the LSTM. a: activations (G H, B), blocks i f z o without those that have no weights; net inputs on entry.
# p: peepholes (3, H) of i f o; state (N, B): h and, with gate recurrence, the gates that have weights. The equations
# are those of models/lstm.py and of its gradient flow.


class Switches(NamedTuple):
    """Which gates of an LSTM have weights, and what else distinguishes its variants."""

    i: bool = True
    f: bool = True
    o: bool = True
    coupled: bool = False
    linear_input: bool = False
    linear_output: bool = False
    gate_recurrence: bool = False


VANILLA = Switches()


@inlined
def lstm_forward(a: Array, p: Array, peepholes: bool, has: Switches, c_old: Array, c: Array, state: Array) -> None:
    """Turn net inputs into activations, c(t) and the state's h(t) and gates."""
    H, B = c.shape
    F = H if has.i else 0
    Z = F + H if has.f else F
    O = Z + H
    for j in range(H):
        p_i, p_f, p_o = p[0, j], p[1, j], p[2, j]
        for b in range(0, B, WIDTH):
            before, z = load(c_old, j, b), load(a, Z + j, b)
            net_i = load(a, j, b) if has.i else spread(ZERO)
            net_f = load(a, F + j, b) if has.f else spread(ZERO)
            net_o = load(a, O + j, b) if has.o else spread(ZERO)
            if peepholes:
                net_i += p_i * before
                net_f += p_f * before
            i = sigmoid(net_i) if has.i else spread(ONE)
            z = z if has.linear_input else tanh(z)
            f = sigmoid(net_f) if has.f else ONE - i if has.coupled else spread(ONE)
            new = f * before + i * z
            if peepholes:
                net_o += p_o * new
            o = sigmoid(net_o) if has.o else spread(ONE)
            if has.i:
                store(a, j, b, i)
            if has.f:
                store(a, F + j, b, f)
            store(a, Z + j, b, z)
            if has.o:
                store(a, O + j, b, o)
            store(c, j, b, new)
            store(state, j, b, o * (new if has.linear_output else tanh(new)))
            if has.gate_recurrence:
                if has.i:
                    store(state, H + j, b, i)
                if has.f:
                    store(state, H + F + j, b, f)
                if has.o:
                    store(state, H + Z + j, b, o)


@inlined
def lstm_backward(
    a: Array,
    p: Array,
    peepholes: bool,
    has: Switches,
    paths: NDArray[np.bool_],
    is_silent: bool,
    c_old: Array,
    c: Array,
    dstate: Array,
    dc: Array,
    dnet: Array,
    dp: Array,
) -> None:
    """Turn the error of the state and eps_c, in `dc`, into net-input errors; leave eps_c(t-1) in `dc`.

    Adds to dp (3 H, B). `paths` says which of cell, peepholes, output_peephole carry error; where `is_silent`, none
    reaches the state.
    """
    H, B = dc.shape
    F = H if has.i else 0
    Z = F + H if has.f else F
    O = Z + H
    cell, into_gates, into_output = paths[0], paths[1], paths[2]
    for j in range(H):
        p_i, p_f, p_o = p[0, j], p[1, j], p[2, j]
        for b in range(0, B, WIDTH):
            z, new, before = load(a, Z + j, b), load(c, j, b), load(c_old, j, b)
            i = load(a, j, b) if has.i else spread(ONE)
            f = load(a, F + j, b) if has.f else ONE - i if has.coupled else spread(ONE)
            of_i = of_f = of_o = spread(ZERO)
            of_c = load(dc, j, b)
            if not is_silent:
                of_h = load(dstate, j, b)
                o = load(a, O + j, b) if has.o else spread(ONE)
                y = new if has.linear_output else tanh(new)
                of_c += of_h * o if has.linear_output else of_h * o * (ONE - y * y)
                if has.o:
                    of_o = of_h * y
                    if has.gate_recurrence:
                        of_o += load(dstate, H + Z + j, b)
                    of_o = of_o * o * (ONE - o)
                    if into_output:
                        of_c += p_o * of_o
            if has.o:
                store(dnet, O + j, b, of_o)
            if has.i:
                of_i = of_c * (z - before) if has.coupled else of_c * z
                if has.gate_recurrence:
                    of_i += load(dstate, H + j, b)
                of_i = of_i * i * (ONE - i)
                store(dnet, j, b, of_i)
            if has.f:
                of_f = of_c * before
                if has.gate_recurrence:
                    of_f += load(dstate, H + F + j, b)
                of_f = of_f * f * (ONE - f)
                store(dnet, F + j, b, of_f)
            store(dnet, Z + j, b, of_c * i if has.linear_input else of_c * i * (ONE - z * z))
            eps = f * of_c if cell else spread(ZERO)
            if into_gates:
                eps += p_i * of_i + p_f * of_f
            store(dc, j, b, eps)
            if peepholes:
                if has.i:
                    store(dp, j, b, load(dp, j, b) + of_i * before)
                if has.f:
                    store(dp, H + j, b, load(dp, H + j, b) + of_f * before)
                if has.o and not is_silent:
                    store(dp, 2 * H + j, b, load(dp, 2 * H + j, b) + of_o * new)
