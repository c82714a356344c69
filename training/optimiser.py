"""The contract of an optimiser: moments and an update whose learning rate belongs to each replica."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from training.plugins import load_instance

Moments = dict[str, Tensor]
"""What an optimiser remembers, each (R, P): row r belongs to replica r."""


class Optimiser(ABC):
    """An update rule with its constants, the keys of its file's `OPTIONS`."""

    @abstractmethod
    def start(self, weights: Tensor) -> Moments:
        """Return the moments before the first update."""

    @abstractmethod
    def apply(self, weights: Tensor, gradient: Tensor, *, moments: Moments, rates: Tensor, update: int) -> None:
        """Change weights (R, P) and moments in place; `rates` is (R, 1), `update` counts from 1."""


def load_optimiser(name: str, *, constants: Mapping[str, Any]) -> Optimiser:
    """Build the optimiser of file `name`; an unknown name or constant is a ValueError."""
    optimiser: Optimiser = load_instance("optimisers", name, base=Optimiser, options=constants)
    return optimiser
