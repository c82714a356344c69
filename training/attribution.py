"""Along which path the error goes back: one backward pass, taken apart step by step, under many gradient flows at once.

C is the task's loss at the last step T, the mean over the sequences of a batch; u counts steps back from T. The states
of a passage are computed once; every flow (a set of paths that carry error) then sends the error of h(T) back through
the same states. A step is differentiated by autograd from the cell's own equations, so any cell can be measured:

    at       dC/ds(t), s = (h, c): the whole derivative, for c the share through h(t) of the same step included
    before   eps(t-1): what arrives at h(t-1) and c(t-1) from step t; at u = 0 only h(T) has an error, dC/dh(T)
    terms    dC/dW(t): the share of step t in dC/dW, W(t) being the copy of W that step t uses; their sum over u is
             the gradient of W under the flow

What adds up: the terms over u; the contributions of `split` over the paths; the Shapley values over the paths. What
does not: norms, and the errors under single paths over several steps, for error may change paths on its way.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor

from models.cell import Cell, Parameters, State
from models.network import Network
from tasks.task import Task
from training.evaluation import Tensors

Paths = frozenset[str]
"""The paths that carry error: a gradient flow without a window."""


class Passage(NamedTuple):
    """A batch of sequences gone through once: R replicas, T steps, B sequences."""

    cell: Cell
    parameters: Parameters
    """The cell's, (R, ...) by symbol."""
    inputs: Tensor  # (R, T, B, features)
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
        symbols = self.cell.state_symbols[: len(self.cell.state_sizes)]
        return {symbol: place for place, symbol in enumerate(symbols) if symbol in ("h", "c")}


class Bundle(NamedTuple):
    """Several flows through one passage: the weights once per flow and replica, the flow first."""

    passage: Passage
    flows: Sequence[Paths]
    leaves: dict[str, Tensor]  # (F * R, ...) by symbol
    open: dict[str, Tensor]
    """1 where a path carries error, 0 where not: (F * R, 1, 1) by path."""


class Arrival(NamedTuple):
    """The error of one step under F flows."""

    u: int
    at: State  # (F, R, B, n) each
    before: State  # (F, R, B, n) each
    terms: dict[str, Tensor]  # (F, R, ...) by symbol


def go_forward(network: Network, weights: Tensor, *, task: Task, data: Tensors) -> Passage:
    """Go through the sequences with weights (R, P), and differentiate the loss of the last step by h(T)."""
    parameters = {symbol: value.detach() for symbol, value in network.by_symbol(weights).items()}
    cell, size = network.cell, data.starts.shape
    with torch.no_grad():
        initial = tuple(weights.new_zeros(*size, n) for n in cell.state_sizes)
        states: list[State] = [initial]
        prepared = cell.prepare(parameters)
        for step in range(data.inputs.shape[1]):
            projected = cell.project(prepared, data.inputs[:, step : step + 1])[:, 0]
            new = cell.step(prepared, projected, state=states[-1], via=lambda _, tensor: tensor)
            running = (data.starts <= step)[..., None]
            states.append(tuple(torch.where(running, n, s) for n, s in zip(new, initial, strict=True)))
    h = states[-1][0].clone().requires_grad_()
    V = parameters["V"]
    b_y = parameters.get("b_y", V.new_zeros(V.shape[0], V.shape[2]))
    loss = task.loss(network.kernel.readout(h[:, None], V, b_y), data.targets[:, -1:])
    (error,) = torch.autograd.grad(loss.sum(), h)
    of_cell = {symbol: parameters[symbol] for symbol in cell.shapes}
    return Passage(cell, of_cell, data.inputs, data.starts, states, error)


def bundle(passage: Passage, flows: Sequence[Paths]) -> Bundle:
    """Send several flows through a passage side by side."""
    like, replicas = passage.error, passage.error.shape[0]
    leaves = {
        symbol: _per_flow(value, count=len(flows)).requires_grad_() for symbol, value in passage.parameters.items()
    }
    is_open = {
        path: like.new_tensor([[float(path in flow)] for flow in flows]).expand(-1, replicas).reshape(-1, 1, 1)
        for path in passage.cell.paths
    }
    return Bundle(passage, flows, leaves, is_open)


def go_back(passage: Passage, flows: Sequence[Paths]) -> Iterator[Arrival]:
    """Yield the error of every step under every flow, from the last step (u = 0) to the first (u = T - 1)."""
    bundled = bundle(passage, flows)
    arriving = tuple(torch.zeros_like(state).expand(len(flows), *state.shape) for state in passage.states[-1])
    arriving = (passage.error.expand(len(flows), *passage.error.shape), *arriving[1:])
    for u in range(passage.steps):
        arrival = step_back(bundled, u=u, arriving=arriving)
        yield arrival
        arriving = arrival.before


def step_back(bundled: Bundle, *, u: int, arriving: State) -> Arrival:
    """Send errors (F, R, B, n) that arrive at the state of step T - u back through this step, each along its flow."""
    passage, flows, leaves, is_open = bundled
    cell, count, step = passage.cell, len(flows), passage.steps - 1 - u
    state = tuple(_per_flow(tensor, count=count).requires_grad_() for tensor in passage.states[step])
    inputs = _per_flow(passage.inputs[:, step : step + 1], count=count)
    prepared = cell.prepare(leaves)
    projected = cell.project(prepared, inputs)[:, 0]
    new = cell.step(prepared, projected, state=state, via=_masked(is_open))
    running = (passage.starts <= step)[..., None]
    errors = [torch.where(running, error, 0).flatten(0, 1) for error in arriving]
    asked = [*new, *state, *leaves.values()]
    found = torch.autograd.grad(new, asked, grad_outputs=errors, allow_unused=True)
    grads = [
        (torch.zeros_like(tensor) if grad is None else grad).unflatten(0, (count, -1))
        for tensor, grad in zip(asked, found, strict=True)
    ]
    kinds = len(new)
    at, before, terms = grads[:kinds], grads[kinds : 2 * kinds], grads[2 * kinds :]
    return Arrival(u, tuple(at), tuple(before), dict(zip(leaves, terms, strict=True)))


def split(passage: Passage, *, u: int, arriving: State) -> dict[str, State]:
    """Split by path what step T - u sends back of the errors (R, B, n) that arrive at it under the full flow.

    Opens the paths one after another in the order of `cell.paths`; a path's contribution (R, B, n) to eps(t-1) is what
    its opening adds. They sum to eps(t-1) exactly. For the LSTM, `cell`, `gates`, `block_input` and `peepholes` carry
    what they carry alone; `output_peephole` stays within the step: its contribution is what p_o do(t) adds to dc(t),
    by whichever path that goes on.
    """
    paths = passage.cell.paths
    prefixes = [frozenset(paths[:count]) for count in range(len(paths) + 1)]
    errors = tuple(error.expand(len(prefixes), *error.shape) for error in arriving)
    before = step_back(bundle(passage, prefixes), u=u, arriving=errors).before
    return {path: tuple(eps[count + 1] - eps[count] for eps in before) for count, path in enumerate(paths)}


def subsets(paths: Sequence[str]) -> list[Paths]:
    """Return every set of paths but the empty one, the small ones first."""
    return [frozenset(some) for size in range(1, len(paths) + 1) for some in combinations(paths, size)]


def shapley(errors: dict[Paths, Tensor], *, paths: Sequence[str]) -> dict[str, Tensor]:
    """Return each path's Shapley value: what it adds to the error, averaged over all orders of opening the paths.

    `errors` holds the error under every subset that is not empty; under none it is 0 from u = 1 on. The values are
    vectors like the errors, and sum to the error under all paths.
    """
    nothing = torch.zeros_like(errors[frozenset(paths)])
    known, n = {frozenset[str](): nothing, **errors}, len(paths)
    values = {}
    for path in paths:
        others = [subset for subset in known if path not in subset]
        weights = [math.factorial(len(s)) * math.factorial(n - len(s) - 1) / math.factorial(n) for s in others]
        added = [w * (known[s | {path}] - known[s]) for w, s in zip(weights, others, strict=True)]
        values[path] = torch.stack(added).sum(dim=0)
    return values


def steps_back(steps: int, *, lag: int) -> list[int]:
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


def _per_flow(tensor: Tensor, *, count: int) -> Tensor:
    """Repeat a tensor (R, ...) for every flow: (F * R, ...)."""
    return tensor.detach().expand(count, *tensor.shape).flatten(0, 1).clone()


def _masked(is_open: dict[str, Tensor]) -> Callable[[str, Tensor], Tensor]:
    def via(path: str, tensor: Tensor) -> Tensor:
        passed: Tensor = _Passed.apply(tensor, is_open[path])
        return passed

    return via


class _Passed(torch.autograd.Function):
    """Passes a value on as it is, and its error multiplied by a mask."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return error * mask, None
