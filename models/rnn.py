"""The vanilla recurrent network (Elman 1990), tanh.

    h(t) = tanh(x(t) W + h(t-1) U + b)

One recurrent path: h(t-1) into the net input. Initialisation: W ~ U[-k, k], k = 1 / sqrt(H), b = 0; U likewise
(`uniform`) or a random orthogonal matrix (`orthogonal`: Saxe et al. 2014; all its singular values are 1, the border
between the sufficient condition for vanishing and the necessary one for exploding gradients in Pascanu et al. 2013,
sec. 2.1).
"""

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, Parameters, State, Via, project_inputs, uniform

OPTIONS = {
    "initialisation": {
        "enum": ["uniform", "orthogonal"],
        "description": "initial recurrent matrix: U[-k, k] with k = 1 / sqrt(H), or random orthogonal",
    }
}
PATHS: dict[str, dict[str, object]] = {"recurrent": {}}


class RNNCell(Cell):
    """A tanh RNN; its state is (h,)."""

    state_symbols = ("h",)

    def __init__(self, *, features: int, hidden_size: int, initialisation: str) -> None:
        allowed = OPTIONS["initialisation"]["enum"]
        if initialisation not in allowed:
            raise ValueError(f"unknown initialisation {initialisation!r} of cell 'rnn'; known: {', '.join(allowed)}")
        self.features = features
        self.hidden_size = hidden_size
        self.state_sizes = (hidden_size,)
        self.initialisation = initialisation
        self.paths = tuple(PATHS)
        self.shapes = {"W": (features, hidden_size), "U": (hidden_size, hidden_size), "b": (hidden_size,)}

    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> dict[str, np.ndarray]:
        """Draw initial weights; the sequence length plays no part."""
        bound = self.hidden_size**-0.5
        W = uniform(rng, self.shapes["W"], bound=bound)
        U = uniform(rng, self.shapes["U"], bound=bound)
        if self.initialisation == "orthogonal":
            Q, upper = np.linalg.qr(rng.normal(size=self.shapes["U"]))
            U = Q * np.sign(np.diag(upper))  # uniform over the orthogonal group (Mezzadri 2007)
        return {"W": W, "U": U, "b": np.zeros(self.shapes["b"])}

    def prepare(self, parameters: Parameters) -> Parameters:
        """Return the parameters as they are."""
        return parameters

    def project(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """Return x W + b: (R, T, B, H)."""
        return project_inputs(inputs, parameters["W"], parameters["b"])

    def step(self, parameters: Parameters, projected: Tensor, *, state: State, via: Via) -> State:
        """Make one step."""
        (h,) = state
        return (torch.tanh(torch.baddbmm(projected, via("recurrent", h), parameters["U"])),)
