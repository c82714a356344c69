"""Learning-rate schedules against torch.optim.lr_scheduler, and in a training."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from tests.settings import job_settings
from training.plugins import load_instance
from training.protocol import train
from training.protocols.minibatch import Minibatch
from training.schedule import Schedule
from training.setup import prepare_condition

UPDATES = 12
CASES: list[tuple[str, dict[str, Any], Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]]] = [
    ("constant", {}, lambda sgd: lr_scheduler.ConstantLR(sgd, factor=1.0)),
    ("cosine", {"final_factor": 0.1}, lambda sgd: lr_scheduler.CosineAnnealingLR(sgd, T_max=UPDATES, eta_min=0.1)),
    (
        "linear_warmup",
        {"initial_factor": 0.2, "warmup_updates": 5},
        lambda sgd: lr_scheduler.LinearLR(sgd, start_factor=0.2, total_iters=5),
    ),
]


@pytest.mark.parametrize(("name", "options", "rival"), CASES)
def test_equals_torch(
    name: str, options: dict[str, Any], rival: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]
) -> None:
    schedule, sgd = (
        load_instance(Schedule, name, **options),
        torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0),
    )
    theirs = rival(sgd)
    for update in range(1, UPDATES + 1):
        assert schedule.factor(update, updates=UPDATES) == pytest.approx(theirs.get_last_lr()[0], rel=1e-12)
        sgd.step()
        theirs.step()


def last_weights(**schedule: Any) -> torch.Tensor:
    settings = job_settings(seeds=[0], learning_rates=[0.01], sequences=16)
    setup = prepare_condition(settings | ({"schedule": schedule} if schedule else {}))
    protocol = Minibatch(setup)
    train(protocol, lambda progress: None)
    protocol.finish()
    (replica,) = setup.replicas
    assert replica.last_weights is not None
    return replica.last_weights - setup.weights[0]


def test_a_training_takes_the_factor_of_every_update() -> None:
    constant = last_weights()
    assert torch.equal(last_weights(name="constant"), constant)
    assert torch.equal(last_weights(name="linear_warmup", initial_factor=1.0, warmup_updates=3), constant)
    assert not last_weights(name="linear_warmup", initial_factor=0.0, warmup_updates=10**9).abs().max() > 1e-9
    assert not torch.equal(last_weights(name="cosine", final_factor=0.0), constant)


def test_unknown_names_and_options_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown schedule 'cosin'; known: constant, cosine, linear_warmup"):
        load_instance(Schedule, "cosin")
    with pytest.raises(ValueError, match="schedule 'cosine' takes final_factor; came: no options"):
        load_instance(Schedule, "cosine")
