"""The per-replica optimisers against torch.optim, one replica at a time."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from training.optimiser import Optimiser
from training.plugins import load_instance
from training.protocols.minibatch import clip

RATES = [0.003, 0.1, 0.5]
CASES: list[tuple[str, dict[str, float], Callable[[list[Tensor], float], torch.optim.Optimizer]]] = [
    ("sgd", {"momentum": 0.0}, lambda weights, rate: torch.optim.SGD(weights, lr=rate)),
    ("sgd", {"momentum": 0.9}, lambda weights, rate: torch.optim.SGD(weights, lr=rate, momentum=0.9)),
    (
        "rmsprop",
        {"decay": 0.9, "epsilon": 1e-6},
        lambda weights, rate: torch.optim.RMSprop(weights, lr=rate, alpha=0.9, eps=1e-6),
    ),
    (
        "adam",
        {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-7},
        lambda weights, rate: torch.optim.Adam(weights, lr=rate, betas=(0.8, 0.95), eps=1e-7),
    ),
    (
        "adamw",
        {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-7, "weight_decay": 0.3},
        lambda weights, rate: torch.optim.AdamW(weights, lr=rate, betas=(0.8, 0.95), eps=1e-7, weight_decay=0.3),
    ),
]


def gradients(updates: int) -> list[Tensor]:
    """Return random gradients (3 replicas, 5 weights), on scales from small to large."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.tensor([[1e-3], [1.0], [30.0]], dtype=torch.float64)
    return [scale * torch.randn(3, 5, generator=generator, dtype=torch.float64) for _ in range(updates)]


@pytest.mark.parametrize("limit", [None, 1.0])
@pytest.mark.parametrize(("name", "constants", "rival"), CASES)
def test_equals_torch_optim_replica_by_replica(
    name: str,
    constants: dict[str, float],
    rival: Callable[[list[Tensor], float], torch.optim.Optimizer],
    limit: float | None,
) -> None:
    optimiser = load_instance(Optimiser, name, **constants)
    start = torch.linspace(-1, 1, 15, dtype=torch.float64).reshape(3, 5)
    weights, moments = start.clone(), optimiser.start(start)
    theirs = [torch.nn.Parameter(row.clone()) for row in start]
    rivals = [rival([parameter], rate) for parameter, rate in zip(theirs, RATES, strict=True)]
    rates = torch.tensor(RATES, dtype=torch.float64)[:, None]
    for update, gradient in enumerate(gradients(30), start=1):
        norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        clipped = clip(gradient, norm=norm, limit=limit)
        optimiser.apply(weights, clipped, moments=moments, rates=rates, update=update)
        for row, parameter, other in zip(gradient, theirs, rivals, strict=True):
            parameter.grad = row.clone() if limit is None else row * min(1.0, limit / float(row.norm()))
            other.step()
        for row, parameter in zip(weights, theirs, strict=True):
            torch.testing.assert_close(row, parameter.data, rtol=1e-10, atol=0)


def test_clipping_is_per_replica_and_leaves_small_gradients_alone() -> None:
    gradient = torch.tensor([[3.0, 4.0], [0.3, 0.4]], dtype=torch.float64)
    norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    clipped = clip(gradient, norm=norm, limit=1.0)
    torch.testing.assert_close(clipped[0], torch.tensor([0.6, 0.8], dtype=torch.float64), rtol=1e-15, atol=0)
    assert torch.equal(clipped[1], gradient[1])
    assert clip(gradient, norm=norm, limit=None) is gradient
    theirs = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    theirs.grad = gradient[0].clone()
    torch.nn.utils.clip_grad_norm_([theirs], 1.0)  # divides by norm + 1e-6
    torch.testing.assert_close(clipped[0], theirs.grad, rtol=1e-6, atol=0)


def test_unknown_names_and_constants_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown optimiser 'adamm'; known: adam, adamw, rmsprop, sgd"):
        load_instance(Optimiser, "adamm")
    with pytest.raises(ValueError, match="optimiser 'sgd' takes momentum; came: momentun"):
        load_instance(Optimiser, "sgd", momentun=0.9)
