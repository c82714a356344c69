"""What the file of a cell must hold before its equations can be tested, each with a message that says what to do."""

import itertools
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, State, cell_classes, load_cell, model_files
from models.gradient_flow import GradientFlow
from models.kernels import reference
from tests.options import combinations

R, T, B, FEATURES, H = 2, 6, 3, 2, 4
STRIDE = 1361  # a prime that divides no number of combinations
ATTRIBUTES = ("features", "hidden_size", "paths", "state_sizes", "shapes")


class ContractError(Exception):
    """A file that breaks the contract of `models.cell`: one line."""


def files_with_cells() -> list[str]:
    """List the files of the package that define a subclass of Cell, declare `PATHS`, or cannot be imported."""
    return [name for name in sorted(model_files()) if name not in ("__init__", "cell") and _is_cell_file(name)]


def _is_cell_file(name: str) -> bool:
    try:
        module = import_module(f"models.{name}")
    except Exception:
        return True
    return hasattr(module, "PATHS") or bool(cell_classes(module))


def build_cell(name: str, options: dict[str, Any]) -> Cell:
    """Build a cell at the sizes of the suite."""
    return load_cell(name, features=FEATURES, hidden_size=H, options=options)


def unrolls_itself(cell: Cell) -> bool:
    """Return whether a cell brings its own time loop, so that it has no single step to be tested."""
    return type(cell).unroll is not Cell.unroll


def draw(cell: Cell) -> tuple[dict[str, Tensor], Tensor]:
    """Return float64 parameters (R, ...) that require a gradient, and inputs (R, T, B, features)."""
    rows = [cell.initialise(np.random.default_rng(seed), sequence_length=T) for seed in range(R)]
    parameters = {
        symbol: torch.from_numpy(np.stack([row[symbol] for row in rows])).double().requires_grad_()
        for symbol in cell.shapes
    }
    inputs = torch.from_numpy(np.random.default_rng(9).normal(size=(R, T, B, FEATURES)))
    return parameters, inputs


@cache
def structural_error(name: str) -> str | None:
    """Return the first thing that is wrong with the file of a cell, in one line, or None."""
    try:
        for options in variants(name):
            _check_cell(build_cell(name, options), options=options)
    except ContractError as error:
        return f"models/{name}.py: {error}"
    return None


def variants(name: str) -> list[dict[str, Any]]:
    """List option combinations of a cell, in which each pair of values that it takes together occurs; at least one."""
    try:
        module = import_module(f"models.{name}")
    except Exception as error:
        raise ContractError(f"cannot be imported ({error!r}); mend the file") from error
    classes = cell_classes(module)
    if len(classes) != 1:
        listed = ", ".join(kind.__name__ for kind in classes) or "none"
        raise ContractError(f"defines {len(classes)} subclasses of Cell ({listed}); define one, the others elsewhere")
    for literal, example in (("PATHS", '{"recurrent": {}}'), ("OPTIONS", "{}, or a JSON schema per option")):
        if not hasattr(module, literal):
            raise ContractError(f"declares no {literal}; add {literal} = {example}")
    return _working_combinations(name, module.OPTIONS)


def _working_combinations(name: str, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        every = list(combinations(schemas))
    except ValueError as error:
        raise ContractError(f"OPTIONS: {error}") from error
    chosen, seen, last_error = [], set[tuple[str, ...]](), None
    for n in range(len(every)):  # in an order that changes many values at a time, so that few are needed
        options = every[n * STRIDE % len(every)]
        pairs = set(itertools.combinations_with_replacement(map(repr, options.items()), 2))
        if chosen and pairs <= seen:
            continue
        try:
            build_cell(name, options)
        except ValueError as error:
            last_error = error
            continue
        except Exception as error:
            raise ContractError(
                f"cannot be built with {options}: {error!r}; options that do not go together must raise a ValueError"
            ) from error
        seen |= pairs
        chosen.append(options)
    if not chosen:
        raise ContractError(f"none of its {len(every)} option combinations can be built; the last: {last_error}")
    return chosen


def _check_cell(cell: Cell, *, options: dict[str, Any]) -> None:
    absent = [name for name in ATTRIBUTES if not hasattr(cell, name)]
    if absent:
        raise ContractError(f"__init__ must set {', '.join(absent)} (models/cell.py says what they are)")
    if unrolls_itself(cell):
        return
    try:
        parameters, inputs = draw(cell)
        outputs, state = reference.unroll(cell, parameters, inputs=inputs, flow=GradientFlow(frozenset(cell.paths)))
    except Exception as error:
        raise ContractError(f"cannot be unrolled with {options}: {error}") from error
    shapes, expected = [tuple(s.shape) for s in (outputs, *state)], [(B, size) for size in cell.state_sizes]
    if shapes != [(R, T, B, cell.hidden_size), *((R, *shape) for shape in expected)]:
        raise ContractError(f"step must return the state {expected} of each replica, h first; came: {shapes[1:]}")
    _check_paths(cell, parameters, inputs)


def _check_paths(cell: Cell, parameters: dict[str, Tensor], inputs: Tensor) -> None:
    used = set[str]()

    def via(path: str, tensor: Tensor) -> Tensor:
        used.add(path)
        return tensor

    prepared, state = cell.prepare(parameters), zero_state(cell)
    cell.step(prepared, cell.project(prepared, inputs)[:, 0], state=state, via=via)
    unused = [path for path in cell.paths if path not in used]
    if unused:
        raise ContractError(f"step never calls via({unused[0]!r}, ...): pass what goes along that path through it")
    outputs, _ = reference.unroll(cell, parameters, inputs=inputs, flow=GradientFlow(frozenset()), initial=state)
    if any(reaches(outputs[:, 1:], state)):
        raise ContractError(
            "error reaches the state before without any path: wrap each use of the old state in step, as via('cell', c)"
        )


def zero_state(cell: Cell) -> State:
    """Return a zero state that requires a gradient."""
    return tuple(torch.zeros(R, B, size, dtype=torch.float64, requires_grad=True) for size in cell.state_sizes)


def reaches(outputs: Tensor, leaves: Iterable[Tensor]) -> list[bool]:
    """Return for each leaf whether the sum of the outputs has a gradient other than zero there."""
    if not outputs.requires_grad:
        return []
    gradients = torch.autograd.grad(outputs.sum(), list(leaves), allow_unused=True)
    return [gradient is not None and bool(gradient.any()) for gradient in gradients]
