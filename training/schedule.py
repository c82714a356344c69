"""The contract of a learning-rate schedule: a factor of every replica's learning rate, by update."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from training.plugins import load_instance


class Schedule(ABC):
    """A schedule with its options, the keys of its file's `OPTIONS`."""

    @abstractmethod
    def factor(self, update: int, *, updates: int) -> float:
        """Return the factor of the learning rate at update 1, 2 ... `updates`, a pure function of both."""


def load_schedule(name: str, *, options: Mapping[str, Any]) -> Schedule:
    """Build the schedule of file `name`; an unknown name or option is a ValueError."""
    schedule: Schedule = load_instance("schedules", name, base=Schedule, options=options)
    return schedule
