"""What the torch module refuses, in one line each: options, inputs and states."""

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from models import LSTM
from models.gradient_flow import GradientFlow

SIZES = {"input_size": 3, "hidden_size": 5}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"dropout": 0.5}, NotImplementedError, r"only dropout=0, bidirectional=False, proj_size=0; came: dropout=0.5"),
        ({"bidirectional": True}, NotImplementedError, "came: bidirectional=True"),
        ({"proj_size": 2}, NotImplementedError, "came: proj_size=2"),
        ({"num_layers": 0}, ValueError, "num_layers must be an integer >= 1; came: 0"),
        ({"hidden_size": 5.0}, ValueError, "hidden_size must be an integer >= 1; came: 5.0"),
        ({"replicas": True}, ValueError, "replicas must be an integer >= 1; came: True"),
        ({"bias": 0.5}, ValueError, "bias must be True or False; came: 0.5"),
        ({"peepholes": "ifo"}, ValueError, "peepholes must be True or False; came: 'ifo'"),
        (
            {"gradient_flow": "tbptt"},
            ValueError,
            "unknown gradient_flow 'tbptt'; known: full, truncated_1997, or a Gra",
        ),
        ({"gradient_flow": ["cell"]}, ValueError, r"unknown gradient_flow \['cell'\]"),
        (
            {"gradient_flow": GradientFlow(frozenset({"peepholes"}))},
            ValueError,
            "no path 'peepholes'; its paths: cell,",
        ),
        (
            {"num_layers": 2, "gradient_flow": GradientFlow(frozenset({"cell"}), 2, 5)},
            ValueError,
            "windows of several layers need k1 = k2; came: k1 = 2, k2 = 5",
        ),
    ],
    ids=str,
)
def test_what_it_cannot_be_is_refused_in_one_line(
    options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        LSTM(**SIZES | options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({}, (7, 4, 2), r"input must be \(T, B, 3\) or \(T, 3\), with T >= 1; came: \(7, 4, 2\)"),
        ({}, (3,), r"came: \(3\)"),
        ({}, (2, 7, 4, 3), r"came: \(2, 7, 4, 3\)"),
        ({}, (0, 4, 3), r"came: \(0, 4, 3\)"),
        ({"batch_first": True}, (7, 4, 2), r"input must be \(B, T, 3\) or \(T, 3\)"),
        ({"replicas": 2}, (3, 7, 4, 3), r"input must be \(2, T, B, 3\) or \(2, T, 3\), with T >= 1; came: \(3, 7"),
    ],
    ids=str,
)
def test_an_input_of_another_shape_is_refused(options: dict[str, object], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LSTM(**SIZES, **options)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("hx", "message"),
    [
        (torch.zeros(1, 4, 5), r"hx must be a pair \(h, c\); came: Tensor"),
        ((torch.zeros(1, 4, 5), torch.zeros(4, 5)), r"c of hx must be \(1, 4, 5\); came: \(4, 5\)"),
        (
            (torch.zeros(1, 4, 5).double(), torch.zeros(1, 4, 5)),
            "h of hx must be torch.float32 on cpu as the weights are",
        ),
    ],
    ids=["tensor", "shape", "dtype"],
)
def test_states_of_another_kind_are_refused(hx: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LSTM(**SIZES)(torch.zeros(7, 4, 3), hx)


def test_an_input_of_another_kind_is_refused() -> None:
    lstm = LSTM(**SIZES)
    with pytest.raises(
        ValueError, match=r"must be torch.float32 on cpu as the weights are; came: torch.float64 on cpu"
    ):
        lstm(torch.zeros(7, 4, 3, dtype=torch.float64))
    with pytest.raises(NotImplementedError, match="takes a tensor; came: a PackedSequence"):
        lstm(pack_sequence([torch.zeros(7, 3)]))
