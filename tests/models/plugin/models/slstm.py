"""An sLSTM (Beck et al. 2024, "xLSTM", sec. 2.2): exponential gates, whose stabiliser m carries no error.

    m(t) = max(f~(t) + m(t-1), i~(t))      i = exp(i~ - m(t))      f = exp(f~ + m(t-1) - m(t))
    c(t) = f c(t-1) + i z      n(t) = f n(t-1) + i      h(t) = o c(t) / n(t)

Net inputs i~ f~ z o of x(t) W + h(t-1) U + b; h does not depend on m but by rounding.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, Parameters, State, Via, project_inputs, uniform

OPTIONS: dict[str, dict[str, Any]] = {}
PATHS: dict[str, dict[str, object]] = {"cell": {}, "normaliser": {}, "gates": {}}


class SLSTMCell(Cell):
    """An sLSTM; its state is (h, c, n, m)."""

    state_symbols = ("h", "c", "n", "m")
    states_without_error = ("m",)

    def __init__(self, *, features: int, hidden_size: int) -> None:
        self.features, self.hidden_size, self.paths = features, hidden_size, tuple(PATHS)
        self.state_sizes = (hidden_size,) * 4
        self.shapes = {"W": (features, 4 * hidden_size), "U": (hidden_size, 4 * hidden_size), "b": (4 * hidden_size,)}

    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> dict[str, np.ndarray]:
        """Draw U[-k, k], k = 1 / sqrt(H)."""
        return {symbol: uniform(rng, shape, bound=self.hidden_size**-0.5) for symbol, shape in self.shapes.items()}

    def prepare(self, parameters: Parameters) -> Parameters:
        """Return the parameters as they are."""
        return parameters

    def project(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """Return x W + b: (R, T, B, 4 H)."""
        return project_inputs(inputs, parameters["W"], parameters["b"])

    def step(self, parameters: Parameters, projected: Tensor, *, state: State, via: Via) -> State:
        """Make one step."""
        h, c, n, m = state
        i, f, z, o = torch.baddbmm(projected, via("gates", h), parameters["U"]).chunk(4, dim=-1)
        m_new = torch.maximum(f + m, i).detach()
        i, f = torch.exp(i - m_new), torch.exp(f + m.detach() - m_new)
        c, n = f * via("cell", c) + i * torch.tanh(z), f * via("normaliser", n) + i
        return torch.sigmoid(o) * c / n, c, n, m_new
