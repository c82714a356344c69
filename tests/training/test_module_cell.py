"""Cell `module` in protocol minibatch: torch.nn.GRU with two layers trains as in a plain loop of torch."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.settings import FLOWS, job_settings
from training.condition import train_condition
from training.gradients.measurement import measure_condition
from training.networks import stream
from training.protocol import train
from training.protocols.minibatch import Minibatch
from training.replica import TrainingProgress
from training.setup import prepare_condition

GRU = {"module": "torch.nn.GRU", "arguments": {"num_layers": 2}}


def settings(*, gradient: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    given = {"seeds": [0, 1], "learning_rates": [0.02], "task": "adding", "lag": 2, "clip_norm": None} | changes
    full = {"name": "full", "paths": ["recurrent"], "k1": None, "k2": None}
    model = {"name": "gru", "cell": "module", "hidden_size": 8, "options": GRU}
    return job_settings(**given) | {"model": model, "gradient": full | (gradient or {})}


def ignore(progress: TrainingProgress) -> None:
    """Do nothing."""


def test_it_trains_as_in_plain_torch() -> None:
    setup = prepare_condition(settings(sequences=5 * 8))
    protocol = Minibatch(setup)
    train(protocol, ignore)
    protocol.finish()
    network, task = setup.network, setup.task
    for row, replica in enumerate(setup.replicas):
        start = {symbol: value[0] for symbol, value in network.by_symbol(setup.weights[row][None]).items()}
        gru = torch.nn.GRU(task.features, 8, num_layers=2).double()
        linear = torch.nn.Linear(8, task.outputs).double()
        gru.load_state_dict({symbol: start[symbol] for symbol in gru.state_dict()})
        linear.load_state_dict({"weight": start["V"].T, "bias": start["b_y"]})
        adam = torch.optim.Adam([*gru.parameters(), *linear.parameters()], lr=0.02)
        rng = stream("training", task="adding", lag=2, seed=replica.seed)
        for _ in range(5):
            batch = task.sample(rng, 8)
            outputs = linear(gru(torch.from_numpy(batch.inputs).double())[0][-1])
            adam.zero_grad()
            (outputs[:, 0] - torch.from_numpy(batch.targets[0]).double()).square().mean().backward()
            adam.step()
        assert replica.last_weights is not None
        end = network.by_symbol(replica.last_weights[None])
        for symbol, weight in gru.state_dict().items():
            torch.testing.assert_close(end[symbol][0], weight, rtol=1e-8, atol=1e-12)
        torch.testing.assert_close(end["V"][0], linear.weight.T.detach(), rtol=1e-8, atol=1e-12)


def test_it_learns_adding_and_records_what_every_cell_does() -> None:
    record = train_condition(settings(sequences=8 * 60, evaluate_every=60, dtype="float32"), ignore)
    first, last = ([p["validation_loss"] for p in record["curves"] if p["update"] == update] for update in (0, 60))
    assert (np.array(last) < 0.5 * np.array(first)).all()
    assert {row["parameters"] for row in record["replicas"]} == {3 * 8 * (2 + 8 + 2) + 3 * 8 * (8 + 8 + 2) + 9}


def test_windows_train_and_other_flows_are_refused_before_any_update() -> None:
    windowed = train_condition(settings(sequences=16, gradient={"k1": 2, "k2": 2}), ignore)
    full, again = (train_condition(settings(sequences=16), ignore) for _ in range(2))
    assert full == again
    assert windowed["curves"][-1]["validation_loss"] != full["curves"][-1]["validation_loss"]
    for gradient in ({"paths": []}, {"k1": 1, "k2": 2}):
        with pytest.raises(ValueError, match=r"the gradient flow of torch\.nn\.GRU must be full"):
            prepare_condition(settings(gradient=gradient))


def test_it_cannot_be_measured_and_says_so_before_any_update() -> None:
    given = settings() | {"measurement": {"sequences": 2, "evaluations": 2, "flows": FLOWS}}
    with pytest.raises(ValueError, match="model gru has a time loop of its own, without steps to be measured"):
        measure_condition(given, pytest.fail)
