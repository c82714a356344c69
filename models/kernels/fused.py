"""The fused time loop of one replica, forward and backward, for the RNN and the LSTM.

One step is one matrix product and one elementwise pass. The source s(t) = [h(t-1); x(t); 1] (K, B) stacks what the net
inputs come from, K = H + features + 1, so that M (G H, K), the transposed [U; W; b] of the G blocks, gives them in one
product, and the weight gradients, W, U and b alike, come from one product over many steps. numba, float32.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels.compilation import compiled
from models.kernels.elementwise import ZERO, Array, lstm_backward, lstm_forward, rnn_backward, rnn_forward

RNN, LSTM, LSTM_WITHOUT_FORGET_GATE = 0, 1, 2
COLUMNS = 512
"""Columns (steps times sequences) of a weight-gradient product: enough to reach the speed of large ones."""


class Kept(NamedTuple):
    """What the backward pass needs of the steps from `begin` on: K + G H + 2 H numbers per step and sequence."""

    s: Array  # (T - begin + 1, K, B); h(t) lies in s[t + 1 - begin, :H]
    a: Array  # (T - begin, G H, B), activations
    c: Array  # (T - begin + 1, H, B), or (1, 1, 1) of an RNN
    tanh_c: Array  # (T - begin, H, B), or (1, 1, 1) of an RNN


class Errors(NamedTuple):
    """Derivatives of the loss with respect to what `forward` returns."""

    h: Array  # (T - first, B, H)
    last_h: Array  # (H, B)
    last_c: Array  # (H, B)


class Gradients(NamedTuple):
    """Derivatives of the loss with respect to what `forward` takes."""

    M: Array  # (G H, K)
    p: Array  # (3 H, B), per sequence
    h0: Array  # (H, B)
    c0: Array  # (H, B)
    x: Array  # (T, features, B), or (0, 1, 1) if it is not wanted


@compiled
def forward(
    kind: int,
    peepholes: bool,
    M: Array,
    p: Array,
    x: Array,
    starts: NDArray[np.int64],
    h0: Array,
    c0: Array,
    first: int,
    begin: int,
    kept: Kept,
    outputs: Array,
) -> None:
    """Run one replica: fill `outputs` (T - first, B, H) from step `first` on, and `kept` from step `begin` on.

    M (G H, K), p (3, H), x (T, B, features), starts (B,), h0 and c0 (H, B). A sequence's state stays (h0, c0) before
    its start. Steps before `begin` take turns in the first two places of `kept` (one of `a`, `tanh_c`), and the state
    at `begin` is in place 0.
    """
    s, a, c, tanh_c = kept
    T, B, features = x.shape
    H = h0.shape[0]
    old = begin % 2
    s[old, :H] = h0
    if kind != RNN:
        c[old] = c0
    ragged = starts.max()
    for t in range(T):
        at = max(t - begin, 0)
        new = t + 1 - begin if t >= begin else 1 - old
        for k in range(features):
            for b in range(B):
                s[old, H + k, b] = x[t, b, k]
        s[old, H + features, :] = 1
        np.dot(M, s[old], a[at])
        h = s[new, :H]
        if kind == RNN:
            rnn_forward(a[at], h)
        else:
            lstm_forward(a[at], p, peepholes, kind == LSTM, c[old], c[new], tanh_c[at], h)
        if t < ragged:
            for b in range(B):
                if t < starts[b]:
                    h[:, b] = h0[:, b]
                    if kind != RNN:
                        c[new, :, b] = c0[:, b]
        if t >= first:
            for b in range(B):
                for j in range(H):
                    outputs[t - first, b, j] = h[j, b]
        old = new


@compiled
def backward(
    kind: int,
    peepholes: bool,
    paths: NDArray[np.bool_],
    Mh: Array,
    Mx: Array,
    p: Array,
    starts: NDArray[np.int64],
    windows: NDArray[np.int64],
    first: int,
    begin: int,
    kept: Kept,
    of_outputs: Errors,
    gradients: Gradients,
) -> None:
    """Send the error of one replica back along the paths and windows, and add it to `gradients`.

    `paths` (3,) as in `lstm_backward`; Mh (H, G H): the recurrent weights of the blocks whose path from h(t-1) is open,
    zero elsewhere; Mx (features, G H): the input weights; windows (n, 3): start, losses, end; no start before `begin`.
    """
    s, a, c, tanh_c = kept
    dh, dlast_h, dlast_c = of_outputs
    dM, dp, dh0, dc0, dx = gradients
    _, K, B = s.shape
    H, GH = Mh.shape
    T = windows[-1, 2]
    recurrent = np.any(Mh != 0)
    steps = max(1, COLUMNS // B)
    eps = np.zeros((H, B), np.float32)
    total = np.zeros((H, B), np.float32)
    dc = np.zeros((H, B), np.float32)
    dnet = np.zeros((GH, B), np.float32)
    errors = np.zeros((GH, steps * B), np.float32)
    sources = np.zeros((K, steps * B), np.float32)
    product = np.zeros((GH, K), np.float32)
    ragged = starts.max()

    for w in range(windows.shape[0] - 1, -1, -1):
        start, losses, end = windows[w]
        filled = 0
        if end == T:
            eps[:] = dlast_h
            dc[:] = dlast_c
        else:
            eps[:] = ZERO
            dc[:] = ZERO
        for t in range(end - 1, start - 1, -1):
            at = t - begin
            total[:] = eps
            if t >= losses and t >= first:
                for j in range(H):
                    for b in range(B):
                        total[j, b] += dh[t - first, b, j]
            if t < ragged:
                for b in range(B):
                    if t < starts[b]:
                        for j in range(H):
                            dh0[j, b] += total[j, b]
                            dc0[j, b] += dc[j, b]
                            total[j, b] = ZERO
                            dc[j, b] = ZERO
            if kind == RNN:
                rnn_backward(a[at], total, dnet)
            else:
                forget_gate = kind == LSTM
                lstm_backward(
                    a[at], p, peepholes, forget_gate, paths, c[at], c[at + 1], tanh_c[at], total, dc, dnet, dp
                )
            if recurrent:
                np.dot(Mh, dnet, eps)
            else:
                eps[:] = ZERO
            if dx.shape[0]:
                dx[t] += np.dot(Mx, dnet)
            column = filled * B
            for j in range(GH):
                for b in range(B):
                    errors[j, column + b] = dnet[j, b]
            for k in range(K):
                for b in range(B):
                    sources[k, column + b] = s[at, k, b]
            filled += 1
            if filled == steps or t == start:
                errors[:, filled * B :] = ZERO
                np.dot(errors, sources.T, product)
                for j in range(GH):
                    for k in range(K):
                        dM[j, k] += product[j, k]
                filled = 0
        if start == 0:
            dh0 += eps
            dc0 += dc
