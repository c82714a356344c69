"""RMSProp: Tieleman & Hinton 2012, lecture 6.5."""

from dataclasses import dataclass

from torch import Tensor

from training.optimiser import Moments, Optimiser

OPTIONS = {
    "decay": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "decay of the mean square"},
    "epsilon": {"type": "number", "exclusiveMinimum": 0, "description": "added to the root of the mean square"},
}


@dataclass(frozen=True)
class RMSProp(Optimiser):
    """s = decay s + (1 - decay) g^2; W = W - rate g / (sqrt(s) + epsilon)."""

    decay: float
    epsilon: float
    moments = ("square",)

    def apply(self, weights: Tensor, gradient: Tensor, *, moments: Moments, rates: Tensor, update: int) -> None:
        """Update weights and mean square in place."""
        square = moments["square"].mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)
        weights.sub_(rates * gradient / square.sqrt().add_(self.epsilon))
