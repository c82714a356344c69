"""The network of Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", sec. 4 and appendix A.1: memory cell blocks.

K blocks of S cells; the cells of a block share an input and an output gate. The units u = (y, i, o), K (S + 2) = H' of
them, are the sources of every net input, those of the gates included; k(c) is the block of cell c.

    i(t)   = sigmoid(x(t) W_i + u(t-1) U_i + b_i)                  (K)
    o(t)   = sigmoid(x(t) W_o + u(t-1) U_o + b_o)                  (K)
    z(t)   =         x(t) W_z + u(t-1) U_z + b_z                   (K S)
    s_c(t) = s_c(t-1) + i_k(c)(t) g(z_c(t))        g(x) = 4 sigmoid(x) - 2
    y_c(t) = o_k(c)(t) h(s_c(t))                   h(x) = 2 sigmoid(x) - 1
    u(0) = 0, s(0) = 0

The readout sees y alone; with H' (features + H' + 1) + outputs (K S + 1) weights the network is fully connected. All b,
and the readout's, are absent if not biases. Recurrent paths: `cell` (s(t-1) into s(t), whose factor is 1), `gates`
(u(t-1) into i and o), `block_input` (u(t-1) into z). The paper's truncated gradient is the path `cell` alone: no net
input sends error on to the activations of the step before (A.1.2).

From the paper: the equations, zero activations before a sequence, the weight counts, the distribution of the weights,
the biases of the input gates. Our choice: x(t) and the readout's y(t) belong to the same step, as in this suite's other
cells, where the paper's indices put a step between them; the units' order.

Initialisation: all weights ~ U[-bound, bound], biases and readout as well; but b_i of block k = 1, 2, ... is k times
input_gate_bias (-2: -2, -4, ...), so that the blocks open one after another; it plays no part if not biases.
"""

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, Parameters, State, Via, project_inputs, uniform

OPTIONS = {
    "block_size": {"type": "integer", "minimum": 1, "description": "cells that share an input and an output gate"},
    "input_gate_bias": {
        "type": "number",
        "description": "initial bias of the first block's input gate; k times it for block k",
    },
    "biases": {"type": "boolean", "description": "with biases, those of the readout included, or with none at all"},
    "bound": {"type": "number", "exclusiveMinimum": 0, "description": "all other weights start in U[-bound, bound]"},
}
PATHS: dict[str, dict[str, object]] = {"cell": {}, "gates": {}, "block_input": {}}
ONLINE = True  # models/kernels/online_1997 trains it
DIVIDES = {"block_size": "hidden_size"}


class LSTM1997Cell(Cell):
    """Memory cell blocks; the state is (y, (i, o), s)."""

    state_symbols = ("h", "gates", "c")

    def __init__(
        self,
        *,
        features: int,
        hidden_size: int,
        block_size: int,
        input_gate_bias: float,
        biases: bool,
        bound: float,
    ) -> None:
        if block_size < 1 or hidden_size % block_size:
            raise ValueError(
                f"block_size of cell 'lstm_1997' must divide hidden_size {hidden_size}; came: {block_size}"
            )
        if not bound > 0:
            raise ValueError(f"bound of cell 'lstm_1997' must be > 0; came: {bound}")
        self.features = features
        self.hidden_size = hidden_size
        self.block_size = block_size
        self.blocks = hidden_size // block_size
        self.input_gate_bias = input_gate_bias
        self.biases = biases
        self.bound = self.readout_bound = bound
        self.state_sizes = (hidden_size, 2 * self.blocks, hidden_size)
        self.paths = tuple(PATHS)
        sources = {"W": (features,), "U": (hidden_size + 2 * self.blocks,), "b": ()}
        targets = {"i": self.blocks, "z": hidden_size, "o": self.blocks}
        kinds = "WUb" if biases else "WU"
        self.shapes = {f"{kind}_{net}": (*sources[kind], size) for kind in kinds for net, size in targets.items()}

    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> dict[str, np.ndarray]:
        """Draw initial weights; the sequence length plays no part."""
        values = {
            symbol: uniform(rng, shape, bound=self.bound) for symbol, shape in self.shapes.items() if symbol != "b_i"
        }
        if self.biases:
            values["b_i"] = self.input_gate_bias * np.arange(1.0, self.blocks + 1)
        return values

    def prepare(self, parameters: Parameters) -> Parameters:
        """Stack the weights of the gates i o and of the cells' inputs z, in this order."""

        def stack(kind: str, nets: str) -> Tensor:
            return torch.cat([parameters[f"{kind}_{net}"] for net in nets], dim=-1)

        prepared = {"W": stack("W", "ioz"), "U_gates": stack("U", "io"), "U_z": parameters["U_z"]}
        return prepared | ({"b": stack("b", "ioz")} if self.biases else {})

    def project(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """Return x W + b of i o z: (R, T, B, H')."""
        return project_inputs(inputs, parameters["W"], parameters.get("b"))

    def step(self, parameters: Parameters, projected: Tensor, *, state: State, via: Via) -> State:
        """Make one step."""
        y, gates, s = state
        x_gates, x_z = projected.split([2 * self.blocks, self.hidden_size], dim=-1)
        u = torch.cat([y, gates], dim=-1)
        gates = torch.sigmoid(torch.baddbmm(x_gates, via("gates", u), parameters["U_gates"]))
        z = torch.baddbmm(x_z, via("block_input", u), parameters["U_z"])
        i, o = (gate.repeat_interleave(self.block_size, dim=-1) for gate in gates.chunk(2, dim=-1))
        s = via("cell", s) + i * (4 * torch.sigmoid(z) - 2)
        return o * (2 * torch.sigmoid(s) - 1), gates, s
