"""The LSTM with forget gate and peepholes, and its variants (Greff et al. 2017, "LSTM: A Search Space Odyssey").

    i(t) = sigmoid(x(t) W_i + h(t-1) U_i + p_i c(t-1) + i(t-1) R_ii + f(t-1) R_fi + o(t-1) R_oi + b_i)
    f(t) = sigmoid(x(t) W_f + h(t-1) U_f + p_f c(t-1) + i(t-1) R_if + f(t-1) R_ff + o(t-1) R_of + b_f)
    z(t) = tanh   (x(t) W_z + h(t-1) U_z                                                        + b_z)
    c(t) = f(t) c(t-1) + i(t) z(t)
    o(t) = sigmoid(x(t) W_o + h(t-1) U_o + p_o c(t)   + i(t-1) R_io + f(t-1) R_fo + o(t-1) R_oo + b_o)
    h(t) = o(t) tanh(c(t))

The vanilla LSTM has p, all three gates and no R; Greff's names of its variants (sec. 3.1):

    peepholes: false             p_i = p_f = p_o = 0                                    NP
    input_gate: false            i = 1                                                  NIG
    forget_gate: false           f = 1                                                  NFG
    output_gate: false           o = 1                                                  NOG
    input_activation: identity   z is its net input                                     NIAF
    output_activation: identity  h(t) = o(t) c(t)                                       NOAF
    coupled_gates: true          f = 1 - i; f has no weights, and is no source of R     CIFG
    gate_recurrence: true        with R, from every gate with weights to every one      FGR

Recurrent paths: `cell` (c(t-1) into c(t)), `gates` (h(t-1) into i, f, o), `block_input` (h(t-1) into z), `peepholes`
(c(t-1) into i and f), `output_peephole` (c(t) into o), `gate_recurrence` (the gates of t-1 into the gates). One bias
vector per gate. The state is (h, c), and with gate recurrence (h, c, [i f o]).

Initialisation: W, U, p, R ~ U[-k, k], k = 1 / sqrt(H); b_z = b_o = 0; b_i = input_bias; b_f = forget_bias (Jozefowicz
et al. 2015 urge 1), or `chrono`: b_f = log U[1, Tmax - 1], b_i = input_bias - b_f (Tallec & Ollivier 2018, with
input_bias 0), Tmax being the length of the task's longest sequence in steps: the gates start at the time scale of the
task. Coupled gates have b_i = input_bias - b_f for a number too: with input_bias 0 then f starts at sigmoid(b_f), as
without coupling, since 1 - sigmoid(-b) = sigmoid(b); Tallec & Ollivier derive b_i = -b_f from this tie.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, Parameters, State, Via, project_inputs, uniform

OPTIONS: dict[str, dict[str, Any]] = {
    "peepholes": {"type": "boolean", "description": "diagonal weights from the cell state to the gates"},
    "input_gate": {"type": "boolean", "description": "with an input gate, or without (i = 1)"},
    "forget_gate": {"type": "boolean", "description": "with (Gers 2000) or without (1997: the CEC has weight 1)"},
    "output_gate": {"type": "boolean", "description": "with an output gate, or without (o = 1)"},
    "input_activation": {"enum": ["tanh", "identity"], "description": "what squashes the block input z"},
    "output_activation": {"enum": ["tanh", "identity"], "description": "what squashes the cell state on its way to h"},
    "coupled_gates": {"type": "boolean", "description": "one gate for both: f = 1 - i (as in the GRU)"},
    "gate_recurrence": {"type": "boolean", "description": "weights from the gates at t-1 to the gates (as in 1997)"},
    "forget_bias": {
        "anyOf": [{"type": "number"}, {"const": "chrono"}],
        "description": "initial bias of the forget gate: a number, or chrono (log U[1, Tmax - 1], taken from b_i)",
    },
    "input_bias": {"type": "number", "description": "initial bias of the input gate"},
}
PATHS: dict[str, dict[str, object]] = {
    "cell": {},
    "gates": {},
    "block_input": {},
    "peepholes": {"peepholes": True},
    "output_peephole": {"peepholes": True, "output_gate": True},
    "gate_recurrence": {"gate_recurrence": True},
}
REFUSED: list[dict[str, Any]] = [
    {"when": {"forget_gate": False, "forget_bias": "chrono"}, "why": "chrono needs a forget gate"},
    {"when": {"coupled_gates": True, "forget_gate": False}, "why": "coupled gates need a forget gate"},
    {"when": {"coupled_gates": True, "input_gate": False}, "why": "coupled gates need an input gate"},
    {
        "when": {"input_gate": False, "forget_gate": False, "output_gate": False},
        "why": "an LSTM needs a gate: the input, forget or output gate",
    },
    {
        "when": {"peepholes": True, "input_gate": False, "forget_gate": False},
        "why": "peepholes need an input gate or a forget gate",
    },
]
VANILLA: dict[str, Any] = {
    "input_gate": True,
    "forget_gate": True,
    "output_gate": True,
    "input_activation": "tanh",
    "output_activation": "tanh",
    "coupled_gates": False,
    "gate_recurrence": False,
}
"""The switches of the LSTM that everybody means, with or without peepholes."""


class LSTMCell(Cell):
    """An LSTM."""

    def __init__(
        self,
        *,
        features: int,
        hidden_size: int,
        peepholes: bool,
        input_gate: bool,
        forget_gate: bool,
        output_gate: bool,
        input_activation: str,
        output_activation: str,
        coupled_gates: bool,
        gate_recurrence: bool,
        forget_bias: float | str,
        input_bias: float,
    ) -> None:
        options = {
            "peepholes": peepholes,
            "input_gate": input_gate,
            "forget_gate": forget_gate,
            "output_gate": output_gate,
            "input_activation": input_activation,
            "output_activation": output_activation,
            "coupled_gates": coupled_gates,
            "gate_recurrence": gate_recurrence,
            "forget_bias": forget_bias,
            "input_bias": input_bias,
        }
        _check(options)
        self.features = features
        self.hidden_size = hidden_size
        self.peepholes = peepholes
        self.input_activation = input_activation
        self.output_activation = output_activation
        self.coupled_gates = coupled_gates
        self.gate_recurrence = gate_recurrence
        self.forget_bias = forget_bias
        self.input_bias = input_bias
        self.paths = tuple(path for path, needs in PATHS.items() if _met(needs, options))
        has_weights = {"i": input_gate, "f": forget_gate and not coupled_gates, "z": True, "o": output_gate}
        self.blocks = "".join(letter for letter, has in has_weights.items() if has)
        self.gates = self.blocks.replace("z", "")
        self.state_sizes = (hidden_size, hidden_size, *[len(self.gates) * hidden_size] * gate_recurrence)
        self.state_symbols = ("h", "c", "gates") if gate_recurrence else ("h", "c")
        square = (hidden_size, hidden_size)
        kinds = {"W": (features, hidden_size), "U": square, "b": (hidden_size,)}
        self.shapes = {f"{kind}_{block}": shape for kind, shape in kinds.items() for block in self.blocks}
        if peepholes:
            self.shapes |= {f"p_{gate}": (hidden_size,) for gate in self.gates}
        if gate_recurrence:
            self.shapes |= {f"R_{source}{gate}": square for source in self.gates for gate in self.gates}

    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> dict[str, np.ndarray]:
        """Draw initial weights, p last but for R: with and without either, the others are the same."""
        bound = self.hidden_size**-0.5
        values = {
            symbol: np.zeros(shape) if symbol.startswith("b_") else uniform(rng, shape, bound=bound)
            for symbol, shape in self.shapes.items()
            if symbol[0] in "WUb"
        }
        if self.forget_bias == "chrono":
            b_f = np.log(rng.uniform(1, max(sequence_length - 1, 1), self.hidden_size))
        else:
            b_f = np.full(self.hidden_size, float(self.forget_bias))
        if "i" in self.gates:
            values["b_i"] += self.input_bias
            if self.coupled_gates or self.forget_bias == "chrono":
                values["b_i"] -= b_f
        if "f" in self.gates:
            values["b_f"] = b_f
        last = [symbol for symbol in self.shapes if symbol not in values]
        return values | {symbol: uniform(rng, self.shapes[symbol], bound=bound) for symbol in last}

    def prepare(self, parameters: Parameters) -> Parameters:
        """Stack the gates' weights i f o and the block input z, in this order."""

        def stack(kind: str, blocks: str) -> Tensor:
            return torch.cat([parameters[kind + block] for block in blocks], dim=-1)

        blocks = self.gates + "z"
        prepared = {"W": stack("W_", blocks), "b": stack("b_", blocks)}
        prepared |= {"U_gates": stack("U_", self.gates), "U_z": parameters["U_z"]}
        if self.gate_recurrence:
            prepared["R"] = torch.cat([stack(f"R_{source}", self.gates) for source in self.gates], dim=-2)
        return prepared | {symbol: p[:, None, :] for symbol, p in parameters.items() if symbol.startswith("p_")}

    def project(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """Return x W + b of i f o z, without those that have no weights: (R, T, B, n H)."""
        return project_inputs(inputs, parameters["W"], parameters["b"])

    def step(self, parameters: Parameters, projected: Tensor, *, state: State, via: Via) -> State:
        """Make one step."""
        h, c, *before = state
        p, H = parameters, self.hidden_size
        x_gates, x_z = projected.split([len(self.gates) * H, H], dim=-1)
        net = torch.baddbmm(x_gates, via("gates", h), p["U_gates"])
        if self.gate_recurrence:
            net = torch.baddbmm(net, via("gate_recurrence", before[0]), p["R"])
        nets = dict(zip(self.gates, net.split(H, dim=-1), strict=True))

        def gate(letter: str, path: str, seen: Tensor) -> Tensor | float:
            if letter not in nets:
                return 1.0
            if self.peepholes:
                return torch.sigmoid(nets[letter] + p[f"p_{letter}"] * via(path, seen))
            return torch.sigmoid(nets[letter])

        i = gate("i", "peepholes", c)
        z = _squashed(torch.baddbmm(x_z, via("block_input", h), p["U_z"]), self.input_activation)
        f = 1 - i if self.coupled_gates else gate("f", "peepholes", c)
        c_new = f * via("cell", c) + i * z
        o = gate("o", "output_peephole", c_new)
        h_new = o * _squashed(c_new, self.output_activation)
        if not self.gate_recurrence:
            return h_new, c_new
        present = {"i": i, "f": f, "o": o}  # a gate without weights is a number, and no part of the state
        return (
            h_new,
            c_new,
            torch.cat([value for letter in self.gates if isinstance(value := present[letter], Tensor)], dim=-1),
        )


def _squashed(net: Tensor, activation: str) -> Tensor:
    return torch.tanh(net) if activation == "tanh" else net


def _met(when: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    return all(options[name] == value for name, value in when.items())


def _check(options: Mapping[str, Any]) -> None:
    """Refuse options that are none, or that do not go together: a ValueError."""
    if isinstance(options["forget_bias"], str) and options["forget_bias"] != "chrono":
        raise ValueError(f"forget_bias of cell 'lstm' must be a number or chrono; came: {options['forget_bias']!r}")
    for name in ("input_activation", "output_activation"):
        allowed = OPTIONS[name]["enum"]
        if options[name] not in allowed:
            raise ValueError(f"unknown {name} {options[name]!r} of cell 'lstm'; known: {', '.join(allowed)}")
    for rule in REFUSED:
        if _met(rule["when"], options):
            came = ", ".join(f"{name}: {options[name]}" for name in rule["when"])
            raise ValueError(f"{rule['why']}; came: {came}")
