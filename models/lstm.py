"""The LSTM with a forget gate and peepholes as options (Greff et al. 2017, "LSTM: A Search Space Odyssey", sec. 2).

    i(t) = sigmoid(x(t) W_i + h(t-1) U_i + p_i c(t-1) + b_i)
    f(t) = sigmoid(x(t) W_f + h(t-1) U_f + p_f c(t-1) + b_f)        1 if not forget_gate
    z(t) = tanh   (x(t) W_z + h(t-1) U_z             + b_z)
    c(t) = f(t) c(t-1) + i(t) z(t)
    o(t) = sigmoid(x(t) W_o + h(t-1) U_o + p_o c(t)   + b_o)
    h(t) = o(t) tanh(c(t))

p_i = p_f = p_o = 0 if not peepholes (Gers & Schmidhuber 2000). Recurrent paths: `cell` (c(t-1) into c(t)), `gates`
(h(t-1) into i, f, o), `block_input` (h(t-1) into z), `peepholes` (c(t-1) into i and f), `output_peephole` (c(t) into
o). One bias vector per gate.

Initialisation: W, U, p ~ U[-k, k], k = 1 / sqrt(H); b_z = b_o = 0; b_i = input_bias; b_f = forget_bias (Jozefowicz et
al. 2015 urge 1), or `chrono`: b_f = log U[1, Tmax - 1], b_i = input_bias - b_f (Tallec & Ollivier 2018, with
input_bias 0), Tmax being the length of the task's longest sequence in steps: the gates start at the time scale of the
task.
"""

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, Parameters, State, Via, project_inputs, uniform

OPTIONS = {
    "peepholes": {"type": "boolean", "description": "diagonal weights from the cell state to the gates"},
    "forget_gate": {"type": "boolean", "description": "with (Gers 2000) or without (1997: the CEC has weight 1)"},
    "forget_bias": {
        "anyOf": [{"type": "number"}, {"const": "chrono"}],
        "description": "initial bias of the forget gate: a number, or chrono (log U[1, Tmax - 1], taken from b_i)",
    },
    "input_bias": {"type": "number", "description": "initial bias of the input gate"},
}
PATHS = {
    "cell": {},
    "gates": {},
    "block_input": {},
    "peepholes": {"peepholes": True},
    "output_peephole": {"peepholes": True},
}
REFUSED = [{"when": {"forget_gate": False, "forget_bias": "chrono"}, "why": "chrono needs a forget gate"}]


class LSTMCell(Cell):
    """An LSTM; its state is (h, c)."""

    def __init__(
        self,
        *,
        features: int,
        hidden_size: int,
        peepholes: bool,
        forget_gate: bool,
        forget_bias: float | str,
        input_bias: float,
    ) -> None:
        if isinstance(forget_bias, str) and forget_bias != "chrono":
            raise ValueError(f"forget_bias of cell 'lstm' must be a number or chrono; came: {forget_bias!r}")
        if forget_bias == "chrono" and not forget_gate:
            raise ValueError("forget_bias: chrono needs a forget gate; came: forget_gate: False")
        self.features = features
        self.hidden_size = hidden_size
        self.state_sizes = (hidden_size, hidden_size)
        self.peepholes = peepholes
        self.forget_gate = forget_gate
        self.forget_bias = forget_bias
        self.input_bias = input_bias
        self.paths = tuple(path for path, needs in PATHS.items() if peepholes or not needs)
        self.gates = "ifzo" if forget_gate else "izo"
        kinds = {"W": (features, hidden_size), "U": (hidden_size, hidden_size), "b": (hidden_size,)}
        self.shapes = {f"{kind}_{gate}": shape for kind, shape in kinds.items() for gate in self.gates}
        if peepholes:
            self.shapes |= {f"p_{gate}": (hidden_size,) for gate in self.gates if gate != "z"}

    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> dict[str, np.ndarray]:
        """Draw initial weights, the peepholes last: with and without them, the others are the same."""
        bound = self.hidden_size**-0.5
        values = {
            symbol: np.zeros(shape) if symbol.startswith("b_") else uniform(rng, shape, bound=bound)
            for symbol, shape in self.shapes.items()
            if not symbol.startswith("p_")
        }
        values["b_i"] += self.input_bias
        if self.forget_bias == "chrono":
            values["b_f"] = np.log(rng.uniform(1, max(sequence_length - 1, 1), self.hidden_size))
            values["b_i"] -= values["b_f"]
        elif self.forget_gate:
            values["b_f"] += float(self.forget_bias)
        peepholes = [symbol for symbol in self.shapes if symbol.startswith("p_")]
        return values | {symbol: uniform(rng, self.shapes[symbol], bound=bound) for symbol in peepholes}

    def prepare(self, parameters: Parameters) -> Parameters:
        """Stack the gates' weights i f o and the block input z, in this order."""

        def stack(kind: str, gates: str) -> Tensor:
            return torch.cat([parameters[f"{kind}_{gate}"] for gate in gates], dim=-1)

        gates = self.gates.replace("z", "")
        p = {symbol: parameters[symbol][:, None, :] for symbol in self.shapes if symbol.startswith("p_")}
        U = {"U_gates": stack("U", gates), "U_z": parameters["U_z"]}
        return {"W": stack("W", gates + "z"), "b": stack("b", gates + "z"), **U, **p}

    def project(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """Return x W + b of i f o z: (R, T, B, 4 H), or 3 H without a forget gate."""
        return project_inputs(inputs, parameters["W"], parameters["b"])

    def step(self, parameters: Parameters, projected: Tensor, *, state: State, via: Via) -> State:
        """Make one step."""
        h, c = state
        H, p = self.hidden_size, parameters
        x_gates, x_z = projected.split([p["U_gates"].shape[-1], H], dim=-1)
        net = torch.baddbmm(x_gates, via("gates", h), p["U_gates"]).split(H, dim=-1)
        net_i, net_o = net[0], net[-1]
        if self.peepholes:
            net_i = net_i + p["p_i"] * via("peepholes", c)
        i = torch.sigmoid(net_i)
        z = torch.tanh(torch.baddbmm(x_z, via("block_input", h), p["U_z"]))
        if self.forget_gate:
            net_f = net[1]
            if self.peepholes:
                net_f = net_f + p["p_f"] * via("peepholes", c)
            f = torch.sigmoid(net_f)
            c_new = f * via("cell", c) + i * z
        else:
            c_new = via("cell", c) + i * z
        if self.peepholes:
            net_o = net_o + p["p_o"] * via("output_peephole", c_new)
        o = torch.sigmoid(net_o)
        return o * torch.tanh(c_new), c_new
