"""Linear warm-up, then a constant learning rate: Goyal et al. 2017, arXiv 1706.02677, section 2.2."""

from dataclasses import dataclass

from training.schedule import Schedule

OPTIONS = {
    "initial_factor": {"type": "number", "minimum": 0, "maximum": 1, "description": "at the first update"},
    "warmup_updates": {"type": "integer", "minimum": 1, "description": "until the factor is 1"},
}


@dataclass(frozen=True)
class LinearWarmup(Schedule):
    """factor(t) = initial + (1 - initial) min(t - 1, warmup) / warmup."""

    initial_factor: float
    warmup_updates: int

    def factor(self, update: int, *, updates: int) -> float:
        """Return the initial factor at the first update, and 1 from update `warmup_updates` + 1 on."""
        progress = min(update - 1, self.warmup_updates) / self.warmup_updates
        return self.initial_factor + (1 - self.initial_factor) * progress
