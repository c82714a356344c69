"""`torch.nn.LSTM` (no peepholes) and `torch.nn.RNN`, one module per replica, one after the other."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.contestants import Answer, Prepared
from benchmarks.points import FEATURES, Contestant, Point
from benchmarks.problem import Array, draw

Results = list[tuple[Tensor, tuple[Tensor, ...]]]
"""Loss and gradient of each replica."""


def limit(threads: int) -> None:
    """Let torch use so many threads."""
    torch.set_num_threads(threads)


def prepare(contestant: Contestant, point: Point, *, replicas: Sequence[int]) -> Prepared:
    """Prepare one module per replica, with the problem's weights copied into it."""
    problem = draw(contestant.model, point, replicas=replicas)
    gates = {"lstm": ["_i", "_f", "_z", "_o"], "rnn": [""]}[contestant.model]  # torch's order, its g being z
    modules = [
        _module(contestant.model, point, {symbol: p[row] for symbol, p in problem.parameters.items()}, gates)
        for row in range(len(replicas))
    ]
    inputs, loss_weights = torch.from_numpy(problem.inputs), torch.from_numpy(problem.loss_weights)

    def run() -> Results:
        results: Results = []
        for module, x, w in zip(modules, inputs, loss_weights, strict=True):
            _, last = module(x)
            h = last[0] if isinstance(last, tuple) else last
            loss = (h[0] * w).sum()
            results.append((loss, torch.autograd.grad(loss, list(module.parameters()))))
        return results

    def answer(results: Results) -> Answer:
        gradient: dict[str, np.ndarray] = {}
        for kind, position in (("W", 0), ("U", 1), ("b", 2)):  # weight_ih, weight_hh, bias_ih, bias_hh
            stacked = np.stack([g[position].numpy() for _, g in results])
            parts = np.split(stacked, len(gates), axis=1)
            gradient |= {f"{kind}{gate}": part.swapaxes(1, -1) for gate, part in zip(gates, parts, strict=True)}
        return Answer(sum(loss.item() for loss, _ in results), gradient)

    return Prepared(run, answer)


def _module(model: str, point: Point, parameters: dict[str, Array], gates: list[str]) -> nn.RNNBase:
    kind = {"lstm": nn.LSTM, "rnn": nn.RNN}[model]
    module: nn.RNNBase = kind(FEATURES, point.hidden_size)

    def stacked(symbol: str) -> Tensor:
        return torch.from_numpy(np.concatenate([parameters[f"{symbol}{gate}"].T for gate in gates]))

    module.load_state_dict(
        {
            "weight_ih_l0": stacked("W"),
            "weight_hh_l0": stacked("U"),
            "bias_ih_l0": stacked("b"),
            "bias_hh_l0": torch.zeros_like(stacked("b")),
        }
    )
    return module
