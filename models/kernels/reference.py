"""The reference kernel: eager torch, autograd and detach; any cell, device and dtype.

In float64 it is the truth that every other kernel is tested against.
"""

import torch
from torch import Tensor

from models.cell import Cell, Parameters, State
from models.gradient_flow import GradientFlow
from models.kernels.guards import guard_version


def supports(cell: Cell, *, dtype: torch.dtype, device: torch.device) -> bool:
    """Return that this kernel takes any cell, dtype and device."""
    return True


def unroll(
    cell: Cell,
    parameters: Parameters,
    *,
    inputs: Tensor,
    flow: GradientFlow,
    starts: Tensor | None = None,
    initial: State | None = None,
    first_target: int = 0,
) -> tuple[Tensor, State]:
    """Unroll a cell over sequences so that autograd sends the error back along `flow`, and nowhere else.

    `inputs` is (R, T, B, features), or indices (R, T, B) as `models.cell.project_inputs` takes them; `initial` the
    state before the first step, tensors (R, B, n), zero if not given; `starts` (R, B) the first step of each sequence,
    before which its state stays the initial one. Returns the hidden states of the steps from `first_target` on,
    (R, T - first_target, B, H), and the last state. Steps that no loss from `first_target` on can reach under the
    flow's window are computed without a graph.
    """
    own = cell.unroll(parameters, inputs=inputs, flow=flow, starts=starts, initial=initial, first_target=first_target)
    if own is not None:
        return own
    via = flow.via(cell.paths)
    replicas, sequence_length, batch = inputs.shape[:3]
    if initial is None:
        like = next(iter(parameters.values()))
        initial = tuple(like.new_zeros(replicas, batch, size) for size in cell.state_sizes)
    prepared = cell.prepare({symbol: guard_version(value) for symbol, value in parameters.items()})
    projected = cell.project(prepared, inputs).unbind(dim=1)
    ragged = 0 if starts is None else int(starts.max())

    def run(state: State, steps: range) -> list[State]:
        states = []
        for t in steps:
            new = cell.step(prepared, projected[t], state=state, via=via)
            if t < ragged and starts is not None:
                running = (starts <= t)[..., None]
                new = tuple(torch.where(running, n, s) for n, s in zip(new, initial, strict=True))
            states.append(new)
            state = new
        return states

    windows = [window for window in flow.windows(sequence_length) if window.end > first_target]
    begin = windows[0].start
    with torch.no_grad():
        states = run(initial, range(begin))
    hidden: list[Tensor] = []
    for window in windows:
        state = _detached(states[window.start - begin - 1]) if window.start else initial
        begin = window.start
        states = run(state, range(window.start, window.end))
        hidden += [new[0] for new in states[max(window.losses, first_target) - window.start :]]
    return torch.stack(hidden, dim=1), states[-1]


def readout(hidden: Tensor, V: Tensor, b: Tensor) -> Tensor:
    """Return h V + b: hidden (R, S, B, H), V (R, H, n) and b (R, n) to (R, S, B, n)."""
    flat = torch.baddbmm(b[:, None, :], hidden.flatten(1, 2), V)
    return flat.unflatten(1, hidden.shape[1:3])


def _detached(state: State) -> State:
    return tuple(tensor.detach() for tensor in state)
