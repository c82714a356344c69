"""The fused time loop of one replica, forward and backward, for the RNN and the LSTM.

One step is one matrix product and one elementwise pass. The source s(t) = [h(t-1); x(t); 1] (K, B) stacks what the net
inputs come from, K = H + features + 1, so that M (K, G H), [U; W; b] of the G blocks, gives them in one product, and
the weight gradients, W, U and b alike, come from one sum over many steps. Arrays with the sequences as
their last axis have P columns there, B rounded up to a multiple of 16; what stands in the others reaches no result.
numba, float32.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels.compilation import compiled, inlined
from models.kernels.elementwise import ZERO, Array, lstm_backward, lstm_forward, rnn_backward, rnn_forward
from models.kernels.lanes import WIDTH, prefetch
from models.kernels.products import add_correlation, product, product_of_transposed
from models.kernels.transposition import add_transposed, write_transposed

RNN, LSTM, LSTM_WITHOUT_FORGET_GATE = 0, 1, 2
COLUMNS = 256
"""Columns (steps times sequences) that one sum of weight gradients goes over: both its factors stay in the cache."""
APART = 4
"""Rows between the errors of two steps: at a distance of a power of two they would evict each other from the cache."""


AHEAD = 2
"""Steps that the backward pass asks for in advance: what it needs was written long ago, and lies far away."""


class Kept(NamedTuple):
    """What the backward pass needs of the steps from `begin` on: K + G H + H numbers per step and column.

    `steps` is T - begin, or 1 if there will be no backward pass.
    """

    s: Array  # (steps + 1, K, P); h(t) lies in s[t + 1 - begin, :H]
    a: Array  # (steps, G H, P), activations
    c: Array  # (steps + 1, H, P), or (1, 1, 1) of an RNN


class Errors(NamedTuple):
    """Derivatives of the loss with respect to what `forward` returns."""

    h: Array  # (T - first, B, H)
    last_h: Array  # (H, P)
    last_c: Array  # (H, P)


class Gradients(NamedTuple):
    """Derivatives of the loss with respect to what `forward` takes."""

    M: Array  # (K, G H)
    p: Array  # (3 H, P), per sequence
    h0: Array  # (H, P)
    c0: Array  # (H, P)
    x: Array  # (T, features, P), or (0, 1, 1) if it is not wanted


class Scratch(NamedTuple):
    """Where the backward pass works."""

    errors: Array  # (steps, G H + 4, P): net-input errors of the last steps
    Mh: Array  # (H, G H): recurrent weights of the blocks whose path from h(t-1) is open, zero elsewhere
    Mx: Array  # (features, G H): input weights
    total: Array  # (H, P)
    eps: Array  # (H, P)
    dc: Array  # (H, P)
    dx: Array  # (features, P)


@inlined
def _fetch(rows: Array) -> None:
    for row in range(rows.shape[0]):
        for column in range(0, rows.shape[1], WIDTH):
            prefetch(rows, row, column)


@compiled
def _forward(
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

    M (K, G H), p (3, H), x (T, B, features), starts (B,), h0 and c0 (H, P). A sequence's state stays (h0, c0) before
    its start. Steps before `begin` take turns in the first two places of `kept` (one of `a`), and the state at `begin`
    is in place 0.
    """
    s, a, c = kept
    T, B, features = x.shape
    H, P = h0.shape
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
        s[old, H + features, :B] = 1
        if B < P:
            s[old, H:, B:] = 0
        product_of_transposed(M, s[old], a[at])
        h = s[new, :H]
        if kind == RNN:
            rnn_forward(a[at], h)
        else:
            lstm_forward(a[at], p, peepholes, kind == LSTM, c[old], c[new], h)
        if B < P:
            h[:, B:] = 0
        if t < ragged:
            for b in range(B):
                if t < starts[b]:
                    h[:, b] = h0[:, b]
                    if kind != RNN:
                        c[new, :, b] = c0[:, b]
        if t >= first:
            write_transposed(h, B, outputs[t - first])
        old = new


@compiled
def _backward(
    kind: int,
    peepholes: bool,
    paths: NDArray[np.bool_],
    is_open: NDArray[np.bool_],
    M: Array,
    p: Array,
    starts: NDArray[np.int64],
    windows: NDArray[np.int64],
    first: int,
    begin: int,
    kept: Kept,
    of_outputs: Errors,
    gradients: Gradients,
    scratch: Scratch,
) -> None:
    """Send the error of one replica back along the paths and windows, and add it to `gradients`.

    `paths` (3,) as in `lstm_backward`; `is_open` (G H,): whether the path from h(t-1) to this net input carries error;
    windows (n, 3): start, losses, end; no start before `begin`.
    """
    s, a, c = kept
    dh, dlast_h, dlast_c = of_outputs
    dM, dp, dh0, dc0, dx = gradients
    errors, Mh, Mx, total, eps, dc, dx_t = scratch
    H, GH = Mh.shape
    for j in range(H):
        for g in range(GH):
            Mh[j, g] = M[j, g] if is_open[g] else ZERO
    Mx[:] = M[H:-1]
    B, P = dh.shape[1], eps.shape[1]
    T = windows[-1, 2]
    recurrent = is_open.any()
    steps = errors.shape[0]
    ragged = starts.max()

    for w in range(windows.shape[0] - 1, -1, -1):
        start, losses, end = windows[w]
        slot = steps
        if end == T:
            eps[:] = dlast_h
            dc[:] = dlast_c
        else:
            eps[:] = ZERO
            dc[:] = ZERO
        for t in range(end - 1, start - 1, -1):
            at = t - begin
            soon = max(at - AHEAD, 0)
            _fetch(s[soon])
            _fetch(a[soon])
            if kind != RNN:
                _fetch(c[soon])
            total[:] = eps
            if t >= losses and t >= first:
                add_transposed(dh[t - first], total)
            if t < ragged:
                for b in range(B):
                    if t < starts[b]:
                        for j in range(H):
                            dh0[j, b] += total[j, b]
                            dc0[j, b] += dc[j, b]
                            total[j, b] = ZERO
                            dc[j, b] = ZERO
            slot -= 1
            dnet = errors[slot, :GH]
            if kind == RNN:
                rnn_backward(a[at], total, dnet)
            else:
                lstm_backward(a[at], p, peepholes, kind == LSTM, paths, c[at], c[at + 1], total, dc, dnet, dp)
            if B < P:
                dnet[:, B:] = ZERO
            if recurrent:
                product(Mh, dnet, eps)
            else:
                eps[:] = ZERO
            if dx.shape[0]:
                product(Mx, dnet, dx_t)
                dx[t] += dx_t
            if slot == 0 or t == start:
                add_correlation(s[at:], errors[slot:], steps - slot, dM)
                slot = steps
        if start == 0:
            dh0 += eps
            dc0 += dc


@compiled
def forward(
    replicas: tuple[int, int],
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
    """Run the replicas of a range; arrays as in `_forward`, with a leading replica axis."""
    for r in range(replicas[0], replicas[1]):
        part = Kept(kept.s[r], kept.a[r], kept.c[r])
        _forward(kind, peepholes, M[r], p[r], x[r], starts[r], h0[r], c0[r], first, begin, part, outputs[r])


@compiled
def backward(
    replicas: tuple[int, int],
    kind: int,
    peepholes: bool,
    paths: NDArray[np.bool_],
    is_open: NDArray[np.bool_],
    M: Array,
    p: Array,
    starts: NDArray[np.int64],
    windows: NDArray[np.int64],
    first: int,
    begin: int,
    kept: Kept,
    of_outputs: Errors,
    gradients: Gradients,
    scratch: Scratch,
) -> None:
    """Send the errors of the replicas of a range back; arrays as in `_backward`, with a leading replica axis."""
    for r in range(replicas[0], replicas[1]):
        part = Kept(kept.s[r], kept.a[r], kept.c[r])
        errors = Errors(of_outputs.h[r], of_outputs.last_h[r], of_outputs.last_c[r])
        of = gradients
        into = Gradients(of.M[r], of.p[r], of.h0[r], of.c0[r], of.x[r])
        _backward(
            kind, peepholes, paths, is_open, M[r], p[r], starts[r], windows, first, begin, part, errors, into, scratch
        )


@compiled
def multiply(M: Array, s: Array, out: Array) -> None:
    """Write M @ s of every replica: (R, n, m) times (R, m, P)."""
    for r in range(M.shape[0]):
        product(M[r], s[r], out[r])


@compiled
def correlate(x: Array, y: Array, out: Array) -> None:
    """Add x @ y.T of every replica to out: (R, n, P) and (R, m, P) to (R, n, m)."""
    for r in range(x.shape[0]):
        add_correlation(x[r : r + 1], y[r : r + 1], 1, out[r])
