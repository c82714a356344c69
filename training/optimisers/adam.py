"""Adam: Kingma & Ba 2015, algorithm 1."""

from dataclasses import dataclass

from torch import Tensor

from training.optimiser import Moments, Optimiser

OPTIONS = {
    "beta1": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "decay of the gradient's mean"},
    "beta2": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "decay of its square's mean"},
    "epsilon": {"type": "number", "exclusiveMinimum": 0, "description": "added to the root of the mean square"},
}


@dataclass(frozen=True)
class Adam(Optimiser):
    """m = beta1 m + (1 - beta1) g; s = beta2 s + (1 - beta2) g^2; W = W - rate m' / (sqrt(s') + epsilon).

    m' = m / (1 - beta1^t) and s' = s / (1 - beta2^t) at update t.
    """

    beta1: float
    beta2: float
    epsilon: float
    moments = ("mean", "square")

    def apply(self, weights: Tensor, gradient: Tensor, *, moments: Moments, rates: Tensor, update: int) -> None:
        """Update weights and moments in place."""
        mean = moments["mean"].mul_(self.beta1).add_(gradient, alpha=1 - self.beta1)
        square = moments["square"].mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        scale = (square / (1 - self.beta2**update)).sqrt_().add_(self.epsilon)
        weights.sub_(rates / (1 - self.beta1**update) * mean / scale)
