"""Stochastic gradient descent, with momentum as in Sutskever et al. 2013 without the Nesterov term."""

from dataclasses import dataclass

from torch import Tensor

from training.optimiser import Moments, Optimiser

OPTIONS = {
    "momentum": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "kept share of the last step"},
}


@dataclass(frozen=True)
class SGD(Optimiser):
    """v = momentum v + g; W = W - rate v."""

    momentum: float
    moments = ("velocity",)

    def apply(self, weights: Tensor, gradient: Tensor, *, moments: Moments, rates: Tensor, update: int) -> None:
        """Update weights and velocity in place."""
        velocity = moments["velocity"].mul_(self.momentum).add_(gradient)
        weights.sub_(rates * velocity)
