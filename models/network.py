"""A recurrent network: one cell and a linear readout, for R replicas whose weights are rows of one matrix.

    y(t) = h(t) V + b_y

Row r of `weights` (R, P) holds all parameters of replica r, one after another in the order of `shapes`; so optimiser,
clipping and the leaving of a replica are operations on rows. Initialisation: the cell's own; V ~ U[-k, k], k = 1 /
sqrt(H); b_y = 0.
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
        self.shapes = {**cell.shapes, "V": (cell.hidden_size, outputs), "b_y": (outputs,)}
        self.sizes = [math.prod(shape) for shape in self.shapes.values()]

    @property
    def parameters(self) -> int:
        """Count the weights of one replica."""
        return sum(self.sizes)

    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> np.ndarray:
        """Draw the weights of one replica: float64 (P,)."""
        readout = uniform(rng, self.shapes["V"], bound=self.cell.hidden_size**-0.5)  # first: the same for every cell
        values = self.cell.initialise(rng, sequence_length=sequence_length)
        values |= {"V": readout, "b_y": np.zeros(self.outputs)}
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
        """Return the outputs (R, S, B, outputs) of the S steps from `first_target` on; inputs (R, T, B, features)."""
        parameters = self.by_symbol(weights)
        hidden, _ = self.kernel.unroll(
            self.cell, parameters, inputs=inputs, flow=flow, starts=starts, first_target=first_target
        )
        return self.kernel.readout(hidden, parameters["V"], parameters["b_y"])
