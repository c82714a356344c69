"""Float64 oracle of the 1997 network in NumPy, one replica: forward, hand-derived backward, RTRL.

Shares nothing with `models/`. Row vectors: inputs (T, B, features), units u = (y, i, o) (B, N), W (features, n),
U (N, n), b (n,) for the nets n = i, z, o. A sequence with `starts` s keeps its initial state for the steps t < s.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.models.oracle import Array, Parameters, sigmoid

PATHS = frozenset({"cell", "gates", "block_input"})


class Case(NamedTuple):
    """A network with sequences, and the weights of a loss sum(of_y * y) + sum(of_s * s(T))."""

    p: Parameters
    block_size: int
    x: Array  # (T, B, features)
    starts: NDArray[np.int64]  # (B,)
    u0: Array  # (B, N)
    s0: Array  # (B, C)
    of_y: Array  # (T, B, C)
    of_s: Array  # (B, C)

    @property
    def cells(self) -> int:
        """Return the number of cells C."""
        return self.s0.shape[1]

    @property
    def members(self) -> Array:
        """Return (K, C): 1 where a cell belongs to a block."""
        return np.kron(np.eye(self.cells // self.block_size), np.ones((1, self.block_size)))


class Trace(NamedTuple):
    """What a forward pass leaves behind; step t reads u[t], s[t] and writes u[t + 1], s[t + 1]."""

    u: Array  # (T + 1, B, N)
    s: Array  # (T + 1, B, C)
    nets: dict[str, Array]  # i, z, o: (T, B, n)


class Gradients(NamedTuple):
    """Gradients of the loss."""

    parameters: Parameters
    u0: Array
    s0: Array


def draw_case(
    rng: np.random.Generator,
    *,
    block_size: int = 2,
    cells: int = 4,
    steps: int = 8,
    batch: int = 3,
    features: int = 3,
    biases: bool = True,
    ragged: bool = True,
    initial: bool = True,
) -> Case:
    """Draw weights of order 1, so that no gate is nearly shut; without `initial` the state starts at zero."""
    blocks = cells // block_size
    N = cells + 2 * blocks
    p = {}
    for net, size in (("i", blocks), ("z", cells), ("o", blocks)):
        p |= {f"W_{net}": rng.normal(size=(features, size)), f"U_{net}": rng.normal(size=(N, size))}
        if biases:
            p[f"b_{net}"] = rng.normal(size=size)
    return Case(
        p,
        block_size,
        rng.normal(size=(steps, batch, features)),
        rng.integers(0, steps, size=batch) if ragged else np.zeros(batch, np.int64),
        rng.normal(size=(batch, N)) * initial,
        rng.normal(size=(batch, cells)) * initial,
        rng.normal(size=(steps, batch, cells)),
        rng.normal(size=(batch, cells)) * initial,
    )


def forward(case: Case, *, steps: int | None = None) -> Trace:
    """Run the equations."""
    u, s = [case.u0], [case.s0]
    nets: dict[str, list[Array]] = {"i": [], "z": [], "o": []}
    for t in range(len(case.x) if steps is None else steps):
        for net, values in nets.items():
            bias = case.p.get(f"b_{net}", 0)
            values.append(case.x[t] @ case.p[f"W_{net}"] + u[t] @ case.p[f"U_{net}"] + bias)
        i, o = sigmoid(nets["i"][t]), sigmoid(nets["o"][t])
        g = 4 / (1 + np.exp(-nets["z"][t])) - 2
        new_s = s[t] + (i @ case.members) * g
        y = (o @ case.members) * (2 / (1 + np.exp(-new_s)) - 1)
        live = (t >= case.starts)[:, None]
        s.append(np.where(live, new_s, s[t]))
        u.append(np.where(live, np.concatenate([y, i, o], axis=1), u[t]))
    return Trace(np.stack(u), np.stack(s), {net: np.stack(values) for net, values in nets.items()})


def backward(case: Case, paths: frozenset[str] = PATHS) -> Gradients:
    """Send the loss's errors back along `paths`; the hyperbolic forms of the slopes, g = 2 tanh(x/2), h = tanh(x/2)."""
    p, C, K = case.p, case.cells, case.cells // case.block_size
    trace = forward(case)
    gradients = {name: np.zeros_like(value) for name, value in p.items()}
    eps_u, eps_s = np.zeros_like(case.u0), case.of_s.copy()
    for t in reversed(range(len(case.x))):
        live = (t >= case.starts)[:, None]
        eps_u[:, :C] += case.of_y[t]
        i, o = sigmoid(trace.nets["i"][t]), sigmoid(trace.nets["o"][t])
        g, h = 2 * np.tanh(trace.nets["z"][t] / 2), np.tanh(trace.s[t + 1] / 2)
        dy, di, do = eps_u[:, :C], eps_u[:, C : C + K], eps_u[:, C + K :]
        ds = eps_s + dy * (o @ case.members) * (1 - h**2) / 2
        errors = {
            "i": (di + (ds * g) @ case.members.T) * i * (1 - i),
            "z": ds * (i @ case.members) * (1 - (g / 2) ** 2),
            "o": (do + (dy * h) @ case.members.T) * o * (1 - o),
        }
        back = np.zeros_like(eps_u)
        for net, error in errors.items():
            error = np.where(live, error, 0)
            gradients[f"W_{net}"] += case.x[t].T @ error
            gradients[f"U_{net}"] += trace.u[t].T @ error
            if f"b_{net}" in gradients:
                gradients[f"b_{net}"] += error.sum(axis=0)
            if ("block_input" if net == "z" else "gates") in paths:
                back += error @ p[f"U_{net}"].T
        eps_u = np.where(live, back, eps_u)
        eps_s = np.where(live, ds if "cell" in paths else 0, eps_s)
    return Gradients(gradients, eps_u, eps_s)


def rtrl(case: Case) -> Parameters:
    """Return the paper's truncated gradient by its forward recursion (A.1.3), the activations of t-1 being constants:

    ds_c/dw(t) = ds_c/dw(t-1) + (i' g for a weight of the input gate, i g' for one of the cell's input): one number per
    weight of a cell's input, and one per weight of an input gate and cell of its block.
    """
    trace, of_block = forward(case), np.arange(case.cells) // case.block_size
    K, C = case.cells // case.block_size, case.cells
    gradients = {name: np.zeros_like(value) for name, value in case.p.items()}
    for b in range(case.x.shape[1]):
        sources = case.x.shape[2] + case.u0.shape[1] + 1
        of_i, of_z = np.zeros((sources, C)), np.zeros((sources, C))
        for t in range(case.starts[b], len(case.x)):
            source = np.concatenate([case.x[t, b], trace.u[t, b], [1.0]])
            i, o = sigmoid(trace.nets["i"][t, b])[of_block], sigmoid(trace.nets["o"][t, b])
            g, h = 2 * np.tanh(trace.nets["z"][t, b] / 2), np.tanh(trace.s[t + 1, b] / 2)
            of_i += np.outer(source, i * (1 - i) * g)
            of_z += np.outer(source, i * (1 - (g / 2) ** 2))
            dy_ds = o[of_block] * (1 - h**2) / 2
            error = case.of_y[t, b] * dy_ds + (case.of_s[b] if t == len(case.x) - 1 else 0)
            out = np.outer(source, o * (1 - o) * (case.of_y[t, b] * h).reshape(K, -1).sum(axis=1))
            of_gates = (of_i * error).reshape(sources, K, -1).sum(axis=2)
            for net, local in (("i", of_gates), ("z", of_z * error), ("o", out)):
                of_W, of_U, of_b = np.split(local, [case.x.shape[2], sources - 1])
                gradients[f"W_{net}"] += of_W
                gradients[f"U_{net}"] += of_U
                if f"b_{net}" in gradients:
                    gradients[f"b_{net}"] += of_b[0]
    return gradients
