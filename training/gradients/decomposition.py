"""The gradient of many snapshots at once, as numbers: norms against u, shares of the paths, and agreement of two flows.

Every `norm` and `share` is a list per snapshot (replica) of a number per u, of six significant digits; a number that
does not exist (the share of a part in nothing) is None. `training/gradients/backward.py` defines u and the errors.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from models.gradient_flow import GradientFlow
from models.network import Network
from tasks.task import Task
from training.evaluation import Tensors, compute_gradient
from training.gradients.backward import (
    BackwardStep,
    ForwardPass,
    Paths,
    compute_shapley,
    list_subsets,
    run_backward,
    split_by_path,
    step_back,
)

DIGITS = 6

Series = dict[tuple[str, ...], list[dict[str, Tensor]]]
"""By what they belong to, numbers (R,) per snapshot by name, one u after another."""


def decompose(
    forward: ForwardPass, *, lag: int, flows: Mapping[str, Paths], after_step: Callable[[], None]
) -> dict[str, Any]:
    """Measure a forward pass at `u` steps back (those at which every sequence has begun); its replicas are snapshots.

    The numbers are those of workflow/tables/: `flows` of gradient_versus_lag.py, u from 0 on; `paths` of path_shares.py
    and `attribution` of attribution.py, u from 1 on. Norms of errors are root mean squares over the sequences, each of
    its own loss; those of a matrix's terms are Frobenius norms of the mean over the sequences. `after_step` is called
    whenever the error has gone back a step; it may end the measuring by an exception.
    """
    subsets = list_subsets(forward.cell.paths)
    at = [u for u in list_steps_back(forward.steps, lag=lag) if u < forward.steps - int(forward.starts.max())]
    by_flow: Series = defaultdict(list)
    by_path: Series = defaultdict(list)
    attribution: Series = defaultdict(list)
    for step in run_backward(forward, subsets):
        if step.u > at[-1]:
            break
        if step.u in at:
            for label, flow in flows.items():
                _add_norms(by_flow, step, forward, row=subsets.index(flow), label=label)
            if step.u:
                _add_attribution(attribution, step, forward, subsets=subsets)
        if step.u + 1 in at:
            _add_split(by_path, step, forward)
        after_step()
    return {
        "u": at,
        "flows": _list_rows(by_flow, "flow", "quantity"),
        "paths": _list_rows(by_path, "path", "quantity"),
        "attribution": _list_rows(attribution, "kind", "paths", "quantity"),
    }


def compare_flows(
    network: Network, weights: Tensor, *, task: Task, data: Tensors, flows: tuple[Paths, Paths]
) -> Iterator[list[dict[str, Any]]]:
    """Compare the gradients of the training loss by weights (R, P) under two flows, the first against the second.

    Yields per snapshot one record for each symbol of the cell and one for `all` its weights together: `cosine` between
    the two, `norm_ratio` (first over second) and `norm` (of the second).
    """
    gradients = []
    for paths in flows:
        _, gradient = compute_gradient(network, weights, task=task, data=data, flow=GradientFlow(paths))
        gradients.append(network.by_symbol(gradient))
    for row in range(len(weights)):
        records = []
        for symbol in [*network.cell.shapes, "all"]:
            symbols = list(network.cell.shapes) if symbol == "all" else [symbol]
            a, b = (torch.cat([gradient[s][row].flatten() for s in symbols]) for gradient in gradients)
            numbers = torch.stack([(a @ b) / (a.norm() * b.norm()), a.norm() / b.norm(), b.norm()])
            cosine, ratio, norm = _rounded(numbers[None])[0]
            records.append({"quantity": symbol, "cosine": cosine, "norm_ratio": ratio, "norm": norm})
        yield records


def list_steps_back(steps: int, *, lag: int) -> list[int]:
    """Return the u at which a sequence of so many steps is measured: 0, powers of 2, the lag, T - 1."""
    powers = [2**n for n in range(steps.bit_length())]
    return sorted(u for u in {0, *powers, lag, steps - 1} if 0 <= u < steps)


def root_mean_square(errors: Tensor) -> Tensor:
    """Return the root mean square over sequences of the norms of a mean loss's errors (..., B, n): (...).

    Of the loss of one sequence, that is: the mean over B sequences makes an error B times smaller.
    """
    return errors.square().sum(dim=(-2, -1)).mul(errors.shape[-2]).sqrt()


def share(part: Tensor, whole: Tensor) -> Tensor:
    """Return the share of a part in a whole, both (..., B, n), as their product over its square: parts' add to 1."""
    return (part * whole).sum(dim=(-2, -1)) / whole.square().sum(dim=(-2, -1))


def _add_norms(series: Series, step: BackwardStep, forward: ForwardPass, *, row: int, label: str) -> None:
    for quantity, place in forward.measured.items():
        series[label, quantity].append({"norm": root_mean_square(step.at[place][row])})
    for symbol, term in step.terms.items():
        if term.ndim == 4:  # (F, R, sources, units): a matrix
            series[label, symbol].append({"norm": term[row].flatten(1).norm(dim=1)})


def _add_attribution(series: Series, step: BackwardStep, forward: ForwardPass, *, subsets: Sequence[Paths]) -> None:
    quantity, place = list(forward.measured.items())[-1]
    errors = dict(zip(subsets, step.at[place], strict=True))
    whole = errors[subsets[-1]]
    for paths, error in errors.items():
        label = "+".join(path for path in forward.cell.paths if path in paths)
        series["subset", label, quantity].append(_measure_part(error, whole=whole))
    for path, value in compute_shapley(errors, paths=forward.cell.paths).items():
        series["shapley", path, quantity].append(_measure_part(value, whole=whole))


def _add_split(series: Series, step: BackwardStep, forward: ForwardPass) -> None:
    arriving = tuple(error[-1] for error in step.arriving)  # the last subset is the whole
    parts = split_by_path(forward, u=step.u, arriving=arriving)
    stacked = tuple(torch.stack(states) for states in zip(*parts.values(), strict=True))  # (paths, R, B, n) each
    measured = {f"eps_{quantity}": stacked[place] for quantity, place in forward.measured.items()}
    if "c" in forward.measured:
        full = [frozenset(forward.cell.paths)] * len(parts)
        measured["c"] = step_back(forward, full, u=step.u + 1, arriving=stacked).at[forward.measured["c"]]
    for quantity, errors in measured.items():
        for path, error in zip(parts, errors, strict=True):
            series[path, quantity].append(_measure_part(error, whole=errors.sum(dim=0)))


def _measure_part(part: Tensor, *, whole: Tensor) -> dict[str, Tensor]:
    return {"norm": root_mean_square(part), "share": share(part, whole)}


def _list_rows(series: Series, *names: str) -> list[dict[str, Any]]:
    """Return one record per series, without those that are 0 throughout."""
    return [
        dict(zip(names, key, strict=True))
        | {name: _rounded(torch.stack([part[name] for part in parts], dim=1)) for name in parts[0]}
        for key, parts in series.items()
        if any(part["norm"].any() for part in parts)
    ]


def _rounded(values: Tensor) -> list[list[float | None]]:
    return [
        [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in row] for row in values.tolist()
    ]
