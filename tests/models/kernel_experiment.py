"""Experiments that a kernel runs and that are compared with the reference kernel's in float64."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, Parameters, State
from models.gradient_flow import GradientFlow
from models.kernels import cpu, reference
from tests.models.cases import Options
from tests.models.experiment import make_cell

UNDERFLOW = 1e-30  # a tensor that vanishes below it is compared absolutely: float32 ends at 1e-38


class Experiment(NamedTuple):
    """Weights, sequences, and a loss that weighs every output and the last state at random; float64."""

    cell: Cell
    parameters: dict[str, Tensor]
    inputs: Tensor  # (R, T, B, features)
    initial: tuple[Tensor, ...]
    starts: Tensor  # (R, B)
    of_outputs: Tensor  # (R, T, B, H)
    of_last: tuple[Tensor, ...]

    def in_order(self, seed: int) -> "Experiment":
        """Put the sequences into another order."""
        order = torch.from_numpy(np.random.default_rng(seed).permutation(self.inputs.shape[2]))
        return self._replace(
            inputs=self.inputs[:, :, order],
            initial=tuple(state[:, order] for state in self.initial),
            starts=self.starts[:, order],
            of_outputs=self.of_outputs[:, :, order],
            of_last=tuple(weight[:, order] for weight in self.of_last),
        )

    def select(self, replicas: list[int]) -> "Experiment":
        """Choose replicas."""
        rows = torch.tensor(replicas)
        return Experiment(
            self.cell,
            {name: value[rows] for name, value in self.parameters.items()},
            self.inputs[rows],
            tuple(state[rows] for state in self.initial),
            self.starts[rows],
            self.of_outputs[rows],
            tuple(weight[rows] for weight in self.of_last),
        )


def draw(
    options: Options, *, R: int = 2, T: int = 13, B: int = 3, H: int = 5, features: int = 2, seed: int = 0
) -> Experiment:
    rng = np.random.default_rng(seed)
    cell = make_cell(options, features=features, hidden_size=H)

    def normal(*shape: int, scale: float = 1) -> Tensor:
        return torch.from_numpy(rng.normal(size=(R, *shape)) * scale).float().double()

    scale = {"U": H**-0.5, "R": H**-0.5, "W": 0.7 * features**-0.5, "b": 0.5, "p": 0.5}
    return Experiment(
        cell,
        {name: normal(*shape, scale=scale[name[0]]) for name, shape in cell.shapes.items()},
        normal(T, B, features),
        tuple(normal(B, size, scale=0.5) for size in cell.state_sizes),
        torch.from_numpy(rng.integers(0, max(T // 2, 1), (R, B))),
        normal(T, B, H),
        tuple(normal(B, size) for size in cell.state_sizes),
    )


def run(
    kernel: str, experiment: Experiment, flow: GradientFlow, *, first_target: int = 0, grad: bool = True
) -> dict[str, Tensor]:
    """Return outputs, last state and, with `grad`, all gradients by name; kernels: cpu, reference, reference32."""
    unroll = cpu.unroll if kernel == "cpu" else reference.unroll
    dtype = torch.float64 if kernel == "reference" else torch.float32
    parameters: Parameters = {n: v.to(dtype, copy=True).requires_grad_() for n, v in experiment.parameters.items()}
    inputs = experiment.inputs.to(dtype, copy=True).requires_grad_()
    initial: State = tuple(state.to(dtype, copy=True).requires_grad_() for state in experiment.initial)
    with torch.set_grad_enabled(grad):
        outputs, last = unroll(
            experiment.cell,
            parameters,
            inputs=inputs,
            flow=flow,
            starts=experiment.starts,
            initial=initial,
            first_target=first_target,
        )
    computed = {"outputs": outputs.detach()} | {f"last {k}": state.detach() for k, state in enumerate(last)}
    if not grad:
        return computed
    loss = (outputs * experiment.of_outputs[:, first_target:]).sum()
    loss = loss + sum((state * weight).sum() for state, weight in zip(last, experiment.of_last, strict=True))
    leaves = parameters | {"inputs": inputs} | {f"initial {k}": state for k, state in enumerate(initial)}
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    zeros_for_none = (
        torch.zeros_like(leaf) if gradient is None else gradient
        for leaf, gradient in zip(leaves.values(), gradients, strict=True)
    )
    return computed | dict(zip(leaves, zeros_for_none, strict=True))


def relative_error(experiment: Experiment, flow: GradientFlow, *, first_target: int = 0, kernel: str = "cpu") -> float:
    """Return the largest error of any tensor, relative to that tensor's largest magnitude; exact zeros stay zeros."""
    truth = run("reference", experiment, flow, first_target=first_target)
    computed = run(kernel, experiment, flow, first_target=first_target)
    worst = 0.0
    for name, expected in truth.items():
        assert computed[name].shape == expected.shape, name
        assert computed[name].dtype == torch.float32
        largest = expected.abs().max().item()
        error = (computed[name].double() - expected).abs().max().item()
        assert largest > 0 or error == 0, name
        worst = max(worst, error / max(largest, UNDERFLOW))
    return worst


def check(experiment: Experiment, flow: GradientFlow, *, first_target: int) -> None:
    """Compare with the reference; where units saturate or a sum cancels, any float32 kernel loses digits.

    How many depends on the order of the sum, by chance: eager float32 is taken at its worst of eight orders of the
    sequences.
    """
    error = relative_error(experiment, flow, first_target=first_target)
    if error >= 1e-4:
        orders = (experiment.in_order(seed) for seed in range(8))
        eager = max(relative_error(order, flow, first_target=first_target, kernel="reference32") for order in orders)
        assert error < 4 * eager, flow


def flow_of(options: Options, *, cell_only: bool = False, k1: int | None = None, k2: int | None = None) -> GradientFlow:
    return GradientFlow(options.paths & {"cell"} if cell_only else options.paths, k1, k2)


def assert_same_bits(computed: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, value in computed.items():
        assert torch.equal(value, expected[name]), name
