"""Cosine annealing without restarts: Loshchilov & Hutter 2017, SGDR, eq. 5."""

import math
from dataclasses import dataclass

from training.schedule import Schedule

OPTIONS = {
    "final_factor": {"type": "number", "minimum": 0, "maximum": 1, "description": "after the last update"},
}


@dataclass(frozen=True)
class Cosine(Schedule):
    """factor(t) = final + (1 - final) (1 + cos(pi (t - 1) / updates)) / 2."""

    final_factor: float

    def factor(self, update: int, *, updates: int) -> float:
        """Return 1 at the first update, and less at every next one."""
        return self.final_factor + (1 - self.final_factor) * (1 + math.cos(math.pi * (update - 1) / updates)) / 2
