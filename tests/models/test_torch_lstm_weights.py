"""The torch module's weights: how they are drawn, named, loaded, copied and trained."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from models import LSTM
from tests.models.torch_lstm_experiment import SIZES, draw, run

OPTIONS = [{}, {"batch_first": True}, {"bias": False}, {"num_layers": 3}]


def test_the_weights_are_those_that_torch_draws() -> None:
    for options in OPTIONS:
        torch.manual_seed(7)
        expected = nn.LSTM(**SIZES, **options).state_dict()
        for own in ({}, {"peepholes": True}, {"replicas": 2}):
            torch.manual_seed(7)
            came = LSTM(**SIZES, **options, **own).state_dict()
            for name, weight in expected.items():
                assert torch.equal(came[name][0] if "replicas" in own else came[name], weight), (options, own, name)
            assert set(came) - set(expected) == {name for name in came if "peephole" in name}


def test_weights_are_named_and_shaped_as_documented() -> None:
    assert {name: tuple(w.shape) for name, w in LSTM(3, 5, peepholes=True, replicas=2).state_dict().items()} == {
        "weight_ih_l0": (2, 20, 3),
        "weight_hh_l0": (2, 20, 5),
        "bias_ih_l0": (2, 20),
        "bias_hh_l0": (2, 20),
        "weight_peephole_l0": (2, 3, 5),
    }


def test_a_state_dict_without_peepholes_is_refused_unless_not_strict() -> None:
    lstm, state = LSTM(**SIZES, peepholes=True), nn.LSTM(**SIZES).state_dict()
    with pytest.raises(RuntimeError, match=r"Missing key.*weight_peephole_l0"):
        lstm.load_state_dict(state)
    assert lstm.load_state_dict(state, strict=False).missing_keys == ["weight_peephole_l0"]


def test_one_networks_state_dict_is_not_spread_over_replicas() -> None:
    with pytest.raises(RuntimeError, match="size mismatch for weight_ih_l0"):
        LSTM(**SIZES, replicas=2).load_state_dict(nn.LSTM(**SIZES).state_dict())


def through_a_file(lstm: LSTM, tmp_path: Path) -> LSTM:
    torch.save(lstm.state_dict(), tmp_path / "lstm.pt")
    loaded = LSTM(**SIZES, peepholes=True, gradient_flow="truncated_1997")
    loaded.load_state_dict(torch.load(tmp_path / "lstm.pt", weights_only=True))
    return loaded


@pytest.mark.parametrize(
    "copied",
    [lambda lstm, _: copy.deepcopy(lstm), lambda lstm, _: pickle.loads(pickle.dumps(lstm)), through_a_file],
    ids=["deepcopy", "pickle", "state_dict"],
)
def test_copies_compute_the_same(copied: Callable[[LSTM, Path], LSTM], tmp_path: Path) -> None:
    lstm, x = LSTM(**SIZES, peepholes=True, gradient_flow="truncated_1997"), draw((7, 4, 3), seed=1)
    expected = run(lstm, x, None)
    other = copied(lstm, tmp_path)
    with torch.no_grad():
        lstm.weight_hh_l0.zero_()  # a copy shares nothing
    assert all(torch.equal(value, expected[name]) for name, value in run(other, x, None).items())


def test_a_parametrised_weight_is_trained() -> None:
    lstm, x = LSTM(**SIZES), draw((7, 4, 3), seed=1)
    parametrizations.orthogonal(lstm, "weight_hh_l0")
    optimiser = torch.optim.Adam(lstm.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        output, _ = lstm(x)
        losses.append((output[-1] - x[0].mean()).square().mean())
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[-1] < losses[0]
    torch.testing.assert_close(lstm.weight_hh_l0.mT @ lstm.weight_hh_l0, torch.eye(5))


def test_the_representation_names_what_is_not_the_default() -> None:
    assert repr(LSTM(3, 5)) == "LSTM(3, 5)"
    named = repr(LSTM(3, 5, num_layers=2, batch_first=True, peepholes=True, gradient_flow="truncated_1997", replicas=4))
    flow = "gradient_flow=GradientFlow(paths=frozenset({'cell'}), k1=None, k2=None)"
    assert named == f"LSTM(3, 5, num_layers=2, batch_first=True, peepholes=True, {flow}, replicas=4)"
