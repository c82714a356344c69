"""A replica, one network in a batched training, and what the training of all replicas reports and saves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from torch import Tensor


@dataclass
class Replica:
    """One network, how far its training went, and its best weights; all weights are (P,) on the CPU."""

    seed: int
    """Position of its seed in the data."""
    learning_rate: float
    updates: int = 0
    updates_to_solve: int | None = None
    diverged: bool = False
    best_update: int = 0
    best_weights: Tensor | None = None
    last_weights: Tensor | None = None
    """Its weights when it left the batch or the budget was spent."""
    validation: dict[str, float] = field(default_factory=dict)
    """Loss, accuracy and exact match of the best weights; empty if none was finite."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[tuple[int, Tensor]] | None = None
    """The update and the weights of every evaluation, where they are kept."""

    @property
    def is_alive(self) -> bool:
        """Whether it still trains: it has neither solved the task nor diverged."""
        return self.updates_to_solve is None and not self.diverged

    def add_point(self, update: int, *, train_loss: float | None, loss: float | None, accuracy: float | None) -> None:
        """Add a point to the learning curve; `loss` and `accuracy` are those of validation."""
        point = {"train_loss": train_loss, "validation_loss": loss, "validation_accuracy": accuracy}
        self.curve.append({"update": update} | point)


class TrainingProgress(NamedTuple):
    """How far the training of a condition is."""

    update: int
    updates: int
    alive: int
    solved: int
    diverged: int
    sequences: int
    """Training sequences of all replicas so far."""


State = dict[str, Any]
"""What another process needs to end a training with the same bits: what JSON can hold (NaN and integers of any size
included), tensors and arrays.
"""


class Checkpointer(Protocol):
    """Saves the state of a training and loads it; training/checkpointing.py has the one that writes files."""

    def load(self) -> State | None:
        """Return the state to continue from, its arrays as tensors, or None to begin at the beginning."""

    def offer(self, state: Callable[[], State]) -> None:
        """Save the state after an update, or do not; may end the training by an exception."""
