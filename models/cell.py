"""The contract of a cell: one step of the recurrence, as equations, for all replicas at once."""

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import models

Parameters = Mapping[str, Tensor]
"""Parameters by their symbol, each with a leading replica axis (R, ...)."""

State = tuple[Tensor, ...]
"""What is carried from step to step, the hidden state h (R, B, H) first."""

Via = Callable[[str, Tensor], Tensor]
"""Marks a value as taken along a recurrent path; the gradient flow decides whether error comes back along it."""


class Cell(ABC):
    """One cell with its sizes and options; it holds no weights and no truncation."""

    features: int
    hidden_size: int
    paths: tuple[str, ...]
    """The recurrent paths along which error can flow to the step before."""
    state_sizes: tuple[int, ...]
    """The last axis of each tensor of the state; the first is that of h, which the readout reads."""
    state_symbols: tuple[str, ...] = ("h", "c")
    """The symbols of the state's tensors, as far as they are measured."""
    shapes: Mapping[str, tuple[int, ...]]
    """Parameter shapes by symbol without the replica axis; rows are sources: x (B, features) times W (features, H)."""
    biases: bool = True
    """Whether the network has biases; without them its readout has none either."""
    readout_bound: float | None = None
    """Weights and biases of the readout start in U[-bound, bound]; None leaves them to the network."""

    @abstractmethod
    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> dict[str, np.ndarray]:
        """Draw initial weights (float64) by symbol; `sequence_length` is that of the longest sequence, in steps."""

    @abstractmethod
    def prepare(self, parameters: Parameters) -> Parameters:
        """Stack what `step` multiplies together, once per sequence."""

    @abstractmethod
    def project(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """Return the net inputs that no recurrence enters (R, T, B, n) of inputs (R, T, B, features)."""

    @abstractmethod
    def step(self, parameters: Parameters, projected: Tensor, *, state: State, via: Via) -> State:
        """Make one step from prepared parameters, projected inputs (R, B, n) and the state."""


def uniform(rng: np.random.Generator, shape: tuple[int, ...], *, bound: float) -> np.ndarray:
    """Draw U[-bound, bound]."""
    return rng.uniform(-bound, bound, shape)


def project_inputs(inputs: Tensor, W: Tensor, b: Tensor | None) -> Tensor:
    """Return x W + b, or x W, for inputs (R, T, B, features), W (R, features, n), b (R, n): (R, T, B, n).

    Inputs may be the indices (R, T, B) of the one feature that is 1, -1 where none is: then rows of W are gathered, and
    the cost does not grow with the features.
    """
    rows = inputs.flatten(1, 2)
    if inputs.is_floating_point():
        net = torch.bmm(rows, W) if b is None else torch.baddbmm(b[:, None, :], rows, W)
    else:
        gathered = W.gather(1, rows.clamp(min=0)[..., None].expand(-1, -1, W.shape[2]))
        net = torch.where((rows >= 0)[..., None], gathered, 0)
        net = net if b is None else net + b[:, None, :]
    return net.unflatten(1, inputs.shape[1:3])


def one_hot(indices: Tensor, *, features: int, dtype: torch.dtype) -> Tensor:
    """Return the inputs (R, T, B, features) that indices (R, T, B) stand for, zero where an index is -1."""
    return (indices[..., None] == torch.arange(features, device=indices.device)).to(dtype)


def cell_names() -> list[str]:
    """List the cells on disk: the files of this folder that declare `PATHS`."""
    files = (file for folder in models.__path__ for file in Path(folder).glob("*.py"))
    return sorted(file.stem for file in files if re.search(r"^PATHS\b", file.read_text(), flags=re.MULTILINE))


def load_cell(name: str, *, features: int, hidden_size: int, options: Mapping[str, Any]) -> Cell:
    """Make the cell of file `name`; an unknown name or option is a ValueError."""
    if name not in cell_names():
        raise ValueError(f"unknown cell {name!r}; known: {', '.join(cell_names())}")
    module = importlib.import_module(f"models.{name}")
    if set(options) != set(module.OPTIONS):
        raise ValueError(
            f"cell {name!r} takes the options {', '.join(sorted(module.OPTIONS))}; came: {', '.join(sorted(options))}"
        )
    kinds = [thing for thing in vars(module).values() if _is_defined_in(thing, module.__name__)]
    if len(kinds) != 1:
        raise ValueError(f"models/{name}.py must define one Cell; it defines {len(kinds)}")
    made: Cell = kinds[0](features=features, hidden_size=hidden_size, **options)
    return made


def _is_defined_in(thing: Any, module: str) -> bool:
    return isinstance(thing, type) and issubclass(thing, Cell) and thing.__module__ == module
