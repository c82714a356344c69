"""Any `torch.nn.Module` that goes through a sequence, as a model: given by its import path and its arguments.

    y(1 ... T) = module(x(1 ... T))                  x (T, B, features), y (T, B, n); the readout sees y
    y, state = module(x, state)                      if it carries a state: tensors (..., B, n), zero at the start

`module(features, hidden_size, **arguments)` builds it, as `torch.nn.GRU` is built; it draws its own initial weights.
It must be causal (y(t) does not depend on later inputs) and draw no random numbers (no dropout); both are tried out
when the cell is built. Its time loop is its own: of the gradient flows it takes `full`, and if it carries a state
windows with k1 = k2, across which the state is carried without error. One recurrent path: all from step to step.
Replicas are computed by `torch.func` where the module allows it, else (as torch.nn.GRU) one after another.
"""

import importlib
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.cell import Cell, Parameters, State, Via, one_hot
from models.gradient_flow import GradientFlow
from models.kernels.guards import guard_version

OPTIONS: dict[str, dict[str, Any]] = {
    "module": {
        "type": "string",
        "pattern": r"^(torch|models)\.",
        "title": "an import path in torch, or in models, where plug-ins add their files",
        "examples": ["torch.nn.GRU"],
        "description": "the import path of a torch.nn.Module that takes inputs (T, B, features)",
    },
    "arguments": {
        "type": "object",
        "examples": [{"num_layers": 2}],
        "description": "its keyword arguments besides the number of features and hidden_size",
    },
}
PATHS: dict[str, dict[str, object]] = {"recurrent": {}}

ModuleState = Any
"""A tensor (..., B, n) or a tuple of states; None before the first step. With replicas (R, ..., B, n)."""


class ModuleCell(Cell):
    """A module with a time loop of its own; its state, as far as the kernels see it, is (h,), the last output."""

    state_symbols = ("h",)

    def __init__(self, *, features: int, hidden_size: int, module: str, arguments: Mapping[str, Any]) -> None:
        self.features = features
        self.name = module
        self.paths = tuple(PATHS)
        self._build: Callable[[], nn.Module] = lambda: _build(module, features, hidden_size, **arguments)
        self._module = self._build().double()
        self.shapes = {symbol: tuple(weight.shape) for symbol, weight in self._module.named_parameters()}
        probe = _Probe(self._module, name=module, features=features)
        self.hidden_size = probe.outputs
        self.state_sizes = (probe.outputs,)
        self.carries_state = probe.carries_state()
        self.is_batched = self._agrees_with_single_runs()

    def initialise(self, rng: np.random.Generator, *, sequence_length: int) -> dict[str, np.ndarray]:
        """Draw initial weights as the module does, from a seed out of the stream."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**63)))
            module = self._build()
        return {symbol: weight.detach().double().numpy() for symbol, weight in module.named_parameters()}

    def prepare(self, parameters: Parameters) -> Parameters:
        """Return the parameters as they are."""
        return parameters

    def project(self, parameters: Parameters, inputs: Tensor) -> Tensor:
        """Return the inputs as vectors: (R, T, B, features)."""
        if inputs.is_floating_point():
            return inputs
        like = next(iter(parameters.values()))
        return one_hot(inputs, features=self.features, dtype=like.dtype)

    def step(self, parameters: Parameters, projected: Tensor, *, state: State, via: Via) -> State:
        """Refuse a single step: the module has its own time loop."""
        raise ValueError(f"{self.name} has no single step that could be measured")

    def unroll(
        self,
        parameters: Parameters,
        *,
        inputs: Tensor,
        flow: GradientFlow,
        starts: Tensor | None,
        initial: State | None,
        first_target: int,
    ) -> tuple[Tensor, State]:
        """Return the outputs from `first_target` on, (R, T - first_target, B, H), and the last one."""
        if torch.is_grad_enabled():
            self.check_flow(flow)
        if initial is not None:
            raise ValueError(f"{self.name} starts from its own initial state; came: another one")
        parameters = {symbol: guard_version(value) for symbol, value in parameters.items()}
        vectors = self.project(parameters, inputs)
        if not self.carries_state:
            outputs = self._run_aligned(parameters, vectors, starts)
        else:
            outputs = self._run_windows(parameters, vectors, starts=starts, flow=flow, first_target=first_target)
        return outputs[:, first_target:], (outputs[:, -1],)

    def check_flow(self, flow: GradientFlow) -> None:
        """Refuse a gradient flow that the module cannot have: a ValueError."""
        flow.check(self.paths)
        if not flow.paths or flow.k1 != flow.k2 or (flow.k1 is not None and not self.carries_state):
            allowed = "full, or have windows with k1 = k2" if self.carries_state else "full, for it returns no state"
            raise ValueError(f"the gradient flow of {self.name} must be {allowed}; came: {flow}")

    def _run_windows(
        self, parameters: Parameters, inputs: Tensor, *, starts: Tensor | None, flow: GradientFlow, first_target: int
    ) -> Tensor:
        """Return the outputs (R, T, B, H); windows that no loss enters are computed without a graph."""
        outputs, state = list[Tensor](), None
        for window in flow.windows(inputs.shape[1]):
            state = _map_state(Tensor.detach, state)
            with torch.set_grad_enabled(torch.is_grad_enabled() and window.end > first_target):
                for begin, end in _segments(window.start, window.end, starts):
                    output, state = self._run(parameters, inputs[:, begin:end], state)
                    if starts is not None and (waits := starts >= end).any():
                        output, state = (_map_state(_zero_where(waits), part) for part in (output, state))
                    outputs.append(output)
        return torch.cat(outputs, dim=1)

    def _run_aligned(self, parameters: Parameters, inputs: Tensor, starts: Tensor | None) -> Tensor:
        """Return the outputs (R, T, B, H) of sequences that are moved to step 0 and back, zero before they start."""
        steps = torch.arange(inputs.shape[1], device=inputs.device)[None, :, None]
        if starts is None or not starts.any():
            return self._run(parameters, inputs, None)[0]
        from_start = (steps + starts[:, None]).clamp(max=inputs.shape[1] - 1)  # (R, T, B)
        moved = inputs.gather(1, from_start[..., None].expand_as(inputs))
        outputs, _ = self._run(parameters, moved, None)
        since = steps - starts[:, None]
        back = outputs.gather(1, since.clamp(min=0)[..., None].expand_as(outputs))
        return torch.where((since >= 0)[..., None], back, 0)

    def _run(self, parameters: Parameters, inputs: Tensor, state: ModuleState) -> tuple[Tensor, ModuleState]:
        """Run the replicas over some steps: inputs (R, T, B, features) to outputs (R, T, B, H) and the last state."""
        buffers = {name: buffer.to(inputs) for name, buffer in self._module.named_buffers()}

        def run(weights: dict[str, Tensor], inputs: Tensor, state: ModuleState) -> tuple[Tensor, ModuleState]:
            given = (inputs,) if state is None else (inputs, state)
            result = torch.func.functional_call(self._module, (weights, buffers), given)
            if self.carries_state:
                return result[0], result[1]
            return result[0] if isinstance(result, tuple) else result, ()

        weights = dict(parameters)
        if self.is_batched:
            return torch.vmap(run, in_dims=(0, 0, None if state is None else 0))(weights, inputs, state)
        outputs = [
            run({name: value[r] for name, value in weights.items()}, inputs[r], _map_state(_row(r), state))
            for r in range(inputs.shape[0])
        ]
        return _map_state(lambda *replicas: torch.stack(replicas), *outputs)

    def _agrees_with_single_runs(self) -> bool:
        """Return whether torch.func computes two replicas at once, and as the module computes each."""
        rows = [self.initialise(np.random.default_rng(seed), sequence_length=4) for seed in range(2)]
        weights = {symbol: torch.from_numpy(np.stack([row[symbol] for row in rows])) for symbol in self.shapes}
        inputs = _numbers(2, 4, 3, self.features)
        self.is_batched = False
        expected, state = self._run(weights, inputs, None)
        self.is_batched = True
        try:
            outputs, _ = self._run(weights, inputs, None)
            self._run(weights, inputs, state if self.carries_state else None)
        except Exception:  # whatever a module does that has no batching rule
            return False
        return torch.allclose(outputs, expected, rtol=1e-9, atol=0)


class _Probe:
    """A module tried out on a short sequence: what it must not do, and what it can."""

    def __init__(self, module: nn.Module, *, name: str, features: int) -> None:
        self.module, self.name = module, name
        self.inputs = _numbers(4, 3, features)
        before = {key: buffer.clone() for key, buffer in module.named_buffers()}
        self.result = self._call(self.inputs)
        output = self._output(self.result)
        if not isinstance(output, Tensor) or output.shape[:2] != self.inputs.shape[:2] or output.dim() != 3:
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(f"{name} must return (T, B, n) of inputs (T, B, features); came: {shape} of (4, 3, n)")
        self.output, self.outputs = output, output.shape[-1]
        if not torch.equal(self._output(self._call(self.inputs)), output) or any(
            not torch.equal(buffer, before[key]) for key, buffer in module.named_buffers()
        ):
            raise ValueError(f"{name} must compute the same at every call: no dropout, no running statistics")
        changed = self.inputs.clone()
        changed[:, 0] += 1
        if not torch.equal(self._output(self._call(changed))[:, 1:], output[:, 1:]):
            raise ValueError(f"{name} mixes the sequences of a batch: time is the first axis, and batch_first False")
        for t in range(len(self.inputs)):
            changed = self.inputs.clone()
            changed[t] += 1
            if not torch.equal(self._output(self._call(changed))[:t], output[:t]):
                raise ValueError(f"{name} is not causal: an output before step {t} changes with the input of step {t}")

    def carries_state(self) -> bool:
        """Return whether the module returns a state with which a later call continues the sequence."""
        if not isinstance(self.result, tuple) or len(self.result) != 2:
            return False
        try:
            _, state = self._call(self.inputs[:2])
            continued, _ = self._call(self.inputs[2:], state)
            whole, _ = self._call(self.inputs, _map_state(torch.zeros_like, state))
            batches = list[int]()
            _map_state(lambda tensor: batches.append(tensor.shape[-2]), state)
        except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
            return False
        is_continued = torch.allclose(continued, self.output[2:], rtol=1e-9, atol=0) and torch.equal(whole, self.output)
        return is_continued and set(batches) == {self.inputs.shape[1]}

    def _call(self, *given: Any) -> Any:
        with torch.no_grad():
            return self.module(*given)

    @staticmethod
    def _output(result: Any) -> Any:
        return result[0] if isinstance(result, tuple) else result


def _numbers(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape))


def _build(path: str, features: int, hidden_size: int, **arguments: Any) -> nn.Module:
    """Import and build a module: a ValueError if there is none, or if it does not take these arguments."""
    package, _, name = path.rpartition(".")
    try:
        factory = getattr(importlib.import_module(package), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"there is no module {path!r} to import ({error})") from error
    try:
        with torch.device("cpu"):
            module = factory(features, hidden_size, **arguments)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ValueError(f"{path} cannot be built with {dict(arguments)}: {error}") from error
    if not isinstance(module, nn.Module):
        raise ValueError(f"{path} must be a torch.nn.Module; came: {type(module).__name__}")
    return module


def _segments(begin: int, end: int, starts: Tensor | None) -> list[tuple[int, int]]:
    """Split the steps [begin, end) where a sequence starts, for its state must be the initial one there."""
    inner = [] if starts is None else [t for t in starts.unique().tolist() if begin < t < end]
    bounds = [begin, *inner, end]
    return list(itertools.pairwise(bounds))


def _map_state(function: Callable[..., Any], *states: ModuleState) -> ModuleState:
    """Apply a function to each tensor of a state, or to the tensors at the same place of several."""
    if states[0] is None:
        return None
    if isinstance(states[0], tuple):
        return tuple(_map_state(function, *parts) for parts in zip(*states, strict=True))
    return function(*states)


def _row(r: int) -> Callable[[Tensor], Tensor]:
    return lambda tensor: tensor[r]


def _zero_where(waits: Tensor) -> Callable[[Tensor], Tensor]:
    """Return what sets tensors (R, ..., B, n) to zero for some of the sequences (R, B)."""
    return lambda tensor: torch.where(
        waits.view(waits.shape[0], *[1] * (tensor.dim() - 3), waits.shape[1], 1), 0, tensor
    )
