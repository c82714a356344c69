"""AdamW: Adam with decoupled weight decay, Loshchilov & Hutter 2019, algorithm 2."""

from dataclasses import dataclass

from torch import Tensor

from training.optimiser import Moments, Optimiser
from training.optimisers import adam

OPTIONS = {
    "beta1": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "decay of the gradient's mean"},
    "beta2": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "decay of its square's mean"},
    "epsilon": {"type": "number", "exclusiveMinimum": 0, "description": "added to the root of the mean square"},
    "weight_decay": {"type": "number", "minimum": 0, "description": "per unit of learning rate"},
}


@dataclass(frozen=True)
class AdamW(Optimiser):
    """W = (1 - rate weight_decay) W, then Adam's update."""

    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float
    moments = adam.Adam.moments

    def apply(self, weights: Tensor, gradient: Tensor, *, moments: Moments, rates: Tensor, update: int) -> None:
        """Update weights and moments in place."""
        weights.mul_(1 - rates * self.weight_decay)
        rule = adam.Adam(self.beta1, self.beta2, self.epsilon)
        rule.apply(weights, gradient, moments=moments, rates=rates, update=update)
