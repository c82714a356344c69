"""The contract of a cell: one step of the recurrence, as equations, for all replicas at once."""

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

import models
from models.gradient_flow import GradientFlow

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
    state_symbols: tuple[str, ...]
    """A symbol for each tensor of the state, required. `h` comes first; `c` is for a cell state alone: one along
    which the path `cell` carries error. These two are what measurements report; other symbols are the cell's own.
    """
    states_without_error: tuple[str, ...] = ()
    """The symbols of states that never carry error, as a stabiliser that `step` detaches."""
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
        """Return the net inputs that no recurrence enters (R, T, B, n) of inputs (R, T, B, features).

        One-hot inputs may come as indices (R, T, B) int64 of the feature that is 1 (-1: none), as those of task
        long_lag do; `project_inputs` takes both.
        """

    def unroll(
        self,
        parameters: Parameters,
        *,
        inputs: Tensor,
        flow: GradientFlow,
        starts: Tensor | None,
        initial: State | None,
        first_target: int,
    ) -> tuple[Tensor, State] | None:
        """Return what `models.kernels.reference.unroll` does, or None: only a cell with its own time loop has it."""
        return None

    def check_flow(self, flow: GradientFlow) -> None:
        """Refuse a gradient flow that the cell cannot have: a ValueError."""
        flow.check(self.paths)

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


def model_files() -> dict[str, Path]:
    """Return the files of this package by name; a plug-in's file with the name of another is a ValueError."""
    files: dict[str, Path] = {}
    for path in (path for folder in models.__path__ for path in sorted(Path(folder).glob("*.py"))):
        if path.stem != "__init__" and path.stem in files:
            raise ValueError(f"the plug-in's file {path} must have another name than {files[path.stem]}; rename it")
        files.setdefault(path.stem, path)
    return files


def cell_names() -> list[str]:
    """List the cells on disk: the files of this package, the plug-ins' included, that declare `PATHS`."""
    texts = {name: path.read_text(encoding="utf-8") for name, path in model_files().items()}
    return sorted(name for name, text in texts.items() if re.search(r"^PATHS\b", text, flags=re.MULTILINE))


def load_cell(name: str, *, features: int, hidden_size: int, options: Mapping[str, Any]) -> Cell:
    """Build the cell of file `name`; an unknown name or option, or a broken contract, is a ValueError."""
    names = cell_names()
    if name not in names:
        raise ValueError(f"unknown cell {name!r}; known: {', '.join(names)}")
    module = importlib.import_module(f"models.{name}")
    if set(options) != set(module.OPTIONS):
        raise ValueError(
            f"cell {name!r} takes the options {', '.join(sorted(module.OPTIONS))}; came: {', '.join(sorted(options))}"
        )
    classes = cell_classes(module)
    if len(classes) != 1:
        listed = f": {', '.join(kind.__name__ for kind in classes)}" if classes else ""
        raise ValueError(f"models/{name}.py must define one subclass of Cell; it defines {len(classes)}{listed}")
    cell = classes[0](features=features, hidden_size=hidden_size, **options)
    _check_states(cell)
    return cell


def cell_classes(module: ModuleType) -> list[Callable[..., Cell]]:
    """List the cells that a module itself defines."""
    kinds = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Cell))
    return [kind for kind in kinds if kind.__module__ == module.__name__]


def _check_states(cell: Cell) -> None:
    """Refuse a cell that does not name each tensor of its state once, h first: a ValueError."""
    symbols, states = getattr(cell, "state_symbols", None), len(cell.state_sizes)
    if symbols is None or len(set(symbols)) != states or symbols[0] != "h":
        raise ValueError(
            f"{type(cell).__name__}.state_symbols must name the {states} tensors of its state, h first, "
            f'as ("h", "c"); came: {symbols}'
        )
    unknown = sorted(set(cell.states_without_error) - set(symbols[1:]))
    if unknown:
        raise ValueError(
            f"{type(cell).__name__}.states_without_error must be among its states {', '.join(symbols[1:])}; "
            f"came: {', '.join(unknown)}"
        )
