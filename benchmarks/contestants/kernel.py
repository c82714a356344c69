"""The project's own kernels, all replicas in one batch: `cpu` (fused) and `reference` (eager torch)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.contestants import Answer, Prepared
from benchmarks.points import Contestant, Point
from benchmarks.problem import build_cell, build_flow, draw
from models.kernels import load_kernel


def limit(threads: int) -> None:
    """Let torch, and with it the kernel, use so many threads."""
    torch.set_num_threads(threads)


def prepare(contestant: Contestant, point: Point, *, replicas: Sequence[int]) -> Prepared:
    """Prepare the kernel that the implementation names."""
    problem = draw(contestant.model, point, replicas=replicas)
    cell = build_cell(contestant.model, hidden_size=point.hidden_size)
    flow = build_flow(contestant.gradient, cell=cell, sequence_length=point.sequence_length)
    kernel = load_kernel(contestant.implementation, cell=cell, dtype=torch.float32, device=torch.device("cpu"))
    parameters = {symbol: torch.from_numpy(p).requires_grad_() for symbol, p in problem.parameters.items()}
    inputs, loss_weights = torch.from_numpy(problem.inputs), torch.from_numpy(problem.loss_weights)

    def run() -> tuple[Tensor, tuple[Tensor, ...]]:
        hidden, _ = kernel.unroll(cell, parameters, inputs=inputs, flow=flow, first_target=point.sequence_length - 1)
        loss = (hidden[:, 0] * loss_weights).sum()
        return loss, torch.autograd.grad(loss, list(parameters.values()))

    def answer(result: tuple[Tensor, tuple[Tensor, ...]]) -> Answer:
        loss, gradient = result
        return Answer(loss.item(), {symbol: g.numpy() for symbol, g in zip(parameters, gradient, strict=True)})

    return Prepared(run, answer)
