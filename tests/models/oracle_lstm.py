"""Float64 oracle of the LSTM and its variants in NumPy: forward, hand-derived backward, and RTRL of a single replica.

Conventions as in `tests.models.oracle`; R_ab (H, H) leads from gate a of the step before to gate b. A gate without
weights is absent; a `Variant` says what the weights do not.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.models.oracle import Array, Errors, Gradients, Parameters, Trace, sigmoid

PATHS = frozenset({"cell", "gates", "block_input", "peepholes", "output_peephole", "gate_recurrence"})


class Variant(NamedTuple):
    """Which functions are the identity, and whether f is 1 - i."""

    input_is_linear: bool = False
    output_is_linear: bool = False
    coupled: bool = False

    def g(self, net: Array) -> Array:
        """Return the block input of its net input."""
        return net if self.input_is_linear else np.tanh(net)

    def slope_of_g(self, z: Array) -> Array:
        """Return g' where g is z."""
        return np.ones_like(z) if self.input_is_linear else 1 - z**2

    def y(self, c: Array) -> Array:
        """Return what the output gate multiplies."""
        return c if self.output_is_linear else np.tanh(c)

    def slope_of_y(self, c: Array) -> Array:
        """Return y' at c."""
        return np.ones_like(c) if self.output_is_linear else 1 - np.tanh(c) ** 2


VANILLA = Variant()


def letters_of(p: Parameters) -> str:
    """Return the letters of the gates that have weights, in the state's order."""
    return "".join(gate for gate in "ifo" if f"W_{gate}" in p)


def lstm_forward(
    p: Parameters,
    x: Array,
    *,
    h0: Array,
    c0: Array,
    g0: Array,
    starts: NDArray[np.int64],
    variant: Variant = VANILLA,
    paths: frozenset[str] = PATHS,
    frozen: Trace | None = None,
) -> Trace:
    """Run the LSTM; a path not in `paths` reads its source from the trace `frozen`."""
    steps, letters = len(x), letters_of(p)
    live = np.arange(steps)[:, None, None] >= starts[None, :, None]
    h, c = [h0], [c0]
    recurrent = f"R_{letters[0] * 2}" in p
    carried = {a: [part] for a, part in zip(letters, np.split(g0, len(letters), axis=1), strict=True) if recurrent}
    gates: dict[str, list[Array]] = {"i": [], "f": [], "z": [], "o": []}

    def read(path: str, now: Array, then: Array | None) -> Array:
        return now if path in paths or then is None else then

    for t in range(steps):
        h_gates = read("gates", h[t], frozen and frozen.h[t])
        h_block = read("block_input", h[t], frozen and frozen.h[t])
        c_cell = read("cell", c[t], frozen and frozen.c[t])
        c_peep = read("peepholes", c[t], frozen and frozen.c[t])
        before = {a: read("gate_recurrence", s[t], frozen and frozen.carried[a][t]) for a, s in carried.items()}
        i = _gate(p, "i", x[t], h_gates, before, c_peep)
        f = 1 - i if variant.coupled else _gate(p, "f", x[t], h_gates, before, c_peep)
        z = variant.g(x[t] @ p["W_z"] + h_block @ p["U_z"] + p["b_z"])
        c_new = np.where(live[t], f * c_cell + i * z, c[t])
        c_out = read("output_peephole", c_new, frozen and frozen.c[t + 1])
        o = _gate(p, "o", x[t], h_gates, before, c_out)
        h.append(np.where(live[t], o * variant.y(c_new), h[t]))
        c.append(c_new)
        for name, value in zip("ifzo", (i, f, z, o), strict=True):
            gates[name].append(value)
        for a, states in carried.items():
            states.append(np.where(live[t], gates[a][t], states[t]))
    stacked, of_state = ({a: np.stack(s) for a, s in named.items()} for named in (gates, carried))
    return Trace(np.stack(h), np.stack(c), stacked, live, of_state)


def _gate(p: Parameters, b: str, x: Array, h: Array, before: dict[str, Array], c: Array) -> Array:
    if f"W_{b}" not in p:
        return np.ones_like(h)
    net = x @ p[f"W_{b}"] + h @ p[f"U_{b}"] + p[f"b_{b}"]
    if f"p_{b}" in p:
        net = net + p[f"p_{b}"] * c
    return sigmoid(net + sum(g @ p[f"R_{a}{b}"] for a, g in before.items()))


def lstm_backward(
    p: Parameters,
    x: Array,
    trace: Trace,
    errors: Errors,
    *,
    variant: Variant = VANILLA,
    paths: frozenset[str],
    first: int,
    last: int,
) -> Gradients:
    """Send `errors` back through the steps first..last-1 along `paths`, as in the design's equations.

    The error that arrives before step `first` is that of the initial state if first is 0; otherwise it is lost.
    """
    letters, sources = letters_of(p), list(trace.carried)
    gradients = {name: np.zeros_like(value) for name, value in p.items()}
    eps_h, eps_c = np.zeros_like(trace.h[1:]), np.zeros_like(trace.c[1:])
    zero = np.zeros_like(trace.h[0])
    at_end = last == trace.steps
    error_h, error_c = zero, errors.c_last if at_end else zero
    of_gates = np.split(errors.g_last, len(sources), axis=1) if sources and at_end else [zero] * len(sources)
    error_g = dict(zip(sources, of_gates, strict=True))
    for t in reversed(range(first, last)):
        live = trace.live[t]
        eps_h[t], eps_c[t] = error_h, error_c
        i, f, z, o = (trace.gates[name][t] for name in "ifzo")
        h_before, c_before, c = trace.h[t], trace.c[t], trace.c[t + 1]
        before = {a: states[t] for a, states in trace.carried.items()}
        dh_all = errors.h[t] + error_h
        dh, dc = np.where(live, dh_all, 0), np.where(live, error_c, 0)
        dg = {a: np.where(live, error_g.get(a, zero), 0) for a in "ifo"}

        d: dict[str, Array] = {}
        dc = dc + dh * o * variant.slope_of_y(c)
        if "o" in letters:
            d["o"] = (dh * variant.y(c) + dg["o"]) * o * (1 - o)
            if "p_o" in p and "output_peephole" in paths:
                dc = dc + p["p_o"] * d["o"]
        if "i" in letters:
            d["i"] = (dc * (z - c_before if variant.coupled else z) + dg["i"]) * i * (1 - i)
        if "f" in letters:
            d["f"] = (dc * c_before + dg["f"]) * f * (1 - f)
        d["z"] = dc * i * variant.slope_of_g(z)

        for gate, of_net in d.items():
            gradients[f"W_{gate}"] += x[t].T @ of_net
            gradients[f"U_{gate}"] += h_before.T @ of_net
            gradients[f"b_{gate}"] += of_net.sum(axis=0)
            if f"p_{gate}" in p:
                gradients[f"p_{gate}"] += (of_net * (c if gate == "o" else c_before)).sum(axis=0)
            for a in before if gate != "z" else ():
                gradients[f"R_{a}{gate}"] += before[a].T @ of_net
        back_h, back_c, back_g = np.zeros_like(dh), np.zeros_like(dc), dict.fromkeys(sources, zero)
        if "cell" in paths:
            back_c = back_c + f * dc
        if "peepholes" in paths:
            back_c = back_c + sum(p[f"p_{gate}"] * d[gate] for gate in "if" if f"p_{gate}" in p)
        if "gates" in paths:
            back_h = back_h + sum(d[gate] @ p[f"U_{gate}"].T for gate in letters)
        if "block_input" in paths:
            back_h = back_h + d["z"] @ p["U_z"].T
        if "gate_recurrence" in paths:
            back_g = {a: zero + sum(d[b] @ p[f"R_{a}{b}"].T for b in letters) for a in sources}
        error_h, error_c = np.where(live, back_h, dh_all), np.where(live, back_c, error_c)
        error_g = {a: np.where(live, back_g[a], error_g[a]) for a in sources}
    if first > 0:
        error_h, error_c, error_g = zero, zero, dict.fromkeys(sources, zero)
    g0 = np.concatenate([zero[:, :0], *error_g.values()], axis=1)
    return Gradients(gradients, error_h, error_c, g0, eps_h, eps_c)


def lstm_rtrl(
    p: Parameters,
    x: Array,
    trace: Trace,
    errors: Errors,
    *,
    variant: Variant = VANILLA,
    output_peephole: bool = False,
) -> Parameters:
    """Return the weight gradients of the 1997 truncation by the forward recursion dc/dw(t) = f(t) dc/dw(t-1) + local.

    No error ever travels backwards: h(t-1) and the gates of t-1, and c(t-1) in the peepholes, count as constants. With
    `output_peephole` c(t) in the output gate does not (Greff's convention; without it Gers's). The loss must not touch
    the last gates.
    """
    assert not errors.g_last.any()
    reads = {g: [w for w in p if w.endswith(g)] for g in "ifzo"}
    batch = x.shape[1]
    # the sensitivity of cell j to a weight is zero unless the weight ends at cell j, so it has the weight's own shape
    sensitivity = {w: np.zeros((batch, *p[w].shape)) for g, names in reads.items() if g != "o" for w in names}
    gradients = {name: np.zeros_like(value) for name, value in p.items()}
    for t in range(trace.steps):
        i, f, z, o = (trace.gates[name][t] for name in "ifzo")
        h_before, c_before, c = trace.h[t], trace.c[t], trace.c[t + 1]
        of_i = z - c_before if variant.coupled else z
        local = {"i": of_i * i * (1 - i), "f": c_before * f * (1 - f), "z": i * variant.slope_of_g(z)}
        out = variant.y(c) * o * (1 - o)  # dh/d(net input of o)
        dh_dc = o * variant.slope_of_y(c) + (out * p["p_o"] if "p_o" in p and output_peephole else 0)
        for gate, names in reads.items():
            for name in names:
                kind = name[0]
                source = {"W": x[t], "U": h_before, "b": np.ones_like(c), "p": c if gate == "o" else c_before}.get(kind)
                if source is None:
                    source = trace.carried[name[2]][t]
                if kind in "WUR":
                    slope = source[:, :, None] * (out if gate == "o" else local[gate])[:, None, :]  # (B, sources, H)
                    decay, error = f[:, None, :], errors.h[t][:, None, :]
                    through, alive = dh_dc[:, None, :], trace.live[t][:, :, None]
                else:
                    slope = source * (out if gate == "o" else local[gate])  # (B, H)
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
