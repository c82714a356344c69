"""Float64 oracle of the RNN in NumPy, forward and hand-derived backward, and what it shares with the LSTM's: windows.

Shares nothing with `models/`; one replica. Row vectors throughout: inputs (T, B, features), states (B, H),
W (features, H), U (H, H), b and p (H,). A sequence with `starts` s keeps its initial state for the steps t < s.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Parameters = dict[str, Array]

RNN_PATHS = frozenset({"recurrent"})


class Trace(NamedTuple):
    """What a forward pass leaves behind; step t (from 0) reads h[t], c[t] and writes h[t + 1], c[t + 1]."""

    h: Array  # (T + 1, B, H)
    c: Array  # (T + 1, B, H); of an RNN all zeros
    gates: dict[str, Array]  # i, f, z, o, each (T, B, H); of an RNN empty
    live: NDArray[np.bool_]  # (T, B, 1)
    carried: dict[str, Array]  # i, f, o as parts of the state, each (T + 1, B, H); empty without gate recurrence

    @property
    def steps(self) -> int:
        """Return the number of steps T."""
        return len(self.live)


class Gradients(NamedTuple):
    """Gradients of a loss; eps_h[t] and eps_c[t] are the error that reaches h(t) and c(t) from step t + 1."""

    parameters: Parameters
    h0: Array  # (B, H)
    c0: Array  # (B, H)
    g0: Array  # (B, n H), of the n gates in the state
    eps_h: Array  # (T, B, H)
    eps_c: Array  # (T, B, H)

    def __add__(self, other: "Gradients") -> "Gradients":  # type: ignore[override]
        """Return the gradients of the sum of two losses."""
        parameters = {name: value + other.parameters[name] for name, value in self.parameters.items()}
        return Gradients(parameters, *(mine + theirs for mine, theirs in zip(self[1:], other[1:], strict=True)))


class Errors(NamedTuple):
    """Where a loss touches the states: dL/dh(t) for each step, and dL/dc and dL/d[i f o] at the last one."""

    h: Array  # (T, B, H)
    c_last: Array  # (B, H)
    g_last: Array  # (B, n H)


Backward = Callable[..., Gradients]


def sigmoid(a: Array) -> Array:
    """Return the logistic function of `a`."""
    return 1 / (1 + np.exp(-a))


def rnn_forward(
    p: Parameters,
    x: Array,
    *,
    h0: Array,
    starts: NDArray[np.int64],
    paths: frozenset[str] = RNN_PATHS,
    frozen: Trace | None = None,
) -> Trace:
    """Run h = tanh(W' x + U' h(t-1) + b); a path not in `paths` reads its source from the trace `frozen`."""
    steps = len(x)
    live = np.arange(steps)[:, None, None] >= starts[None, :, None]
    h = [h0]
    for t in range(steps):
        h_read = h[t] if frozen is None or "recurrent" in paths else frozen.h[t]
        a = x[t] @ p["W"] + h_read @ p["U"] + p["b"]
        h.append(np.where(live[t], np.tanh(a), h[t]))
    return Trace(np.stack(h), np.zeros_like(np.stack(h)), {}, live, {})


def rnn_backward(
    p: Parameters, x: Array, trace: Trace, errors: Errors, *, paths: frozenset[str], first: int, last: int
) -> Gradients:
    """Send `errors` back through the steps first..last-1; what arrives before `first` is lost unless first is 0."""
    gradients = {name: np.zeros_like(value) for name, value in p.items()}
    eps = np.zeros_like(trace.h[1:])
    error = np.zeros_like(trace.h[0])
    for t in reversed(range(first, last)):
        eps[t] = error
        dh = errors.h[t] + error
        da = np.where(trace.live[t], dh * (1 - trace.h[t + 1] ** 2), 0)
        gradients["W"] += x[t].T @ da
        gradients["U"] += trace.h[t].T @ da
        gradients["b"] += da.sum(axis=0)
        back = da @ p["U"].T if "recurrent" in paths else np.zeros_like(da)
        error = np.where(trace.live[t], back, dh)
    h0 = error if first == 0 else np.zeros_like(error)
    return Gradients(gradients, h0, np.zeros_like(h0), h0[:, :0], eps, np.zeros_like(eps))


def windowed(
    backward: Backward,
    p: Parameters,
    x: Array,
    trace: Trace,
    errors: Errors,
    *,
    paths: frozenset[str],
    k1: int,
    k2: int,
) -> Gradients:
    """Sum over the boundaries e = T, T - k1, ...: the losses of the last k1 steps, sent back through the last k2."""
    steps = trace.steps
    total: Gradients | None = None
    for boundary in range(steps, 0, -k1):
        of_boundary = np.zeros_like(errors.h)
        since = max(0, boundary - k1)
        of_boundary[since:boundary] = errors.h[since:boundary]
        first = max(0, boundary - k2)
        part = backward(p, x, trace, errors._replace(h=of_boundary), paths=paths, first=first, last=boundary)
        total = part if total is None else total + part
    assert total is not None
    return total
