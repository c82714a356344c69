"""A replica, one network in a batched training, and the progress of all replicas of a condition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass
class Replica:
    """One network, how far its training went, and its best weights."""

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
    validation: Mapping[str, float] = field(default_factory=dict)
    """Loss, accuracy and exact match of the best weights; empty if none was finite."""
    curve: list[dict[str, Any]] = field(default_factory=list)

    def add_point(self, update: int, *, train_loss: float | None, loss: float | None, accuracy: float | None) -> None:
        """Add a point to the learning curve; `loss` and `accuracy` are those of validation."""
        point = {"train_loss": train_loss, "validation_loss": loss, "validation_accuracy": accuracy}
        self.curve.append({"update": update} | point)

    def scalars(self) -> dict[str, Any]:
        """Return everything but the weights, as JSON can hold it."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_weights")}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the weights that are not None, by name."""
        weights = {name: value for name, value in vars(self).items() if name.endswith("_weights")}
        return {name: value.detach().cpu().numpy() for name, value in weights.items() if value is not None}

    def restore(self, scalars: Mapping[str, Any], *, arrays: Mapping[str, NDArray[Any]], like: Tensor) -> None:
        """Set everything from `scalars()` and `arrays()`, with the device and dtype of `like`."""
        vars(self).update(scalars)
        for name in ("best_weights", "last_weights"):
            setattr(self, name, torch.from_numpy(arrays[name].copy()).to(like) if name in arrays else None)


class TrainingProgress(NamedTuple):
    """How far the training of a condition is."""

    update: int
    updates: int
    alive: int
    solved: int
    diverged: int
    sequences: int
    """Training sequences of all replicas so far."""


def compute_progress(replicas: Sequence[Replica], *, update: int, updates: int, batch_size: int) -> TrainingProgress:
    """Count the replicas by what became of them after `update` of `updates`."""
    solved = sum(replica.updates_to_solve is not None for replica in replicas)
    diverged = sum(replica.diverged for replica in replicas)
    sequences = sum(replica.updates for replica in replicas) * batch_size
    return TrainingProgress(update, updates, len(replicas) - solved - diverged, solved, diverged, sequences)
