"""All contestants compute the same thing: loss and gradient of each against the float64 reference."""

import importlib
import importlib.util

import numpy as np
import pytest
import torch

from benchmarks.contestants import MODULES, Answer
from benchmarks.points import CONTESTANTS, Contestant, Point
from benchmarks.problem import build_cell, build_flow, draw
from models.kernels import reference

POINT = Point(replicas=3, hidden_size=6, batch=4, sequence_length=20)


def truth(contestant: Contestant) -> Answer:
    """Return what the reference kernel finds in float64."""
    problem = draw(contestant.model, POINT, replicas=range(POINT.replicas))
    cell = build_cell(contestant.model, hidden_size=POINT.hidden_size)
    parameters = {symbol: torch.from_numpy(p).double().requires_grad_() for symbol, p in problem.parameters.items()}
    inputs, loss_weights = (torch.from_numpy(a).double() for a in (problem.inputs, problem.loss_weights))
    flow = build_flow(contestant.gradient, cell=cell, sequence_length=POINT.sequence_length)
    hidden, _ = reference.unroll(cell, parameters, inputs=inputs, flow=flow)
    loss = (hidden[:, -1] * loss_weights).sum()
    gradient = torch.autograd.grad(loss, list(parameters.values()))
    return Answer(loss.item(), {symbol: g.numpy() for symbol, g in zip(parameters, gradient, strict=True)})


@pytest.mark.parametrize("contestant", CONTESTANTS, ids="-".join)
def test_contestants_find_loss_and_gradient_of_the_reference(contestant):
    if contestant.implementation == "jax":
        pytest.importorskip("jax")
    module = importlib.import_module(f"benchmarks.contestants.{MODULES[contestant.implementation]}")
    prepared = module.prepare(contestant, POINT, replicas=range(POINT.replicas))
    answer, expected = prepared.answer(prepared.run()), truth(contestant)
    assert answer.loss == pytest.approx(expected.loss, rel=1e-4)
    assert answer.gradient.keys() == expected.gradient.keys()
    for symbol, g in expected.gradient.items():
        np.testing.assert_allclose(answer.gradient[symbol], g, rtol=1e-3, atol=1e-5 * np.abs(g).max(), err_msg=symbol)


def test_a_replica_has_the_same_problem_in_whatever_share():
    whole, share = draw("lstm_peephole", POINT, replicas=range(3)), draw("lstm_peephole", POINT, replicas=[2])
    assert np.array_equal(whole.inputs[2], share.inputs[0])
    assert all(np.array_equal(p[2], share.parameters[symbol][0]) for symbol, p in whole.parameters.items())
    assert not np.array_equal(whole.inputs[1], whole.inputs[2])
