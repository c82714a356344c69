"""Exact derivatives of a condition's networks at their initial weights: one step along each path, and all steps' terms.

One step. J = dc(t)/dc(t-1) is (H, H): how a change of the cell state reaches the next one along the paths that a flow
leaves open. Along `cell` it is diag(f(t)), the identity without a forget gate; the other paths add to it, those from
h(t-1) because h(t-1) = o(t-1) tanh(c(t-1)).

All steps. The gradient of a weight is the sum over the steps of its terms, dC/dW = sum over u of dC/dW(T-u).

C is the task's loss at the last step, the mean over the sequences. Float64, no training, the same sequences for every
model.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, Parameters, State, project_inputs
from models.gradient_flow import GradientFlow
from tasks.task import Task
from training.evaluation import compute_gradient, to_tensors
from training.gradients.backward import ForwardPass, run_backward, run_network
from training.networks import load_network, open_streams, use_reference

SEQUENCES, STEPS = 4, 16
"""Sequences of the validation stream, and steps of each, evenly spaced, at which J is taken."""


def compute_rows(settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one row per flow and seed of the initial networks that `settings` describes: `seeds`, `task` and `model`.

    The numbers are those of `workflow/tables/derivatives.py`, NaN where one does not exist. The flows are `full`,
    `truncated_1997` (the cell path alone) and the cell path with each other path; a cell without a cell path has `full`
    alone.
    """
    network, task, like = load_network(use_reference({**settings, "training": {}}))
    labels = {"task": settings["task"]["name"], "lag": task.lag, "model": settings["model"]["name"]}
    initial = [
        network.initialise(rng, sequence_length=task.sequence_length) for rng in open_streams("weights", settings)
    ]
    weights = torch.from_numpy(np.stack(initial)).to(like)
    validation = [task.sample(rng, SEQUENCES) for rng in open_streams("validation", settings)]
    data = to_tensors(validation, rows=range(len(initial)), like=weights)
    forward = run_network(network, weights, task=task, data=data)
    at_end = data._replace(targets=data.targets[:, -1:])
    for name, flow in _list_flows(network.cell).items():
        _, gradient = compute_gradient(network, weights, task=task, data=at_end, flow=flow)
        by_symbol = network.by_symbol(gradient)
        whole = torch.cat([by_symbol[symbol].flatten(1) for symbol in network.cell.shapes], dim=1)  # (R, P)
        columns = _measure_terms(forward, flow=flow, whole=whole, task=task) | _measure_step(forward, flow=flow)
        for row, seed in enumerate(settings["seeds"]):
            yield labels | {"flow": name, "seed": seed} | {key: value[row].item() for key, value in columns.items()}


def step_jacobian(cell: Cell, parameters: Parameters, *, inputs: Tensor, state: State, flow: GradientFlow) -> Tensor:
    """Return J = dc(t)/dc(t-1) along a flow: (R, N, H, H), of N pairs of steps, entry [k, j] that of c_k by c_j.

    `inputs` (R, 2, N, features) are those of t-1 and t, `state` that of t-2, (R, N, H) each. c(t-1) is changed by way
    of c(t-2) along the cell path alone, and divided by the change: so the cell's own equations say how h(t-1) follows.
    """
    place, state = cell.state_symbols.index("c"), tuple(tensor.detach() for tensor in state)
    c = state[place].requires_grad_()
    prepared = cell.prepare(parameters)
    before, now = cell.project(prepared, inputs).unbind(dim=1)
    entering = GradientFlow(flow.paths & {"cell", "output_peephole"})
    changed = cell.step(prepared, before, state=state, via=entering.via(cell.paths))
    (into,) = torch.autograd.grad(changed[place].sum(), c, retain_graph=True)
    out = cell.step(prepared, now, state=changed, via=flow.via(cell.paths))[place]
    rows = [torch.autograd.grad(out[..., unit].sum(), c, retain_graph=True)[0] / into for unit in range(c.shape[-1])]
    return torch.stack(rows, dim=-2)


def compute_forget_gates(cell: Cell, parameters: Parameters, *, inputs: Tensor, state: State) -> Tensor:
    """Return f(t) by the equations of `models/lstm.py` from x(t) and the state of t-1, (R, N, ...); 1 without one."""
    coupled = bool(getattr(cell, "coupled_gates", False))
    gate = "i" if coupled else "f"
    if f"W_{gate}" not in parameters:
        return torch.ones_like(state[cell.state_symbols.index("c")])
    hidden, memory, *before = state
    projected = project_inputs(inputs[:, None], parameters[f"W_{gate}"], parameters[f"b_{gate}"])[:, 0]
    net = projected + hidden @ parameters[f"U_{gate}"]
    if f"p_{gate}" in parameters:
        net = net + parameters[f"p_{gate}"][:, None] * memory
    if f"R_{gate}{gate}" in parameters:
        sources = [symbol[2] for symbol in parameters if symbol.startswith("R_") and symbol.endswith(gate)]
        net = net + before[0] @ torch.cat([parameters[f"R_{source}{gate}"] for source in sources], dim=1)
    return 1 - torch.sigmoid(net) if coupled else torch.sigmoid(net)


def _list_flows(cell: Cell) -> dict[str, GradientFlow]:
    flows = {"full": set(cell.paths)}
    if "cell" in cell.paths:
        flows["truncated_1997"] = {"cell"}
        flows |= {f"cell_and_{path}": {"cell", path} for path in cell.paths if path != "cell"}
    return {name: GradientFlow(frozenset(paths)) for name, paths in flows.items()}


def _measure_terms(forward: ForwardPass, *, flow: GradientFlow, whole: Tensor, task: Task) -> dict[str, Tensor]:
    """Return the numbers about the terms, (R,) each; `whole` is the gradient of the cell's weights (R, P)."""
    steps = list(run_backward(forward, [flow.paths]))
    flat = [torch.cat([term[0].flatten(1) for term in step.terms.values()], dim=1) for step in reversed(steps)]
    place = list(forward.measured.values())[-1]
    at_end, at_lag = (steps[u].at[place][0].flatten(1).norm(dim=1) for u in (0, task.lag))
    terms = torch.stack(flat, dim=1)  # (R, T, P)
    norms = terms.norm(dim=2)
    largest, size, beyond = norms.amax(dim=1), whole.norm(dim=1), task.sequence_length - task.lag
    return {
        "factor_per_step": (at_lag / at_end) ** (1 / task.lag),
        "sum_deviation": (terms.sum(dim=1) - whole).norm(dim=1) / size,
        "whole_over_largest": size / largest,
        "lag_over_largest": norms[:, beyond - 1] / largest,
        "beyond_lag": terms[:, :beyond].sum(dim=1).norm(dim=1) / size,
    }


def _measure_step(forward: ForwardPass, *, flow: GradientFlow) -> dict[str, Tensor]:
    """Return the numbers about J, (R,) each; NaN for a cell without a cell path."""
    cell, parameters, inputs, starts, states, _ = forward
    if "cell" not in cell.paths or "c" not in cell.state_symbols:
        missing = torch.full((len(inputs),), torch.nan)
        return dict.fromkeys(("deviation_from_one", "deviation_from_gate", "added"), missing)
    steps = torch.linspace(int(starts.max()) + 2, forward.steps - 1, min(STEPS, forward.steps - 2))
    chosen = steps.long().unique().tolist()

    def state_after(back: int) -> State:
        """Return the states of `back` steps before the chosen ones, (R, N, n) each."""
        after = [states[step - back + 1] for step in chosen]
        return tuple(torch.cat(tensors, dim=1) for tensors in zip(*after, strict=True))

    x = torch.stack([torch.cat([inputs[:, step - back] for step in chosen], dim=1) for back in (1, 0)], dim=1)
    J = step_jacobian(cell, parameters, inputs=x, state=state_after(2), flow=flow)
    gates = compute_forget_gates(cell, parameters, inputs=x[:, 1], state=state_after(1))
    added = J - torch.diag_embed(gates)
    return {
        "deviation_from_one": (J - torch.eye(J.shape[-1], dtype=J.dtype)).abs().flatten(1).amax(dim=1),
        "deviation_from_gate": added.abs().flatten(1).amax(dim=1),
        "added": torch.linalg.matrix_norm(added, ord=2).median(dim=1).values,
    }
