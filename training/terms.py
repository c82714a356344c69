"""One backward pass taken apart: the gradient at every step's input and state, and every step's term of the gradient.

A weight is used at every step, so its gradient is a sum over the steps: dC/dW = sum over u of dC/dW(T-u), where W(t) is
the copy of W that step t uses. Each step is given a copy of its own, and autograd does the rest.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from models.cell import Cell, Parameters, State
from models.gradient_flow import GradientFlow

Cost = Callable[[Tensor], Tensor]
"""From the last hidden state h(T) (R, B, H) to a cost; what is differentiated is its sum."""


class Unrolled(NamedTuple):
    """The states of a sequence and the leaves that they were made from."""

    inputs: Tensor  # (R, T, B, features), a leaf
    copies: dict[str, Tensor]  # (R, T, ...) by symbol, leaves: entry t is what step t used
    states: list[State]  # T states of tensors (R, B, n)


class Parts(NamedTuple):
    """What one backward pass is made of."""

    of_inputs: Tensor  # dC/dx(t): (R, T, B, features); zero where the inputs are symbols, which have no derivative
    of_states: tuple[Tensor, ...]  # dC/dh(t), dC/dc(t): (R, T, B, n) each
    terms: dict[str, Tensor]  # dC/dW(t) by symbol, summed over the sequences: (R, T, ...)

    def term_norms(self) -> Tensor:
        """Return the norm of each step's term over all weights: (R, T)."""
        return torch.stack([term.flatten(2).square().sum(dim=2) for term in self.terms.values()]).sum(dim=0).sqrt()


def unroll_apart(
    cell: Cell, parameters: Parameters, *, inputs: Tensor, flow: GradientFlow, starts: Tensor | None = None
) -> Unrolled:
    """Unroll a cell over whole sequences (R, T, B, features) with copies of the weights per step.

    `starts` (R, B) is the first step of each sequence, before which its state is zero; till all have begun, dC/dc(t) is
    without the share through h(t). The flow's window is not looked at: it is the paths that are taken apart.
    """
    via = flow.via(cell.paths)
    replicas, steps, batch = inputs.shape[:3]
    leaf = inputs.detach().clone().requires_grad_(inputs.is_floating_point())
    copies = {
        symbol: value.detach()[:, None].repeat(1, steps, *[1] * (value.ndim - 1)).requires_grad_()
        for symbol, value in parameters.items()
        if symbol in cell.shapes
    }
    like = next(iter(copies.values()))
    initial: State = tuple(like.new_zeros(replicas, batch, size) for size in cell.state_sizes)
    begun = 0 if starts is None else int(starts.max())
    states: list[State] = []
    for t in range(steps):
        prepared = cell.prepare({symbol: copy[:, t] for symbol, copy in copies.items()})
        projected = cell.project(prepared, leaf[:, t : t + 1])[:, 0]
        new = cell.step(prepared, projected, state=states[-1] if states else initial, via=via)
        if starts is not None and t < begun:
            running = (starts <= t)[..., None]
            new = tuple(torch.where(running, n, s) for n, s in zip(new, initial, strict=True))
        states.append(new)
    return Unrolled(leaf, copies, states)


def take_apart(unrolled: Unrolled, cost: Cost) -> Parts:
    """Differentiate the cost of the last hidden state by everything that it came from."""
    flat = [tensor for state in unrolled.states for tensor in state]
    leaves = [unrolled.inputs, *unrolled.copies.values(), *flat]
    asked = [leaf for leaf in leaves if leaf.requires_grad]
    found = iter(torch.autograd.grad(cost(unrolled.states[-1][0]).sum(), asked, allow_unused=True))
    grads = [next(found) if leaf.requires_grad else None for leaf in leaves]
    made = [torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(leaves, grads, strict=True)]
    count = len(unrolled.copies)
    of_inputs, terms, of_states = made[0], made[1 : count + 1], made[count + 1 :]
    kinds = len(unrolled.states[0])
    return Parts(
        of_inputs,
        tuple(torch.stack(of_states[kind::kinds], dim=1) for kind in range(kinds)),
        dict(zip(unrolled.copies, terms, strict=True)),
    )
