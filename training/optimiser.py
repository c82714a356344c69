"""The contract of an optimiser: moments and an update whose learning rate belongs to each replica."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

Moments = dict[str, Tensor]
"""What an optimiser remembers, each (R, P): row r belongs to replica r."""


class Optimiser(ABC):
    """An update rule with its constants, the keys of its file's `OPTIONS`."""

    moments: ClassVar[tuple[str, ...]] = ()
    """The names of its moments."""

    def start(self, weights: Tensor) -> Moments:
        """Return the moments before the first update: zero."""
        return {name: torch.zeros_like(weights) for name in self.moments}

    @abstractmethod
    def apply(self, weights: Tensor, gradient: Tensor, *, moments: Moments, rates: Tensor, update: int) -> None:
        """Change weights (R, P) and moments in place; `rates` is (R, 1), `update` counts from 1."""
