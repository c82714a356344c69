"""The fused CPU kernel: all replicas of a condition, float32, replicas shared out among threads.

A replica's arithmetic is the same whoever else is in the batch and however many threads there are: one thread computes
it from start to end, in a fixed order, with products that no other replica shares.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  the BLAS that numba calls: loaded here, so that its threads can be limited
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.cell import Cell, Parameters, State
from models.gradient_flow import GradientFlow
from models.kernels import fused
from models.kernels.elementwise import ZERO, Array

if TYPE_CHECKING:
    from models.lstm import LSTMCell
    from models.rnn import RNNCell

WORTH_A_THREAD = 4_000_000
"""Multiplications (about 0.1 ms) below which another thread costs more than it saves."""


class Fused(NamedTuple):
    """What the time loop must know of a cell."""

    kind: int
    blocks: tuple[str, ...]
    """Suffixes of the parameters U, W, b, in the order of the activations."""
    paths_from_h: tuple[str, ...]
    """The path that carries the error of each block back to h(t-1)."""
    peepholes: bool = False


class _Plan(NamedTuple):
    """What a call needs beside its tensors."""

    about: Fused
    paths: frozenset[str]
    windows: NDArray[np.int64]  # (n, 3): those that a loss enters
    first: int
    begin: int
    """The first step that a backward pass reaches; T if there will be none."""


def describe(cell: Cell) -> Fused | None:
    """Return the fused version of a cell, or None if it has none."""
    version = FUSED.get(type(cell).__name__)
    return version(cell) if version else None


def _rnn(cell: "RNNCell") -> Fused:
    return Fused(fused.RNN, ("",), ("recurrent",))


def _lstm(cell: "LSTMCell") -> Fused:
    kind = fused.LSTM if cell.forget_gate else fused.LSTM_WITHOUT_FORGET_GATE
    paths = tuple("block_input" if gate == "z" else "gates" for gate in cell.gates)
    return Fused(kind, tuple(f"_{gate}" for gate in cell.gates), paths, cell.peepholes)


# By name: were the cells imported, a change of one would make the runs of every other stale.
FUSED: dict[str, Callable[[Any], Fused]] = {"RNNCell": _rnn, "LSTMCell": _lstm}


def supports(cell: Cell, *, dtype: torch.dtype, device: torch.device) -> bool:
    """Say whether this kernel can unroll the cell in this dtype on this device."""
    return describe(cell) is not None and dtype == torch.float32 and device.type == "cpu"


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
    """Unroll a cell as `models.kernels.reference.unroll` does, fused, in float32 on the CPU; differentiable once.

    Kept for the backward pass: `fused.Kept` of the steps that it reaches under the flow's window, or of one step.
    """
    flow.check(cell.paths)
    about = describe(cell)
    came = {(tensor.device.type, tensor.dtype) for tensor in (inputs, *parameters.values(), *(initial or ()))}
    if about is None or came != {("cpu", torch.float32)}:
        tensors = " and ".join(f"{dtype} on {device}" for device, dtype in sorted(came, key=str))
        raise ValueError(
            f"the cpu kernel unrolls rnn and lstm in torch.float32 on cpu; came: {type(cell).__name__} in {tensors}; "
            "the reference kernel takes any"
        )
    replicas, sequence_length, batch, _ = inputs.shape
    if initial is None:
        initial = (inputs.new_zeros(replicas, batch, cell.hidden_size),) * cell.state_size
    if starts is None:
        starts = torch.zeros(replicas, batch, dtype=torch.int64)
    operands = (*_stack(about, parameters), inputs, initial[0], initial[-1])
    windows = [window for window in flow.windows(sequence_length) if window.end > first_target]
    differentiable = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in operands)
    begin = windows[0].start if differentiable else sequence_length
    plan = _Plan(about, flow.paths, np.array(windows, np.int64), first_target, begin)
    outputs, *last = _Unroll.apply(*operands, starts, plan)
    return outputs, tuple(last[: cell.state_size])


def _stack(about: Fused, parameters: Parameters) -> tuple[Tensor, Tensor]:
    """Return [U; W; b] of all blocks (R, K, G H), and the peepholes of i f o (R, 3, H), zero where there are none."""
    blocks = [
        torch.cat([parameters[f"U{block}"], parameters[f"W{block}"], parameters[f"b{block}"][:, None]], dim=1)
        for block in about.blocks
    ]
    none = torch.zeros_like(parameters[f"b{about.blocks[0]}"])
    return torch.cat(blocks, dim=2), torch.stack([parameters.get(f"p_{gate}", none) for gate in "ifo"], dim=1)


class _Unroll(torch.autograd.Function):
    """From [U; W; b] (R, K, G H), p (R, 3, H), inputs, h and c (R, B, H) to outputs and the last h and c."""

    @staticmethod
    def forward(
        ctx: Any, M: Tensor, p: Tensor, inputs: Tensor, h: Tensor, c: Tensor, starts: Tensor, plan: _Plan
    ) -> tuple[Tensor, ...]:
        about, first, begin = plan.about, plan.first, plan.begin
        R, T, B, _ = inputs.shape
        _, K, GH = M.shape
        H = h.shape[-1]
        lstm = about.kind != fused.RNN
        Mt, h0, c0 = (_swapped(tensor) for tensor in (M, h, c))
        p_, x = p.numpy(), inputs.contiguous().numpy()
        starts_ = np.ascontiguousarray(starts.numpy(), np.int64)
        steps = max(T - begin, 1)
        kept = fused.Kept(
            s=np.empty((R, steps + 1, K, B), np.float32),
            a=np.empty((R, steps, GH, B), np.float32),
            c=np.empty((R, steps + 1, H, B) if lstm else (R, 1, 1, 1), np.float32),
            tanh_c=np.empty((R, steps, H, B) if lstm else (R, 1, 1, 1), np.float32),
        )
        outputs = np.empty((R, T - first, B, H), np.float32)

        def run(r: int) -> None:
            fused.forward(
                about.kind, about.peepholes, Mt[r], p_[r], x[r], starts_[r], h0[r], c0[r], first, begin,
                fused.Kept(*(part[r] for part in kept)), outputs[r],
            )  # fmt: skip

        _for_each_replica(run, R, work=R * T * B * GH * K)
        ctx.plan = plan
        ctx.save_for_backward(*(torch.from_numpy(array) for array in (Mt, p_, starts_, *kept)))
        last_h = torch.from_numpy(kept.s[:, T - begin, :H].swapaxes(1, 2).copy())
        last_c = torch.from_numpy(kept.c[:, T - begin].swapaxes(1, 2).copy()) if lstm else last_h.clone()
        return torch.from_numpy(outputs), last_h, last_c

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dout: Tensor, dlast_h: Tensor, dlast_c: Tensor) -> tuple[Tensor | None, ...]:
        about, paths, windows, first, begin = ctx.plan
        Mt, p, starts, *parts = (tensor.numpy() for tensor in ctx.saved_tensors)
        kept = fused.Kept(*parts)
        R, GH, K = Mt.shape
        B, H = dlast_h.shape[1:]
        T = first + dout.shape[1]
        is_open = np.repeat([path in paths for path in about.paths_from_h], H)
        of_lstm = np.array([path in paths for path in ("cell", "peepholes", "output_peephole")])
        Mh = np.ascontiguousarray(np.where(is_open[:, None], Mt[:, :, :H], ZERO).swapaxes(1, 2))
        Mx = np.ascontiguousarray(Mt[:, :, H : K - 1].swapaxes(1, 2))
        errors = fused.Errors(dout.contiguous().numpy(), _swapped(dlast_h), _swapped(dlast_c))
        gradients = fused.Gradients(
            M=np.zeros_like(Mt),
            p=np.zeros((R, 3 * H, B), np.float32),
            h0=np.zeros((R, H, B), np.float32),
            c0=np.zeros((R, H, B), np.float32),
            x=np.zeros((R, T, K - H - 1, B) if ctx.needs_input_grad[2] else (R, 0, 1, 1), np.float32),
        )

        def run(r: int) -> None:
            fused.backward(
                about.kind, about.peepholes, of_lstm, Mh[r], Mx[r], p[r], starts[r], windows, first, begin,
                fused.Kept(*(part[r] for part in kept)),
                fused.Errors(*(part[r] for part in errors)),
                fused.Gradients(*(part[r] for part in gradients)),
            )  # fmt: skip

        _for_each_replica(run, R, work=R * (T - begin) * B * GH * K)
        of_M, of_h, of_c, of_x = (torch.from_numpy(g.swapaxes(-1, -2)) for g in gradients if g is not gradients.p)
        of_p = torch.from_numpy(gradients.p.reshape(R, 3, H, B).sum(axis=3))
        return of_M, of_p, of_x if ctx.needs_input_grad[2] else None, of_h, of_c, None, None


def _swapped(tensor: Tensor) -> Array:
    """Return (R, n, m) as a contiguous (R, m, n)."""
    return np.ascontiguousarray(tensor.numpy().swapaxes(1, 2))


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has no threads but its own


def threads_for(replicas: int, *, work: int) -> int:
    """Return how many threads torch may use and `work` (multiplications) is worth."""
    return max(min(torch.get_num_threads(), replicas, work // WORTH_A_THREAD), 1)


def _for_each_replica(run: Callable[[int], None], replicas: int, *, work: int) -> None:
    """Run every replica once, BLAS on one thread each."""
    others = threads_for(replicas, work=work) - 1
    left = iter(range(replicas))

    def take() -> None:
        for r in left:
            run(r)

    with _blas().limit(limits=1):
        taking = [_pool(others).submit(take) for _ in range(others)]
        take()
        for other in taking:
            other.result()
