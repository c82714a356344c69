"""The LSTM as a torch module: `torch.nn.LSTM` with peepholes, gradient flows and replicas."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from models.cell import Parameters, State
from models.gradient_flow import GradientFlow
from models.kernels import cpu, reference
from models.kernels.guards import guard_version
from models.lstm import VANILLA, LSTMCell


class LSTM(nn.Module):
    """`torch.nn.LSTM` without dropout, bidirectional and proj_size; the equations are those of `models.lstm`.

    Arguments, shapes, names of the weights and initialisation are those of `torch.nn.LSTM`. In addition:

    - `peepholes` gives each layer a `weight_peephole_l[k]` (3, H), rows i f o;
    - `gradient_flow` is a GradientFlow, "full" (as None) or "truncated_1997" (the cell path alone); it truncates each
      layer's recurrence, never what a layer reads from the one below;
    - `replicas` makes R networks: every weight, input, state and output has a leading axis R. Replica r starts from
      the weights that the r-th of R single modules, made one after another, would draw.

    In float32 on the CPU the fused kernel runs, differentiable once and a graph break under `torch.compile`; everywhere
    else the reference kernel. Under autocast the module computes in the type of its weights, whatever its input's.

    It has no `all_weights` and no `mode`, takes no PackedSequence and is no instance of `torch.nn.LSTM`: code that
    initialises layers by `isinstance(module, nn.LSTM)` must name this class as well.
    """

    weight_ih_l0: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        peepholes: bool = False,
        gradient_flow: GradientFlow | str | None = None,
        replicas: int | None = None,
    ) -> None:
        super().__init__()
        _check_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        _check_sizes(replicas=1 if replicas is None else replicas)
        _check_switches(bias=bias, batch_first=batch_first, peepholes=peepholes)
        _refuse(dropout=dropout, bidirectional=bidirectional, proj_size=proj_size)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first = bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = 0.0, False, 0  # who reads them of nn.LSTM finds them here
        self.peepholes, self.replicas = peepholes, replicas
        self._cells = [
            LSTMCell(
                features=hidden_size if layer else input_size,
                hidden_size=hidden_size,
                peepholes=peepholes,
                **VANILLA,
                forget_bias=0.0,  # unused: `reset_parameters` draws the biases
                input_bias=0.0,
            )
            for layer in range(num_layers)
        ]
        self.gradient_flow = _flow(gradient_flow, paths=self._cells[0].paths, num_layers=num_layers)
        lead = () if replicas is None else (replicas,)
        for name, shape in self._shapes().items():
            setattr(self, name, nn.Parameter(torch.empty(lead + shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of one replica's weights; peepholes last: with them the others are the same."""
        H, shapes = self.hidden_size, dict[str, tuple[int, ...]]()
        for layer, cell in enumerate(self._cells):
            shapes |= {f"weight_ih_l{layer}": (4 * H, cell.features), f"weight_hh_l{layer}": (4 * H, H)}
            if self.bias:
                shapes |= {f"bias_ih_l{layer}": (4 * H,), f"bias_hh_l{layer}": (4 * H,)}
        if self.peepholes:
            shapes |= {f"weight_peephole_l{layer}": (3, H) for layer in range(self.num_layers)}
        return shapes

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw all weights from U[-k, k], k = 1 / sqrt(H), one replica after another."""
        bound = self.hidden_size**-0.5
        for replica in range(self.replicas or 1):
            for weight in self.parameters():
                (weight if self.replicas is None else weight[replica]).uniform_(-bound, bound)

    def flatten_parameters(self) -> None:
        """Do nothing; `torch.nn.LSTM` lays its weights out for cuDNN here."""

    def extra_repr(self) -> str:
        """Name the sizes and every option that is not the default."""
        options = {
            "num_layers": (self.num_layers, 1),
            "bias": (self.bias, True),
            "batch_first": (self.batch_first, False),
            "peepholes": (self.peepholes, False),
            "gradient_flow": (self.gradient_flow, GradientFlow(frozenset(self._cells[0].paths))),
            "replicas": (self.replicas, None),
        }
        named = [f"{name}={value}" for name, (value, default) in options.items() if value != default]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *named])

    @torch.compiler.disable(reason="the fused kernel of models.LSTM is compiled by numba")
    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return the output and the last (h, c) of an input and the first (h, c), zero if not given.

        Shapes, with a leading R if there are replicas: input and output (T, B, features), (B, T, features) if
        batch_first, or (T, features); h and c (num_layers, B, H), or (num_layers, H).
        """
        is_batched = self._check_input(input)
        inputs = self._with_all_axes(self._with_dtype_of_weights(input), is_batched=is_batched)
        if self.batch_first and is_batched:
            inputs = inputs.transpose(1, 2)  # (R, T, B, features)
        initial = None
        if hx is not None:
            self._check_states(hx, batch=inputs.shape[2:3] if is_batched else ())
            states = (self._with_dtype_of_weights(state) for state in hx)
            initial = [self._with_all_axes(state, is_batched=is_batched) for state in states]  # (R, num_layers, B, H)
        with torch.autocast(inputs.device.type, enabled=False):
            output, last = self._unroll(inputs, initial)
        output = output.transpose(1, 2) if self.batch_first and is_batched else output
        h, c = (torch.stack(states, dim=1) for states in zip(*last, strict=True))
        output, h, c = (self._with_given_axes(tensor, is_batched=is_batched) for tensor in (output, h, c))
        return output, (h, c)

    def _unroll(self, inputs: Tensor, initial: list[Tensor] | None) -> tuple[Tensor, list[State]]:
        """Return the outputs of the last layer (R, T, B, H) and the last (h, c) of every layer."""
        last = []
        for layer, cell in enumerate(self._cells):
            is_fused = cpu.supports(cell, dtype=inputs.dtype, device=inputs.device) and inputs.numel() > 0
            kernel = cpu if is_fused else reference
            inputs, state = kernel.unroll(
                cell,
                self._by_symbol(layer),
                inputs=inputs,
                flow=self.gradient_flow,
                initial=None if initial is None else tuple(state[:, layer] for state in initial),
            )
            last.append(state)
        return inputs, last

    def _by_symbol(self, layer: int) -> Parameters:
        """Return the weights of a layer as the cell's parameters, with a replica axis."""

        def rows(name: str, symbols: str) -> dict[str, Tensor]:
            weight = guard_version(getattr(self, f"{name}_l{layer}"))
            blocks = (weight[None] if self.replicas is None else weight).unflatten(1, (len(symbols), -1)).unbind(1)
            return dict(zip(symbols, blocks, strict=True))

        W, U = rows("weight_ih", "ifzo"), rows("weight_hh", "ifzo")
        parameters = {f"W_{gate}": W[gate].mT for gate in W} | {f"U_{gate}": U[gate].mT for gate in U}
        if self.bias:
            b_x, b_h = rows("bias_ih", "ifzo"), rows("bias_hh", "ifzo")
            parameters |= {f"b_{gate}": b_x[gate] + b_h[gate] for gate in b_x}
        else:
            parameters |= {f"b_{gate}": U[gate].new_zeros(U[gate].shape[:2]) for gate in U}
        if self.peepholes:
            parameters |= {f"p_{gate}": p.squeeze(1) for gate, p in rows("weight_peephole", "ifo").items()}
        return parameters

    def _with_all_axes(self, tensor: Tensor, *, is_batched: bool) -> Tensor:
        """Add the axes R and B that an input or state lacks."""
        tensor = tensor[None] if self.replicas is None else tensor
        return tensor if is_batched else tensor.unsqueeze(2)

    def _with_given_axes(self, tensor: Tensor, *, is_batched: bool) -> Tensor:
        """Take away what `_with_all_axes` added, in a copy: a view could not be detached or changed in place."""
        tensor = tensor if is_batched else tensor.squeeze(2)
        return (tensor[0] if self.replicas is None else tensor).clone()

    def _with_dtype_of_weights(self, tensor: Tensor) -> Tensor:
        """Return what autocast has made of another type as the weights are."""
        is_cast = tensor.is_floating_point() and torch.is_autocast_enabled(tensor.device.type)
        return tensor.to(self.weight_ih_l0.dtype) if is_cast else tensor

    def _check_input(self, input: Tensor) -> bool:
        """Return whether the input has a batch axis; refuse what is no input of this module."""
        if isinstance(input, PackedSequence):
            raise NotImplementedError("LSTM takes a tensor; came: a PackedSequence (torch.nn.LSTM takes it)")
        lead = () if self.replicas is None else (self.replicas,)
        rank = input.dim() - len(lead)
        sizes = tuple(input.shape)
        steps = sizes[len(lead) : -1] if rank == 2 else sizes[-2 if self.batch_first else -3 :][:1]
        if rank not in (2, 3) or sizes[: len(lead)] != lead or sizes[-1] != self.input_size or not all(steps):
            axes = ("B", "T") if self.batch_first else ("T", "B")
            expected = " or ".join(_shape(*lead, *letters, self.input_size) for letters in (axes, ("T",)))
            raise ValueError(f"input must be {expected}, with T >= 1; came: {_shape(*sizes)}")
        self._check_kind("input", input)
        return rank == 3

    def _check_states(self, hx: tuple[Tensor, Tensor], *, batch: Sequence[int]) -> None:
        """Refuse what is no pair of states for an input of this batch."""
        if not isinstance(hx, tuple | list) or len(hx) != 2:
            raise ValueError(f"hx must be a pair (h, c); came: {type(hx).__name__}")
        lead = () if self.replicas is None else (self.replicas,)
        expected = (*lead, self.num_layers, *batch, self.hidden_size)
        for name, state in zip("hc", hx, strict=True):
            if tuple(state.shape) != expected:
                raise ValueError(f"{name} of hx must be {_shape(*expected)}; came: {_shape(*state.shape)}")
            self._check_kind(f"{name} of hx", state)

    def _check_kind(self, name: str, tensor: Tensor) -> None:
        weight = self.weight_ih_l0
        tensor = self._with_dtype_of_weights(tensor)
        if (tensor.dtype, tensor.device) != (weight.dtype, weight.device):
            expected, came = (f"{t.dtype} on {t.device}" for t in (weight, tensor))
            raise ValueError(f"{name} must be {expected} as the weights are; came: {came}")


def _shape(*sizes: int | str) -> str:
    return f"({', '.join(map(str, sizes))})"


def _flow(gradient_flow: GradientFlow | str | None, *, paths: Sequence[str], num_layers: int) -> GradientFlow:
    """Return the gradient flow that was given, by name or not, if the stack can have it."""
    named = {"full": GradientFlow(frozenset(paths)), "truncated_1997": GradientFlow(frozenset({"cell"}))}
    if gradient_flow is None:
        gradient_flow = "full"
    flow = named.get(gradient_flow) if isinstance(gradient_flow, str) else gradient_flow
    if not isinstance(flow, GradientFlow):
        raise ValueError(f"unknown gradient_flow {gradient_flow!r}; known: {', '.join(named)}, or a GradientFlow")
    flow.check(paths)
    if num_layers > 1 and flow.k1 != flow.k2:
        # error would pass from a window of one layer into an older one of the layer below: more than k2 steps
        raise ValueError(f"windows of several layers need k1 = k2; came: k1 = {flow.k1}, k2 = {flow.k2}")
    return flow


def _check_sizes(**sizes: int) -> None:
    for name, value in sizes.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} must be an integer >= 1; came: {value!r}")


def _check_switches(**switches: bool) -> None:
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be True or False; came: {value!r}")


def _refuse(**options: float) -> None:
    came = ", ".join(f"{name}={value!r}" for name, value in options.items() if value)
    if came:
        raise NotImplementedError(f"LSTM takes only dropout=0, bidirectional=False, proj_size=0; came: {came}")
