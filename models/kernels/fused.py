"""The fused time loop of one replica, forward and backward, for the RNN and the LSTM.

One step is one matrix product and one elementwise pass. The source s(t) = [h(t-1); x(t); 1] (K, B) stacks what the net
inputs come from, K = N + features + 1, so that M (K, G H), [U; W; b] of the G blocks, gives them in one product, and
the weight gradients, W, U and b alike, come from one sum over many steps. N is H; with gate recurrence the n gates of
t-1 follow h(t-1), R follows U, and N is (1 + n) H. Arrays with the sequences as their last axis have P columns there, B
rounded up to a multiple of 16; what stands in the others reaches no result. numba, float32.
"""

import numpy as np
from numpy.typing import NDArray

from models.kernels.compilation import compiled, inlined
from models.kernels.elementwise import (
    VANILLA,
    ZERO,
    Array,
    Switches,
    lstm_backward,
    lstm_forward,
    rnn_backward,
    rnn_forward,
)
from models.kernels.lanes import WIDTH, prefetch
from models.kernels.layout import Errors, Gradients, Kept, Scratch
from models.kernels.products import add_correlation, product, product_of_transposed
from models.kernels.transposition import add_transposed, write_transposed

RNN, LSTM, VARIANT = 0, 1, 2
"""The kinds of step: LSTM is the vanilla one, compiled for its switches; VARIANT asks them at every step."""
COLUMNS = 256
"""Columns (steps times sequences) that one sum of weight gradients goes over: both its factors stay in the cache."""
APART = 4
"""Rows between the errors of two steps: at a distance of a power of two they would evict each other from the cache."""
AHEAD = 2
"""Steps that the backward pass asks for in advance: what it needs was written long ago, and lies far away."""


# Compiled apart: inlined next to the vanilla LSTM's step, they would slow it.
_variant_forward, _variant_backward = compiled(lstm_forward), compiled(lstm_backward)


@inlined
def _fetch(rows: Array) -> None:
    for row in range(rows.shape[0]):
        for column in range(0, rows.shape[1], WIDTH):
            prefetch(rows, row, column)


@compiled
def _forward(
    kind: int,
    peepholes: bool,
    has: Switches,
    M: Array,
    p: Array,
    x: Array,
    starts: NDArray[np.int64],
    initial: Array,
    c0: Array,
    first: int,
    begin: int,
    kept: Kept,
    outputs: Array,
) -> None:
    """Run one replica: fill `outputs` (T - first, B, H) from step `first` on, and `kept` from step `begin` on.

    M (K, G H), p (3, H), x (T, B, features), starts (B,), `initial` (N, P), c0 (H, P). A sequence's state stays the
    initial one before its start. Steps before `begin` take turns in the first two places of `kept` (one of `a`), and
    the state at `begin` is in place 0.
    """
    s, a, c = kept
    T, B, features = x.shape
    N, P = initial.shape
    H = outputs.shape[2]
    old = begin % 2
    s[old, :N] = initial
    if kind != RNN:
        c[old] = c0
    ragged = starts.max()
    for t in range(T):
        at = max(t - begin, 0)
        new = t + 1 - begin if t >= begin else 1 - old
        for k in range(features):
            for b in range(B):
                s[old, N + k, b] = x[t, b, k]
        s[old, N + features, :B] = 1
        if B < P:
            s[old, N:, B:] = 0
        product_of_transposed(M, s[old], a[at])
        state = s[new, :N]
        if kind == RNN:
            rnn_forward(a[at], state)
        elif kind == LSTM:
            lstm_forward(a[at], p, peepholes, VANILLA, c[old], c[new], state)
        else:
            _variant_forward(a[at], p, peepholes, has, c[old], c[new], state)
        if B < P:
            state[:, B:] = 0
        if t < ragged:
            for b in range(B):
                if t < starts[b]:
                    state[:, b] = initial[:, b]
                    if kind != RNN:
                        c[new, :, b] = c0[:, b]
        if t >= first:
            write_transposed(state[:H], B, outputs[t - first])
        old = new


@compiled
def _backward(
    kind: int,
    peepholes: bool,
    has: Switches,
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

    `paths` (3,) as in `lstm_backward`; `is_open` (N, G H): whether the path from this row of the state to this net
    input carries error; windows (n, 3): start, losses, end; no start before `begin`.
    """
    s, a, c = kept
    dh, dlast, dlast_c = of_outputs
    dM, dp, dinitial, dc0, dx = gradients
    errors, Mh, Mx, total, eps, dc, dx_t = scratch
    N, GH = Mh.shape
    for j in range(N):
        for g in range(GH):
            Mh[j, g] = M[j, g] if is_open[j, g] else ZERO
    Mx[:] = M[N:-1]
    B, H, P = dh.shape[1], dh.shape[2], eps.shape[1]
    T = windows[-1, 2]
    recurrent = is_open.any()
    steps = errors.shape[0]
    ragged = starts.max()
    # Where no error reaches the state, none reaches o, the last block: such steps leave its weights as they are.
    without_o = GH - H if kind != RNN and has.o else GH

    for w in range(windows.shape[0] - 1, -1, -1):
        start, losses, end = windows[w]
        slot, is_loud = steps, False
        if end == T:
            eps[:] = dlast
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
            has_loss = t >= losses and t >= first
            is_silent = not (recurrent or has_loss or t == T - 1)
            is_loud = is_loud or not is_silent
            if has_loss:
                add_transposed(dh[t - first], total)
            if t < ragged:
                for b in range(B):
                    if t < starts[b]:
                        for j in range(N):
                            dinitial[j, b] += total[j, b]
                            total[j, b] = ZERO
                        for j in range(H):
                            dc0[j, b] += dc[j, b]
                            dc[j, b] = ZERO
            slot -= 1
            dnet = errors[slot, :GH]
            if kind == RNN:
                rnn_backward(a[at], total, dnet)
            elif kind == LSTM and is_silent:
                lstm_backward(a[at], p, peepholes, VANILLA, paths, True, c[at], c[at + 1], total, dc, dnet, dp)
            elif kind == LSTM:
                lstm_backward(a[at], p, peepholes, VANILLA, paths, False, c[at], c[at + 1], total, dc, dnet, dp)
            else:
                _variant_backward(a[at], p, peepholes, has, paths, is_silent, c[at], c[at + 1], total, dc, dnet, dp)
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
                add_correlation(s[at:], errors[slot:], steps - slot, GH if is_loud else without_o, dM)
                slot, is_loud = steps, False
        if start == 0:
            dinitial += eps
            dc0 += dc


@compiled
def forward(
    replicas: tuple[int, int],
    kind: int,
    peepholes: bool,
    has: Switches,
    M: Array,
    p: Array,
    x: Array,
    starts: NDArray[np.int64],
    initial: Array,
    c0: Array,
    first: int,
    begin: int,
    kept: Kept,
    outputs: Array,
) -> None:
    """Run the replicas of a range; arrays as in `_forward`, with a leading replica axis."""
    for r in range(replicas[0], replicas[1]):
        part = Kept(kept.s[r], kept.a[r], kept.c[r])
        _forward(kind, peepholes, has, M[r], p[r], x[r], starts[r], initial[r], c0[r], first, begin, part, outputs[r])


@compiled
def backward(
    replicas: tuple[int, int],
    kind: int,
    peepholes: bool,
    has: Switches,
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
        errors = Errors(of_outputs.h[r], of_outputs.last[r], of_outputs.last_c[r])
        all_ = gradients
        into = Gradients(all_.M[r], all_.p[r], all_.state[r], all_.c0[r], all_.x[r])
        _backward(
            kind,
            peepholes,
            has,
            paths,
            is_open,
            M[r],
            p[r],
            starts[r],
            windows,
            first,
            begin,
            part,
            errors,
            into,
            scratch,
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
        add_correlation(x[r : r + 1], y[r : r + 1], 1, out.shape[2], out[r])
