"""A recurrent network: one cell and a linear readout, for R replicas whose weights are rows of one matrix.

    y(t) = h(t) V + b_y        without b_y where the cell has no biases

Row r of `weights` (R, P) holds all parameters of replica r, one after another in the order of `shapes`; so optimiser,
clipping and the leaving of a replica are operations on rows. Initialisation: the cell's own; V ~ U[-k, k], k = 1 /
sqrt(H), and b_y = 0, or V, b_y ~ U[-bound, bound] if the cell has a `readout_bound`.
"""

import math

import numpy as np
from torch import Tensor

from models.cell import Cell, uniform
from models.gradient_flow import GradientFlow
from models.kernels import Kernel


class Network:
    """A cell with a readout of `outputs` numbers, unrolled by a kernel."""

    def __init__(self, cell: Cell, *, outputs: int, kernel: Kernel) -> None:
        self.cell = cell
        self.kernel = kernel
        self.outputs = outputs
        self.shapes = {**cell.shapes, "V": (cell.hidden_size, outputs)}
        if cell.biases:
            self.shapes["b_y"] = (outputs,)
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]

    @property
    def parameters(self) -> int:
        """Count the weights of one replica."""
        return sum(self.sizes)

    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> np.ndarray:
        """Draw the weights of one replica: float64 (P,)."""
        bound = self.cell.readout_bound
        k = self.cell.hidden_size**-0.5 if bound is None else bound
        readout = uniform(rng, self.shapes["V"], bound=k)  # first: the same for every cell
        values = self.cell.initialise(rng, sequence_length=sequence_length)
        values["V"] = readout
        if self.cell.biases:
            shape = self.shapes["b_y"]
            values["b_y"] = np.zeros(shape) if bound is None else uniform(rng, shape, bound=bound)
        return np.concatenate([values[symbol].ravel() for symbol in self.shapes])

    def by_symbol(self, weights: Tensor) -> dict[str, Tensor]:
        """View weights (R, P) as parameters by symbol, (R, ...) each."""
        parts = weights.split(self.sizes, dim=1)
        return {
            symbol: part.unflatten(1, shape) for (symbol, shape), part in zip(self.shapes.items(), parts, strict=True)
        }

    def outputs_of(
        self, weights: Tensor, *, inputs: Tensor, starts: Tensor, first_target: int, flow: GradientFlow
    ) -> Tensor:
        """Return the outputs (R, S, B, outputs) of the S steps from `first_target` on.

        Inputs are (R, T, B, features), or indices (R, T, B) as `models.cell.project_inputs` takes them.
        """
        parameters = self.by_symbol(weights)
        hidden, _ = self.kernel.unroll(
            self.cell, parameters, inputs=inputs, flow=flow, starts=starts, first_target=first_target
        )
        V = parameters["V"]
        b_y = parameters["b_y"] if self.cell.biases else V.new_zeros(V.shape[0], self.outputs)
        return self.kernel.readout(hidden, V, b_y)
