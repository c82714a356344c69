"""Float64 oracle of the cells in NumPy: forward, hand-derived backward, windows and RTRL of a single replica.

Shares nothing with `models/`. Row vectors throughout: inputs (T, B, features), states (B, H), W (features, H),
U (H, H), b and p (H,). A sequence with `starts` s keeps its initial state for the steps t < s.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Parameters = dict[str, Array]

LSTM_PATHS = frozenset({"cell", "gates", "block_input", "peepholes", "output_peephole"})
RNN_PATHS = frozenset({"recurrent"})


class Trace(NamedTuple):
    """What a forward pass leaves behind; step t (from 0) reads h[t], c[t] and writes h[t + 1], c[t + 1]."""

    h: Array  # (T + 1, B, H)
    c: Array  # (T + 1, B, H); of an RNN all zeros
    gates: dict[str, Array]  # i, f, z, o, each (T, B, H); of an RNN empty
    live: NDArray[np.bool_]  # (T, B, 1)

    @property
    def steps(self) -> int:
        """Return the number of steps T."""
        return len(self.live)


class Gradients(NamedTuple):
    """Gradients of a loss; eps_h[t] and eps_c[t] are the error that reaches h(t) and c(t) from step t + 1."""

    parameters: Parameters
    h0: Array  # (B, H)
    c0: Array  # (B, H)
    eps_h: Array  # (T, B, H)
    eps_c: Array  # (T, B, H)

    def __add__(self, other: "Gradients") -> "Gradients":  # type: ignore[override]
        """Return the gradients of the sum of two losses."""
        parameters = {name: value + other.parameters[name] for name, value in self.parameters.items()}
        return Gradients(parameters, *(mine + theirs for mine, theirs in zip(self[1:], other[1:], strict=True)))


class Errors(NamedTuple):
    """Where a loss touches the states: dL/dh(t) for each step, and dL/dc at the last one."""

    h: Array  # (T, B, H)
    c_last: Array  # (B, H)


Backward = Callable[..., Gradients]


def sigmoid(a: Array) -> Array:
    """Return the logistic function of `a`."""
    return 1 / (1 + np.exp(-a))


def rnn_forward(
    p: Parameters,
    x: Array,
    *,
    h0: Array,
    c0: Array,
    starts: NDArray[np.int64],
    paths: frozenset[str] = RNN_PATHS,
    frozen: Trace | None = None,
) -> Trace:
    """Run h = tanh(W' x + U' h(t-1) + b); a path not in `paths` reads its source from the trace `frozen`."""
    steps = len(x)
    live = np.arange(steps)[:, None, None] >= starts[None, :, None]
    h = [h0 + 0 * c0]
    for t in range(steps):
        h_read = h[t] if frozen is None or "recurrent" in paths else frozen.h[t]
        a = x[t] @ p["W"] + h_read @ p["U"] + p["b"]
        h.append(np.where(live[t], np.tanh(a), h[t]))
    return Trace(np.stack(h), np.zeros_like(np.stack(h)), {}, live)


def rnn_backward(
    p: Parameters, x: Array, trace: Trace, errors: Errors, *, paths: frozenset[str], first: int, last: int
) -> Gradients:
    """Send `errors` back through the steps first..last-1; what arrives before `first` as in `lstm_backward`."""
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
    return Gradients(gradients, h0, np.zeros_like(h0), eps, np.zeros_like(eps))


def lstm_forward(
    p: Parameters,
    x: Array,
    *,
    h0: Array,
    c0: Array,
    starts: NDArray[np.int64],
    paths: frozenset[str] = LSTM_PATHS,
    frozen: Trace | None = None,
) -> Trace:
    """Run the LSTM; without W_f there is no forget gate, without p_o no peephole; `frozen` as in `rnn_forward`."""
    steps = len(x)
    live = np.arange(steps)[:, None, None] >= starts[None, :, None]
    h, c = [h0], [c0]
    gates: dict[str, list[Array]] = {"i": [], "f": [], "z": [], "o": []}
    peepholes = "p_o" in p
    for t in range(steps):
        h_gates = h[t] if frozen is None or "gates" in paths else frozen.h[t]
        h_block = h[t] if frozen is None or "block_input" in paths else frozen.h[t]
        c_cell = c[t] if frozen is None or "cell" in paths else frozen.c[t]
        c_peep = c[t] if frozen is None or "peepholes" in paths else frozen.c[t]
        i = sigmoid(x[t] @ p["W_i"] + h_gates @ p["U_i"] + p["b_i"] + (p["p_i"] * c_peep if peepholes else 0))
        if "W_f" in p:
            f = sigmoid(x[t] @ p["W_f"] + h_gates @ p["U_f"] + p["b_f"] + (p["p_f"] * c_peep if peepholes else 0))
        else:
            f = np.ones_like(i)
        z = np.tanh(x[t] @ p["W_z"] + h_block @ p["U_z"] + p["b_z"])
        c_new = np.where(live[t], f * c_cell + i * z, c[t])
        c_out = c_new if frozen is None or "output_peephole" in paths else frozen.c[t + 1]
        o = sigmoid(x[t] @ p["W_o"] + h_gates @ p["U_o"] + p["b_o"] + (p["p_o"] * c_out if peepholes else 0))
        h.append(np.where(live[t], o * np.tanh(c_new), h[t]))
        c.append(c_new)
        for name, value in zip("ifzo", (i, f, z, o), strict=True):
            gates[name].append(value)
    return Trace(np.stack(h), np.stack(c), {name: np.stack(values) for name, values in gates.items()}, live)


def lstm_backward(
    p: Parameters, x: Array, trace: Trace, errors: Errors, *, paths: frozenset[str], first: int, last: int
) -> Gradients:
    """Send `errors` back through the steps first..last-1 along `paths`, as in the design's equations.

    The error that arrives before step `first` is that of the initial state if first is 0; otherwise it is lost.
    """
    gradients = {name: np.zeros_like(value) for name, value in p.items()}
    eps_h, eps_c = np.zeros_like(trace.h[1:]), np.zeros_like(trace.c[1:])
    zero = np.zeros_like(trace.h[0])
    error_h, error_c = zero, errors.c_last if last == trace.steps else zero
    forget, peepholes = "W_f" in p, "p_o" in p
    for t in reversed(range(first, last)):
        live = trace.live[t]
        eps_h[t], eps_c[t] = error_h, error_c
        i, f, z, o = (trace.gates[name][t] for name in "ifzo")
        h_before, c_before, c = trace.h[t], trace.c[t], trace.c[t + 1]
        dh_all = errors.h[t] + error_h
        dh, dc = np.where(live, dh_all, 0), np.where(live, error_c, 0)

        do = dh * np.tanh(c) * o * (1 - o)
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        if peepholes and "output_peephole" in paths:
            dc = dc + p["p_o"] * do
        di = dc * z * i * (1 - i)
        df = dc * c_before * f * (1 - f) if forget else zero
        dz = dc * i * (1 - z**2)

        net_errors = {"i": di, "z": dz, "o": do} | ({"f": df} if forget else {})
        for gate, d in net_errors.items():
            gradients[f"W_{gate}"] += x[t].T @ d
            gradients[f"U_{gate}"] += h_before.T @ d
            gradients[f"b_{gate}"] += d.sum(axis=0)
        back_h, back_c = np.zeros_like(dh), np.zeros_like(dc)
        if "cell" in paths:
            back_c = back_c + f * dc
        if peepholes:
            gradients["p_i"] += (di * c_before).sum(axis=0)
            gradients["p_o"] += (do * c).sum(axis=0)
            if forget:
                gradients["p_f"] += (df * c_before).sum(axis=0)
            if "peepholes" in paths:
                back_c = back_c + p["p_i"] * di + (p["p_f"] * df if forget else 0)
        if "gates" in paths:
            back_h = back_h + di @ p["U_i"].T + do @ p["U_o"].T + (df @ p["U_f"].T if forget else 0)
        if "block_input" in paths:
            back_h = back_h + dz @ p["U_z"].T
        error_h, error_c = np.where(live, back_h, dh_all), np.where(live, back_c, error_c)
    if first > 0:
        error_h, error_c = zero, zero
    return Gradients(gradients, error_h, error_c, eps_h, eps_c)


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
        part = backward(p, x, trace, Errors(of_boundary, errors.c_last), paths=paths, first=first, last=boundary)
        total = part if total is None else total + part
    assert total is not None
    return total


def lstm_rtrl(p: Parameters, x: Array, trace: Trace, errors: Errors, *, output_peephole: bool = False) -> Parameters:
    """Return the weight gradients of the 1997 truncation by the forward recursion dc/dw(t) = f(t) dc/dw(t-1) + local.

    No error ever travels backwards: h(t-1), and c(t-1) in the peepholes, count as constants. With `output_peephole`
    c(t) in the output gate does not (Greff's convention; without it Gers's).
    """
    peepholes = "p_o" in p
    reads = {g: [f"W_{g}", f"U_{g}", f"b_{g}"] + ([f"p_{g}"] if f"p_{g}" in p else []) for g in "ifzo" if f"W_{g}" in p}
    batch = x.shape[1]
    # the sensitivity of cell j to a weight is zero unless the weight ends at cell j, so it has the weight's own shape
    sensitivity = {w: np.zeros((batch, *p[w].shape)) for g, names in reads.items() if g != "o" for w in names}
    gradients = {name: np.zeros_like(value) for name, value in p.items()}
    for t in range(trace.steps):
        i, f, z, o = (trace.gates[name][t] for name in "ifzo")
        h_before, c_before, c = trace.h[t], trace.c[t], trace.c[t + 1]
        local = {"i": z * i * (1 - i), "f": c_before * f * (1 - f), "z": i * (1 - z**2)}
        out = np.tanh(c) * o * (1 - o)  # dh/d(net input of o)
        dh_dc = o * (1 - np.tanh(c) ** 2) + (out * p["p_o"] if peepholes and output_peephole else 0)
        for gate, names in reads.items():
            for name in names:
                source: Array = {"W": x[t], "U": h_before, "b": None, "p": c if gate == "o" else c_before}[name[0]]
                if name[0] in "WU":
                    slope = source[:, :, None] * (out if gate == "o" else local[gate])[:, None, :]  # (B, sources, H)
                    decay, error = f[:, None, :], errors.h[t][:, None, :]
                    through, alive = dh_dc[:, None, :], trace.live[t][:, :, None]
                else:
                    slope = (1 if source is None else source) * (out if gate == "o" else local[gate])  # (B, H)
                    decay, error, through, alive = f, errors.h[t], dh_dc, trace.live[t]
                if gate == "o":
                    dh_dw = slope
                else:
                    sensitivity[name] = np.where(alive, decay * sensitivity[name] + slope, 0)
                    dh_dw = through * sensitivity[name]
                gradients[name] += np.where(alive, error * dh_dw, 0).sum(axis=0)
    # the loss on the last cell state, if any, reaches the weights through c alone
    for name, s in sensitivity.items():
        gradients[name] += ((errors.c_last[:, None, :] if s.ndim == 3 else errors.c_last) * s).sum(axis=0)
    return gradients
