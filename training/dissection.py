"""The gradient of many snapshots at once, as numbers: norms against u, shares of the paths, and agreement of two flows.

Every `norm` and `share` is a list per snapshot (replica) of a number per u, of six significant digits; a number that
does not exist (the share of a part in nothing) is None. `training/attribution.py` says what is taken apart and how.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from models.gradient_flow import GradientFlow
from models.network import Network
from tasks.task import Task
from training.attribution import (
    Arrival,
    Passage,
    Paths,
    bundle,
    go_back,
    root_mean_square,
    shapley,
    share,
    split,
    step_back,
    steps_back,
    subsets,
)
from training.evaluation import Tensors

DIGITS = 6


class Series:
    """Numbers per snapshot that grow by one u after another, by name."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.columns: dict[tuple[str, ...], dict[str, list[Tensor]]] = {}

    def note(self, *key: str, **values: Tensor) -> None:
        """Add the numbers (R,) of the next u to the series of this key."""
        found = self.columns.setdefault(key, {name: [] for name in values})
        for name, value in values.items():
            found[name].append(value)

    def rows(self) -> list[dict[str, Any]]:
        """Return one record per series, without those that are 0 throughout."""
        return [
            dict(zip(self.names, key, strict=True))
            | {name: _rounded(torch.stack(value, dim=1)) for name, value in found.items()}
            for key, found in self.columns.items()
            if torch.stack(found["norm"]).any()
        ]


def dissect(
    passage: Passage, *, lag: int, flows: Mapping[str, Paths], after_step: Callable[[], None]
) -> dict[str, Any]:
    """Measure a passage at `u` steps back (those at which every sequence has begun); its replicas are the snapshots.

    `flows`, by flow and quantity, u from 0 on: the norms of dC/dh and dC/dc (`h`, `c`; root mean square over sequences
    of the norm of the error of a sequence's own loss), and of the terms of each weight matrix (`W_i`; Frobenius norm of
    the mean over sequences).
    `paths`, by path and quantity, u from 1 on: what reaches the state of step T - u from the step after it under the
    full flow, as norm and share of the whole: `eps_h`, `eps_c`, and `c`, which is eps_c with what eps_h does to c by
    way of the same step's h.
    `attribution`, u from 1 on: dC/dc, or dC/dh in a cell without c, of every set of paths alone (`kind` subset, paths
    joined by +) and of every path's Shapley value (`kind` shapley), as norm and share of that under the full flow.
    `after_step` is called whenever the error has gone back a step; it may end the measuring by an exception.
    """
    every = subsets(passage.cell.paths)
    at = [u for u in steps_back(passage.steps, lag=lag) if u < passage.steps - int(passage.starts.max())]
    by_flow, by_path = Series("flow", "quantity"), Series("path", "quantity")
    attribution = Series("kind", "paths", "quantity")
    arriving = (passage.error, *(torch.zeros_like(state) for state in passage.states[-1][1:]))
    for arrival in go_back(passage, every):
        if arrival.u > at[-1]:
            break
        if arrival.u in at:
            for label, flow in flows.items():
                _note_norms(by_flow, arrival, passage, row=every.index(flow), label=label)
            if arrival.u:
                _note_attribution(attribution, arrival, passage, every=every)
        if arrival.u + 1 in at:
            _note_split(by_path, passage, u=arrival.u, arriving=arriving)
        arriving = tuple(error[-1] for error in arrival.before)  # the last subset is the whole
        after_step()
    rows = {"flows": by_flow.rows(), "paths": by_path.rows(), "attribution": attribution.rows()}
    return {"u": at} | rows


def align(
    network: Network, weights: Tensor, *, task: Task, data: Tensors, flows: tuple[Paths, Paths]
) -> Iterator[list[dict[str, Any]]]:
    """Compare the gradients of the training loss by weights (R, P) under two flows, the first against the second.

    Yields per snapshot one record for each symbol of the cell and one for `all` its weights together: `cosine` between
    the two, `norm_ratio` (first over second) and `norm` (of the second).
    """
    first, second = (_gradient(network, weights, task=task, data=data, paths=paths) for paths in flows)
    for row in range(len(weights)):
        found = []
        for symbol in [*network.cell.shapes, "all"]:
            symbols = list(network.cell.shapes) if symbol == "all" else [symbol]
            a, b = (torch.cat([of[s][row].flatten() for s in symbols]) for of in (first, second))
            numbers = torch.stack([(a @ b) / (a.norm() * b.norm()), a.norm() / b.norm(), b.norm()])
            cosine, ratio, norm = _rounded(numbers[None])[0]
            found.append({"quantity": symbol, "cosine": cosine, "norm_ratio": ratio, "norm": norm})
        yield found


def _gradient(network: Network, weights: Tensor, *, task: Task, data: Tensors, paths: Paths) -> dict[str, Tensor]:
    leaf = weights.clone().requires_grad_()
    outputs = network.outputs_of(
        leaf, inputs=data.inputs, starts=data.starts, first_target=task.first_target, flow=GradientFlow(paths)
    )
    (gradient,) = torch.autograd.grad(task.loss(outputs, data.targets).sum(), leaf)
    return network.by_symbol(gradient)


def _note_norms(series: Series, arrival: Arrival, passage: Passage, *, row: int, label: str) -> None:
    for quantity, kind in passage.measured.items():
        series.note(label, quantity, norm=root_mean_square(arrival.at[kind][row]))
    for symbol, term in arrival.terms.items():
        if term.ndim == 4:  # (F, R, sources, units): a matrix
            series.note(label, symbol, norm=term[row].flatten(1).norm(dim=1))


def _note_attribution(series: Series, arrival: Arrival, passage: Passage, *, every: Sequence[Paths]) -> None:
    quantity, kind = list(passage.measured.items())[-1]
    errors = dict(zip(every, arrival.at[kind], strict=True))
    whole = errors[every[-1]]
    for paths, error in errors.items():
        label = "+".join(path for path in passage.cell.paths if path in paths)
        series.note("subset", label, quantity, norm=root_mean_square(error), share=share(error, whole))
    for path, value in shapley(errors, paths=passage.cell.paths).items():
        series.note("shapley", path, quantity, norm=root_mean_square(value), share=share(value, whole))


def _note_split(series: Series, passage: Passage, *, u: int, arriving: tuple[Tensor, ...]) -> None:
    parts = split(passage, u=u, arriving=arriving)
    together = tuple(torch.stack(kinds) for kinds in zip(*parts.values(), strict=True))  # (paths, R, B, n) each
    full = [frozenset(passage.cell.paths)] * len(parts)
    onward = step_back(bundle(passage, full), u=u + 1, arriving=together).at
    measured = {f"eps_{quantity}": together[kind] for quantity, kind in passage.measured.items()}
    if "c" in passage.measured:
        measured["c"] = onward[passage.measured["c"]]
    for quantity, values in measured.items():
        whole = values.sum(dim=0)
        for path, value in zip(parts, values, strict=True):
            series.note(path, quantity, norm=root_mean_square(value), share=share(value, whole))


def _rounded(values: Tensor) -> list[list[float | None]]:
    return [
        [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in row] for row in values.tolist()
    ]
