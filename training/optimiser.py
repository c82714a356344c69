"""Optimisers whose learning rate, moments and clipping belong to each replica: rows of one matrix."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor

Moments = dict[str, Tensor]
"""What an optimiser remembers, each (R, P)."""

BLOCK = 64
"""Numbers that are summed up first; torch cuts the sum of one long row into as many parts as it has threads."""


class Optimiser(Protocol):
    """An update rule with its constants."""

    def start(self, weights: Tensor) -> Moments:
        """Return the moments before the first update."""

    def apply(self, weights: Tensor, gradient: Tensor, *, moments: Moments, rates: Tensor, update: int) -> None:
        """Change weights (R, P) and moments in place; `rates` is (R, 1), `update` counts from 1."""


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent, with momentum as in Sutskever et al. 2013 without the Nesterov term."""

    momentum: float

    def start(self, weights: Tensor) -> Moments:
        """Return a zero velocity."""
        return {"velocity": torch.zeros_like(weights)} if self.momentum else {}

    def apply(self, weights: Tensor, gradient: Tensor, *, moments: Moments, rates: Tensor, update: int) -> None:
        """Make one update."""
        if self.momentum:
            gradient = moments["velocity"].mul_(self.momentum).add_(gradient)
        weights.sub_(rates * gradient)


@dataclass(frozen=True)
class RMSProp:
    """Tieleman & Hinton 2012, lecture 6.5."""

    decay: float
    epsilon: float

    def start(self, weights: Tensor) -> Moments:
        """Return a zero mean square."""
        return {"square": torch.zeros_like(weights)}

    def apply(self, weights: Tensor, gradient: Tensor, *, moments: Moments, rates: Tensor, update: int) -> None:
        """Make one update."""
        square = moments["square"].mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)
        weights.sub_(rates * gradient / square.sqrt().add_(self.epsilon))


@dataclass(frozen=True)
class Adam:
    """Kingma & Ba 2015, algorithm 1."""

    beta1: float
    beta2: float
    epsilon: float

    def start(self, weights: Tensor) -> Moments:
        """Return zero moments."""
        return {"mean": torch.zeros_like(weights), "square": torch.zeros_like(weights)}

    def apply(self, weights: Tensor, gradient: Tensor, *, moments: Moments, rates: Tensor, update: int) -> None:
        """Make one update."""
        mean = moments["mean"].mul_(self.beta1).add_(gradient, alpha=1 - self.beta1)
        square = moments["square"].mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        scale = (square / (1 - self.beta2**update)).sqrt_().add_(self.epsilon)
        weights.sub_(rates / (1 - self.beta1**update) * mean / scale)


OPTIMISERS: dict[str, type[SGD] | type[RMSProp] | type[Adam]] = {"sgd": SGD, "rmsprop": RMSProp, "adam": Adam}


def load_optimiser(name: str, *, constants: Mapping[str, Any]) -> Optimiser:
    """Make the optimiser of this name; an unknown name or constant is a ValueError."""
    if name not in OPTIMISERS:
        raise ValueError(f"unknown optimiser {name!r}; known: {', '.join(sorted(OPTIMISERS))}")
    kind = OPTIMISERS[name]
    known = [field.name for field in fields(kind)]
    if sorted(known) != sorted(constants):
        raise ValueError(f"optimiser {name!r} takes {', '.join(known)}; came: {', '.join(sorted(constants))}")
    return kind(**constants)


def norm_of(gradient: Tensor) -> Tensor:
    """Return the Euclidean norm of each row (R, P), (R, 1) float64: the same bits for any R and number of threads."""
    squares = torch.nn.functional.pad(gradient.double().square(), (0, -gradient.shape[1] % BLOCK))
    return squares.unflatten(1, (-1, BLOCK)).sum(dim=2).sum(dim=1, keepdim=True).sqrt()


def clip(gradient: Tensor, *, norm: Tensor, limit: float | None) -> Tensor:
    """Rescale each row (R, P) whose Euclidean norm (R, 1) exceeds the limit (Pascanu et al. 2013, algorithm 1)."""
    return gradient if limit is None else gradient * (limit / norm).clamp(max=1).to(gradient.dtype)
