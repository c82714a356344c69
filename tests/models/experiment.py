"""Runs the real cells on stacked cases, one case per replica, and returns what autograd makes of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from models.cell import Cell, load_cell
from models.gradient_flow import GradientFlow
from models.kernels.reference import unroll
from tests.models.cases import Case, Options
from tests.models.oracle import Gradients


class Outcome(NamedTuple):
    """Values and gradients of one run, the replica axis first."""

    h: Tensor  # (R, T - first_target, B, H)
    state: tuple[Tensor, ...]  # of the last step: h, of an LSTM c, and perhaps the gates
    gradients: dict[str, Tensor]  # (R, ...)
    of_initial: tuple[Tensor, ...]  # (R, B, n)


def make_cell(options: Options, *, features: int, hidden_size: int) -> Cell:
    """Make the cell that `options` describe."""
    if options.cell == "rnn":
        named: dict[str, object] = {"initialisation": "uniform"}
    else:
        named = options.switches | {"forget_bias": 1.0, "input_bias": 0.0}
    return load_cell(options.cell, features=features, hidden_size=hidden_size, options=named)


def cell_of(case: Case) -> Cell:
    """Make the cell of a case."""
    return make_cell(case.options, features=case.x.shape[-1], hidden_size=case.h0.shape[-1])


def full(case: Case) -> GradientFlow:
    """Return the flow along every path through the whole sequence."""
    return GradientFlow(case.options.paths)


def run_cases(
    cases: Sequence[Case],
    flow: GradientFlow,
    *,
    first_target: int = 0,
    dtype: torch.dtype = torch.float64,
    device: str = "cpu",
) -> Outcome:
    """Unroll the cases as replicas of one job and differentiate the sum of their losses."""
    cell = cell_of(cases[0])

    def stacked(arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.tensor(np.stack(arrays), dtype=dtype, device=device)

    parameters = {name: stacked([case.parameters[name] for case in cases]).requires_grad_() for name in cell.shapes}
    initial = tuple(stacked(s).requires_grad_() for s in zip(*(case.initial for case in cases), strict=True))
    h, state = unroll(
        cell,
        parameters,
        inputs=stacked([case.x for case in cases]),
        flow=flow,
        starts=torch.tensor(np.stack([case.starts for case in cases]), device=device),
        initial=initial,
        first_target=first_target,
    )
    loss = (h * stacked([case.errors.h[first_target:] for case in cases])).sum()
    for last, name in zip(state[1:], ("c_last", "g_last"), strict=False):
        loss = loss + (last * stacked([getattr(case.errors, name) for case in cases])).sum()
    leaves = [*parameters.values(), *initial]
    of_all = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
    gradients = dict(zip(parameters, of_all, strict=False))
    return Outcome(h.detach(), tuple(s.detach() for s in state), gradients, of_all[len(parameters) :])


def assert_gradients(outcome: Outcome, expected: Sequence[Gradients], *, rtol: float, initial: bool = True) -> None:
    """Hold every gradient of every replica against the oracle's, relatively; a zero must be exactly zero."""
    for replica, of_replica in enumerate(expected):
        for name, gradient in outcome.gradients.items():
            message = f"{name} of replica {replica}"
            assert_allclose(gradient[replica], of_replica.parameters[name], rtol=rtol, atol=0, err_msg=message)
        if initial:
            for mine, theirs in zip(outcome.of_initial, (of_replica.h0, of_replica.c0, of_replica.g0), strict=False):
                assert_allclose(mine[replica], theirs, rtol=rtol, atol=0, err_msg=f"initial state of replica {replica}")
