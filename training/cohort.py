"""The replicas of a condition: what became of each, and the batch of those that still train."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from training.optimiser import Moments

Arrays = Mapping[str, NDArray[Any]]


@dataclass
class Replica:
    """One network and what became of it."""

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

    def note(self, update: int, *, train_loss: float | None, loss: float | None, accuracy: float | None) -> None:
        """Add a point to the curve."""
        point = {"train_loss": train_loss, "validation_loss": loss, "validation_accuracy": accuracy}
        self.curve.append({"update": update} | point)

    def facts(self) -> dict[str, Any]:
        """Return everything but the weights, as what JSON can say."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_weights")}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the weights that there are, by name."""
        kept = {name: value for name, value in vars(self).items() if name.endswith("_weights") and value is not None}
        return {name: weights.detach().cpu().numpy() for name, weights in kept.items()}

    def restore(self, facts: Mapping[str, Any], *, arrays: Arrays, like: Tensor) -> None:
        """Become the replica of these facts and arrays, with the device and dtype of `like`."""
        vars(self).update(facts)
        for name in ("best_weights", "last_weights"):
            setattr(self, name, torch.from_numpy(arrays[name].copy()).to(like) if name in arrays else None)


@dataclass
class Cohort:
    """The replicas that are still in the batch: row r of every tensor belongs to `replicas[r]`."""

    replicas: list[Replica]
    weights: Tensor
    """(R, P)"""
    moments: Moments
    losses: Tensor
    """Sum of the training losses since the last evaluation: (R,) float64."""
    evaluated: int = 0
    """The update of the last evaluation."""

    def keep(self, stays: Sequence[bool]) -> None:
        """Let the other replicas leave with the weights that they have."""
        for row, replica in enumerate(self.replicas):
            if not stays[row]:
                replica.last_weights = self.weights[row].clone()
        rows = torch.tensor([row for row, stay in enumerate(stays) if stay], dtype=torch.int64)
        self.replicas = [self.replicas[row] for row in rows]
        self.losses = self.losses[rows]
        self.weights = self.weights[rows.to(self.weights.device)]
        self.moments = {name: moment[rows.to(moment.device)] for name, moment in self.moments.items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the tensors by name."""
        tensors = {"weights": self.weights, "losses": self.losses}
        tensors |= {f"moment.{name}": moment for name, moment in self.moments.items()}
        return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}

    def restore(self, replicas: Sequence[Replica], *, arrays: Arrays, evaluated: int) -> None:
        """Become the batch of these replicas and arrays."""
        self.replicas, self.evaluated = list(replicas), evaluated
        self.losses = torch.from_numpy(arrays["losses"].copy())
        self.moments = {
            name: torch.from_numpy(arrays[f"moment.{name}"].copy()).to(moment) for name, moment in self.moments.items()
        }
        self.weights = torch.from_numpy(arrays["weights"].copy()).to(self.weights)
