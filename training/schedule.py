"""The contract of a learning-rate schedule: a factor of every replica's learning rate, by update."""

from abc import ABC, abstractmethod


class Schedule(ABC):
    """A schedule with its options, the keys of its file's `OPTIONS`."""

    @abstractmethod
    def factor(self, update: int, *, updates: int) -> float:
        """Return the factor of the learning rate at update 1, 2 ... `updates`, a pure function of both."""
