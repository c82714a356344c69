"""The fused CPU kernel: all replicas of a condition, float32, replicas shared out among threads.

A replica's arithmetic is the same whoever else is in the batch and however many threads there are: one thread computes
it from start to end, in a fixed order, with products that no other replica shares.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.cell import Cell, Parameters, State, one_hot
from models.gradient_flow import GradientFlow
from models.kernels import fused
from models.kernels.buffers import arrays, columns
from models.kernels.elementwise import VANILLA, Array, Switches
from models.kernels.guards import check_memory
from models.kernels.layout import Errors, Gradients, Kept, Scratch
from models.kernels.readout import readout as readout
from models.kernels.threads import for_each_range

if TYPE_CHECKING:
    from models.lstm import LSTMCell
    from models.rnn import RNNCell


class Fused(NamedTuple):
    """What the time loop must know of a cell."""

    kind: int
    blocks: tuple[str, ...]
    """Suffixes of the parameters U, W, b, in the order of the activations."""
    paths_from_h: tuple[str, ...]
    """The path that carries the error of each block back to h(t-1)."""
    peepholes: bool = False
    switches: Switches = VANILLA
    gates: str = ""
    """Those that are part of the state, in its order."""

    @property
    def symbols(self) -> list[str]:
        """The parameters, in the order in which the time loop gets them."""
        peepholes = [f"p{block}" for block in self.blocks if block != "_z"] if self.peepholes else []
        recurrences = [f"R_{source}{gate}" for source in self.gates for gate in self.gates]
        return [f"{kind}{block}" for block in self.blocks for kind in "UWb"] + peepholes + recurrences

    def is_open(self, paths: frozenset[str], *, size: int) -> NDArray[np.bool_]:
        """Return from which rows of the state (N,) to which net inputs (G H,) `paths` carry error."""
        from_h = [path in paths for path in self.paths_from_h]
        from_gates = ["gate_recurrence" in paths and block[1:] in self.gates for block in self.blocks]
        rows = [from_h, *[from_gates] * len(self.gates)]
        return np.repeat(np.repeat(np.array(rows), size, axis=0), size, axis=1)


class _Plan(NamedTuple):
    """What a call needs besides its tensors."""

    version: Fused
    paths: frozenset[str]
    windows: NDArray[np.int64]  # (n, 3): those that a loss enters
    first: int
    begin: int
    """The first step that a backward pass reaches; T if there will be none."""
    watched: tuple[Tensor, ...]
    """What must not be changed in place before the backward pass."""


def describe(cell: Cell) -> Fused | None:
    """Return the fused version of a cell, or None if it has none."""
    version = FUSED.get(type(cell).__name__)
    return version(cell) if version else None


def _rnn(cell: "RNNCell") -> Fused:
    return Fused(fused.RNN, ("",), ("recurrent",))


def _lstm(cell: "LSTMCell") -> Fused:
    switches = Switches(
        i="i" in cell.gates,
        f="f" in cell.gates,
        o="o" in cell.gates,
        coupled=cell.coupled_gates,
        linear_input=cell.input_activation == "identity",
        linear_output=cell.output_activation == "identity",
        gate_recurrence=cell.gate_recurrence,
    )
    kind = fused.LSTM if switches == VANILLA else fused.VARIANT
    blocks = tuple(f"_{block}" for block in cell.blocks)
    paths = tuple("block_input" if block == "z" else "gates" for block in cell.blocks)
    return Fused(kind, blocks, paths, cell.peepholes, switches, cell.gates if cell.gate_recurrence else "")


# By name: were the cells imported, a change of one would make the runs of every other stale.
FUSED: dict[str, Callable[[Any], Fused]] = {"RNNCell": _rnn, "LSTMCell": _lstm}


def supports(cell: Cell, *, dtype: torch.dtype, device: torch.device) -> bool:
    """Return whether this kernel can unroll the cell in this dtype on this device."""
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

    Kept for the backward pass: the weights, and `layout.Kept` of the steps that it reaches under the flow's window.
    Indices become one-hot vectors, so that memory and time grow with the features.
    """
    given = inputs
    if not inputs.is_floating_point():
        inputs = one_hot(inputs, features=cell.features, dtype=torch.float32)
    flow.check(cell.paths)
    version = describe(cell)
    came = {(tensor.device.type, tensor.dtype) for tensor in (inputs, *parameters.values(), *(initial or ()))}
    if version is None or came != {("cpu", torch.float32)}:
        tensors = " and ".join(f"{dtype} on {device}" for device, dtype in sorted(came, key=str))
        raise ValueError(
            f"the cpu kernel unrolls rnn and lstm in torch.float32 on cpu; came: {type(cell).__name__} in {tensors}; "
            "the reference kernel takes any"
        )
    replicas, sequence_length, batch, _ = inputs.shape
    if initial is None:
        initial = tuple(inputs.new_zeros(replicas, batch, size) for size in cell.state_sizes)
    if starts is None:
        starts = torch.zeros(replicas, batch, dtype=torch.int64, device="cpu")
    _check("inputs", inputs, (replicas, sequence_length, batch, cell.features))
    _check("starts", starts, (replicas, batch))
    for state, size in zip(initial, cell.state_sizes, strict=True):
        _check("an initial state", state, (replicas, batch, size))
    for symbol in version.symbols:
        _check(symbol, parameters[symbol], (replicas, *cell.shapes[symbol]))
    state = torch.cat([initial[0], initial[2]], dim=-1) if version.gates else initial[0]
    weights = [parameters[symbol] for symbol in version.symbols]
    operands = [tensor.resolve_neg() for tensor in (inputs, state, initial[1 % len(initial)], *weights)]
    check_memory([*operands, starts])
    windows = [window for window in flow.windows(sequence_length) if window.end > first_target]
    differentiable = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in operands)
    begin = windows[0].start if differentiable else sequence_length
    watched = (given, *initial, *weights)
    plan = _Plan(version, flow.paths, np.array(windows, np.int64), first_target, begin, watched)
    outputs, last, last_c = _Unroll.apply(plan, starts, *operands)
    if not version.gates:
        return outputs, (last, last_c)[: len(initial)]
    last_h, last_gates = last.split([cell.hidden_size, cell.state_sizes[2]], dim=-1)
    return outputs, (last_h, last_c, last_gates)


def _check(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse another shape: the time loop checks no bounds."""
    if tuple(tensor.shape) != shape or 0 in shape[:3]:
        raise ValueError(f"{name} must be {shape}, no axis of it 0; came: {tuple(tensor.shape)}")


def _stack(version: Fused, parameters: Sequence[Array], *, M: Array, p: Array) -> None:
    """Fill M (R, K, G H) with [U; R; W; b] of all blocks, and p (R, 3, H) with the peepholes of i f o, zero if none.

    By NumPy: torch's threads, once called, would spin and take the kernel's CPUs.
    """
    by_symbol = dict(zip(version.symbols, parameters, strict=True))
    for symbol, part in _views(version, M, size=p.shape[-1]).items():
        part[...] = by_symbol.get(symbol, 0)
    for row, gate in enumerate("ifo"):
        p[:, row] = by_symbol.get(f"p_{gate}", 0)


def _views(version: Fused, M: Array, *, size: int) -> dict[str, Array]:
    """Return the parts of M by symbol; those of R that lead to z are no parameters."""
    N = size * (1 + len(version.gates))
    views: dict[str, Array] = {}
    for number, block in enumerate(version.blocks):
        of_block = M[:, :, number * size : (number + 1) * size]
        views |= {f"U{block}": of_block[:, :size], f"W{block}": of_block[:, N:-1], f"b{block}": of_block[:, -1]}
        for row, source in enumerate(version.gates, start=1):
            views[f"R_{source}{block[1:]}"] = of_block[:, row * size : (row + 1) * size]
    return views


def _unstack(version: Fused, of_M: Array, of_p: Array) -> list[Tensor]:
    """Return the gradients of the parameters from those of what `_stack` returns."""
    gradients = {f"p_{gate}": of_p[:, row] for row, gate in enumerate("ifo")}
    gradients |= _views(version, of_M, size=of_p.shape[-1])
    return [torch.from_numpy(gradients[symbol]) for symbol in version.symbols]


class _Unroll(torch.autograd.Function):
    """From inputs, h and the gates (R, B, N), c (R, B, H) and the parameters to outputs, and the last two of these."""

    @staticmethod
    def forward(
        ctx: Any, plan: _Plan, starts: Tensor, inputs: Tensor, state: Tensor, c: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        version, first, begin = plan.version, plan.first, plan.begin
        R, T, B, features = inputs.shape
        N, H = state.shape[-1], c.shape[-1]
        K, GH = N + features + 1, len(version.blocks) * H
        lstm = version.kind != fused.RNN
        initial, c0, x = columns(state), columns(c), inputs.contiguous().numpy()
        starts_ = np.ascontiguousarray(starts.numpy(), np.int64)
        steps, P = max(T - begin, 1), c0.shape[-1]
        of_c = (R, steps + 1, H, P) if lstm else (R, 1, 1, 1)
        M, p, *parts = arrays((R, K, GH), (R, 3, H), (R, steps + 1, K, P), (R, steps, GH, P), of_c)
        kept = Kept(*parts)
        _stack(version, [parameter.numpy() for parameter in parameters], M=M, p=p)
        outputs = np.empty((R, T - first, B, H), np.float32)

        def run(replicas: tuple[int, int], _: None) -> None:
            fused.forward(
                replicas, version.kind, version.peepholes, version.switches, M, p, x, starts_, initial, c0, first,
                begin, kept, outputs,
            )  # fmt: skip

        for_each_range(run, R, work=R * T * B * GH * K, prepare=lambda: None)
        ctx.plan = plan._replace(watched=())
        kept_tensors = (torch.from_numpy(array) for array in (starts_, M, p, *kept))
        ctx.save_for_backward(*kept_tensors, *plan.watched)
        last = torch.from_numpy(kept.s[:, T - begin, :N, :B].swapaxes(1, 2).copy())
        last_c = torch.from_numpy(kept.c[:, T - begin, :, :B].swapaxes(1, 2).copy()) if lstm else last.clone()
        return torch.from_numpy(outputs), last, last_c

    @staticmethod
    def backward(ctx: Any, dout: Tensor, dlast: Tensor, dlast_c: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # autograd would take what is returned here for constants
            raise RuntimeError(
                "the cpu kernel is differentiated once, without create_graph; came: create_graph=True; "
                "the reference kernel takes it"
            )
        check_memory((dout, dlast, dlast_c))
        version, paths, windows, first, begin, _ = ctx.plan
        saved = ctx.saved_tensors  # raises if what was watched has changed
        starts, M, p, *parts = (tensor.numpy() for tensor in saved[: 3 + len(Kept._fields)])
        kept = Kept(*parts)
        R, K, GH = M.shape
        B, N = dlast.shape[1:]
        H = dlast_c.shape[-1]
        T = first + dout.shape[1]
        features = K - N - 1
        is_open = version.is_open(paths, size=H)
        of_lstm = np.array([path in paths for path in ("cell", "peepholes", "output_peephole")])
        errors = Errors(dout.resolve_neg().contiguous().numpy(), columns(dlast), columns(dlast_c))
        P = errors.last.shape[-1]
        gradients = Gradients(
            M=np.zeros_like(M),
            p=np.zeros((R, 3 * H, P), np.float32),
            state=np.zeros((R, N, P), np.float32),
            c0=np.zeros((R, H, P), np.float32),
            x=np.zeros((R, T, features, P) if ctx.needs_input_grad[2] else (R, 0, 1, 1), np.float32),
        )
        steps = max(fused.COLUMNS // P, 1)
        of_scratch = ((steps, GH + fused.APART, P), (N, GH), (features, GH), (N, P), (N, P), (H, P), (features, P))

        def run(replicas: tuple[int, int], scratch: Scratch) -> None:
            fused.backward(
                replicas, version.kind, version.peepholes, version.switches, of_lstm, is_open, M, p, starts, windows,
                first, begin, kept, errors, gradients, scratch,
            )  # fmt: skip

        work = R * (T - begin) * B * GH * K
        for_each_range(run, R, work=work, prepare=lambda: Scratch(*arrays(*of_scratch)))
        of_p = gradients.p.reshape(R, 3, H, P)[..., :B].sum(axis=3)
        of_state, of_c, of_x = (torch.from_numpy(part[..., :B].swapaxes(-1, -2)) for part in gradients[2:])
        of_inputs = of_x if ctx.needs_input_grad[2] else None
        return None, None, of_inputs, of_state, of_c, *_unstack(version, gradients.M, of_p)
