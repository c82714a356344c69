"""The gated recurrent unit (Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder", sec. 2.3).

    r(t) = sigmoid(x(t) W_r + h(t-1) U_r + b_r)
    u(t) = sigmoid(x(t) W_u + h(t-1) U_u + b_u)
    n(t) = tanh   (x(t) W_n + (r(t) h(t-1)) U_n + b_n)         reset: before
    n(t) = tanh   (x(t) W_n + r(t) (h(t-1) U_n) + b_n)         reset: after
    h(t) = u(t) h(t-1) + (1 - u(t)) n(t)

The update gate u is the paper's z, and the candidate n its h~; `before` is the paper's, `after` what cuDNN and
`torch.nn.GRU` compute (this is `torch.nn.GRU` with the bias of n that r resets held at zero: one bias vector per gate).
Recurrent paths: `leak` (h(t-1) into h(t), the counterpart of the LSTM's `cell`), `gates` (h(t-1) into r and u),
`candidate` (h(t-1) into n).

Initialisation: W, U ~ U[-k, k], k = 1 / sqrt(H); b_r = b_n = 0; b_u = update_bias, or `chrono`: b_u = log U[1, Tmax -
1], as the LSTM's forget gate (Tallec & Ollivier 2018), Tmax being the length of the task's longest sequence in steps.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, Parameters, State, Via, project_inputs, uniform

OPTIONS: dict[str, dict[str, Any]] = {
    "reset": {
        "enum": ["before", "after"],
        "description": "whether r resets h before its product with U_n (Cho 2014) or the product (torch.nn.GRU)",
    },
    "update_bias": {
        "anyOf": [{"type": "number"}, {"const": "chrono"}],
        "description": "initial bias of the update gate: a number, or chrono (log U[1, Tmax - 1])",
    },
}
PATHS: dict[str, dict[str, object]] = {"leak": {}, "gates": {}, "candidate": {}}


class GRUCell(Cell):
    """A GRU; its state is (h,)."""

    state_symbols = ("h",)

    def __init__(self, *, features: int, hidden_size: int, reset: str, update_bias: float | str) -> None:
        allowed = OPTIONS["reset"]["enum"]
        if reset not in allowed:
            raise ValueError(f"unknown reset {reset!r} of cell 'gru'; known: {', '.join(allowed)}")
        if isinstance(update_bias, str) and update_bias != "chrono":
            raise ValueError(f"update_bias of cell 'gru' must be a number or chrono; came: {update_bias!r}")
        self.features = features
        self.hidden_size = hidden_size
        self.state_sizes = (hidden_size,)
        self.reset = reset
        self.update_bias = update_bias
        self.paths = tuple(PATHS)
        kinds = {"W": (features, hidden_size), "U": (hidden_size, hidden_size), "b": (hidden_size,)}
        self.shapes = {f"{kind}_{block}": shape for kind, shape in kinds.items() for block in "run"}

    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> dict[str, np.ndarray]:
        """Draw initial weights."""
        bound = self.hidden_size**-0.5
        values = {
            symbol: np.zeros(shape) if symbol.startswith("b_") else uniform(rng, shape, bound=bound)
            for symbol, shape in self.shapes.items()
        }
        if self.update_bias == "chrono":
            values["b_u"] = np.log(rng.uniform(1, max(sequence_length - 1, 1), self.hidden_size))
        else:
            values["b_u"] += float(self.update_bias)
        return values

    def prepare(self, parameters: Parameters) -> Parameters:
        """Stack the weights of r, u and n, in this order."""

        def stack(kind: str, blocks: str) -> Tensor:
            return torch.cat([parameters[f"{kind}_{block}"] for block in blocks], dim=-1)

        return {"W": stack("W", "run"), "b": stack("b", "run"), "U_gates": stack("U", "ru"), "U_n": parameters["U_n"]}

    def project(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """Return x W + b of r u n: (R, T, B, 3 H)."""
        return project_inputs(inputs, parameters["W"], parameters["b"])

    def step(self, parameters: Parameters, projected: Tensor, *, state: State, via: Via) -> State:
        """Make one step."""
        (h,) = state
        p, H = parameters, self.hidden_size
        x_gates, x_n = projected.split([2 * H, H], dim=-1)
        r, u = torch.sigmoid(torch.baddbmm(x_gates, via("gates", h), p["U_gates"])).split(H, dim=-1)
        source = via("candidate", h)
        if self.reset == "before":
            n = torch.tanh(torch.baddbmm(x_n, r * source, p["U_n"]))
        else:
            n = torch.tanh(x_n + r * torch.bmm(source, p["U_n"]))
        return (u * via("leak", h) + (1 - u) * n,)
