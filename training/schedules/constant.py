"""A constant learning rate; the settings of a run leave it out."""

from training.schedule import Schedule

OPTIONS: dict[str, dict[str, object]] = {}


class Constant(Schedule):
    """factor(t) = 1."""

    def factor(self, update: int, *, updates: int) -> float:
        """Return 1."""
        return 1.0
