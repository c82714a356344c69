"""One backward pass, step by step and under many gradient flows at once: the error and the gradient of every step.

C is a cost of the last hidden state h(T), say the task's loss at the last step, the mean over the sequences of a batch;
u counts steps back from T. The states are computed once; every flow (a set of paths that carry error) then sends the
error of h(T) back through the same states. A step is differentiated by autograd from the cell's own equations, so any
cell can be measured. For step t = T - u:

    at       dC/ds(t), s = (h, c ...): the whole derivative, for c the share through h(t) of the same step included
    before   eps(t-1): what arrives at h(t-1) and c(t-1) from step t; at u = 0 only h(T) has an error, dC/dh(T)
    input    dC/dx(t)
    terms    dC/dW(t): the share of step t in dC/dW, W(t) being the copy of W that step t uses; their sum over u is
             the gradient of W under the flow

What adds up: the terms over u; the contributions of `split_by_path` over the paths; the Shapley values over the paths.
What does not: norms, and the errors under single paths over several steps, for error may change paths on its way.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from models.cell import Cell, Parameters, State
from models.network import Network
from tasks.task import Task
from training.evaluation import Tensors

Paths = frozenset[str]
"""The paths that carry error: a gradient flow without a window."""


class ForwardPass(NamedTuple):
    """A batch of sequences with all states of a cell: R replicas, T steps, B sequences."""

    cell: Cell
    parameters: Parameters
    """The cell's, (R, ...) by symbol."""
    inputs: Tensor  # (R, T, B, features), or indices (R, T, B)
    starts: Tensor  # (R, B)
    states: list[State]
    """The initial state, then that after every step: T + 1 of tensors (R, B, n)."""
    error: Tensor
    """dC/dh(T): (R, B, H)."""

    @property
    def steps(self) -> int:
        """The length T of the sequences."""
        return len(self.states) - 1

    @property
    def measured(self) -> dict[str, int]:
        """The states that are measured, h and if there is one c, and their places in the state."""
        return {symbol: place for place, symbol in enumerate(self.cell.state_symbols) if symbol in ("h", "c")}


class BackwardStep(NamedTuple):
    """The error and the gradient of one step under F flows."""

    u: int
    arriving: State  # (F, R, B, n) each
    at: State  # (F, R, B, n) each; zero for a state that carries no error
    before: State  # (F, R, B, n) each
    input: Tensor | None  # (F, R, B, features); None where inputs are indices, which have no derivative
    terms: dict[str, Tensor]  # (F, R, ...) by symbol, summed over the sequences


def run_network(network: Network, weights: Tensor, *, task: Task, data: Tensors) -> ForwardPass:
    """Run a network with weights (R, P) over sequences; C is the task's loss at the last step."""
    parameters = {symbol: value.detach() for symbol, value in network.by_symbol(weights).items()}
    V = parameters["V"]
    b_y = parameters.get("b_y", V.new_zeros(V.shape[0], V.shape[2]))

    def cost(hidden: Tensor) -> Tensor:
        return task.loss(network.kernel.readout(hidden[:, None], V, b_y), data.targets[:, -1:])

    return run_cell(network.cell, parameters, inputs=data.inputs, starts=data.starts, cost=cost)


def run_cell(
    cell: Cell, parameters: Parameters, *, inputs: Tensor, starts: Tensor, cost: Callable[[Tensor], Tensor]
) -> ForwardPass:
    """Run a cell over sequences (R, T, B, features), and differentiate the sum of a cost of h(T) (R, B, H).

    `starts` (R, B) is the first step of each sequence, before which its state is zero.
    """
    weights = {symbol: parameters[symbol].detach() for symbol in cell.shapes}
    with torch.no_grad():
        like = next(iter(weights.values()))
        initial = tuple(like.new_zeros(*starts.shape, n) for n in cell.state_sizes)
        states: list[State] = [initial]
        prepared = cell.prepare(weights)
        for step in range(inputs.shape[1]):
            projected = cell.project(prepared, inputs[:, step : step + 1])[:, 0]
            new = cell.step(prepared, projected, state=states[-1], via=lambda _, tensor: tensor)
            running = (starts <= step)[..., None]
            states.append(tuple(torch.where(running, n, s) for n, s in zip(new, initial, strict=True)))
    h = states[-1][0].clone().requires_grad_()
    (error,) = torch.autograd.grad(cost(h).sum(), h)
    return ForwardPass(cell, weights, inputs, starts, states, error)


def run_backward(forward: ForwardPass, flows: Sequence[Paths]) -> Iterator[BackwardStep]:
    """Yield the error of every step under every flow, from the last step (u = 0) to the first (u = T - 1)."""
    whole = (forward.error, *(torch.zeros_like(state) for state in forward.states[-1][1:]))
    arriving = tuple(error.expand(len(flows), *error.shape) for error in whole)
    for u in range(forward.steps):
        backward = step_back(forward, flows, u=u, arriving=arriving)
        yield backward
        arriving = backward.before


def step_back(forward: ForwardPass, flows: Sequence[Paths], *, u: int, arriving: State) -> BackwardStep:
    """Send errors (F, R, B, n) that arrive at the state of step T - u back through this step, each along its flow.

    The flows are computed next to each other, as F * R replicas, with the flow first.
    """
    cell, step, (replicas, *_) = forward.cell, forward.steps - 1 - u, forward.error.shape

    def repeat(tensor: Tensor) -> Tensor:
        repeated = tensor.detach().expand(len(flows), *tensor.shape).flatten(0, 1).clone()
        return repeated.requires_grad_(tensor.is_floating_point())

    leaves = {symbol: repeat(value) for symbol, value in forward.parameters.items()}
    state = tuple(repeat(tensor) for tensor in forward.states[step])
    inputs = repeat(forward.inputs[:, step : step + 1])
    carries = {path: torch.tensor([[path in flow] * replicas for flow in flows]).view(-1, 1, 1) for path in cell.paths}

    def cut(path: str, tensor: Tensor) -> Tensor:
        return torch.where(carries[path], tensor, tensor.detach())

    prepared = cell.prepare(leaves)
    new = cell.step(prepared, cell.project(prepared, inputs)[:, 0], state=state, via=cut)
    running = (forward.starts <= step)[..., None]
    errors = [torch.where(running, error, 0).flatten(0, 1) for error in arriving]
    outputs = [(tensor, error) for tensor, error in zip(new, errors, strict=True) if tensor.requires_grad]
    sources = [source for source in (*new, *state, inputs, *leaves.values()) if source.requires_grad]
    grads = torch.autograd.grad(
        [tensor for tensor, _ in outputs],
        sources,
        grad_outputs=[error for _, error in outputs],
        allow_unused=True,
        materialize_grads=True,
    )
    by_source = {id(source): grad for source, grad in zip(sources, grads, strict=True)}

    def error_of(source: Tensor) -> Tensor:
        return by_source.get(id(source), torch.zeros_like(source)).unflatten(0, (len(flows), replicas))

    return BackwardStep(
        u,
        arriving=arriving,
        at=tuple(map(error_of, new)),
        before=tuple(map(error_of, state)),
        input=error_of(inputs)[:, :, 0] if inputs.requires_grad else None,
        terms={symbol: error_of(leaf) for symbol, leaf in leaves.items()},
    )


def split_by_path(forward: ForwardPass, *, u: int, arriving: State) -> dict[str, State]:
    """Split by path what step T - u sends back of the errors (R, B, n) that arrive at it under the full flow.

    Opens the paths one after another in the order of `cell.paths`; a path's contribution (R, B, n) to eps(t-1) is what
    its opening adds. They sum to eps(t-1) exactly. For the LSTM, `cell`, `gates`, `block_input` and `peepholes` carry
    what they carry alone; `output_peephole` stays within the step: its contribution is what p_o do(t) adds to dc(t),
    by whichever path that goes on.
    """
    paths = forward.cell.paths
    prefixes = [frozenset(paths[:count]) for count in range(len(paths) + 1)]
    errors = tuple(error.expand(len(prefixes), *error.shape) for error in arriving)
    before = step_back(forward, prefixes, u=u, arriving=errors).before
    return {path: tuple(eps[count + 1] - eps[count] for eps in before) for count, path in enumerate(paths)}


def list_subsets(paths: Sequence[str]) -> list[Paths]:
    """Return every set of paths but the empty one, the small ones first."""
    return [frozenset(some) for size in range(1, len(paths) + 1) for some in combinations(paths, size)]


def compute_shapley(errors: dict[Paths, Tensor], *, paths: Sequence[str]) -> dict[str, Tensor]:
    """Return each path's Shapley value: what it adds to the error, averaged over all orders of opening the paths.

    `errors` holds the error under every subset that is not empty; under none it is 0 from u = 1 on. The values are
    vectors like the errors, and sum to the error under all paths.
    """
    nothing = torch.zeros_like(errors[frozenset(paths)])
    by_subset, n = {frozenset[str](): nothing, **errors}, len(paths)
    values = {}
    for path in paths:
        others = [subset for subset in by_subset if path not in subset]
        weights = [math.factorial(len(s)) * math.factorial(n - len(s) - 1) / math.factorial(n) for s in others]
        added = [w * (by_subset[s | {path}] - by_subset[s]) for w, s in zip(weights, others, strict=True)]
        values[path] = torch.stack(added).sum(dim=0)
    return values
