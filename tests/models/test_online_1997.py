"""The fused online training of the 1997 network against autograd with plain SGD, and its replicas' bits."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from models.gradient_flow import GradientFlow
from models.kernels import threads
from models.kernels.online_1997 import time_loop
from models.kernels.online_1997.train import train_online
from models.network import Network
from tests.models import oracle_1997
from tests.models.oracle import sigmoid
from tests.models.test_lstm_1997 import KERNEL, KINDS, PATHS, SUBSETS, TRUNCATED, make_cell

FEATURES, OUTPUTS = 3, 2
FULL = GradientFlow(PATHS)


class Stream(NamedTuple):
    """What networks of a cell train on: D data sets of n sequences."""

    network: Network
    inputs: np.ndarray
    targets: np.ndarray
    starts: np.ndarray
    weights: np.ndarray
    """Initial ones, (R, P)."""
    rows: list[int]
    rates: np.ndarray

    def train(self, flow: GradientFlow, *, replicas: Sequence[int] | None = None, **changed: Any) -> Any:
        """Train some replicas and return their weights and nets."""
        chosen = list(range(len(self.rows)) if replicas is None else replicas)
        arguments = {
            "weights": self.weights[chosen],
            "inputs": self.inputs,
            "targets": self.targets,
            "starts": self.starts,
            "rows": [self.rows[r] for r in chosen],
            "rates": self.rates[chosen],
        } | changed
        nets = train_online(self.network.cell, flow=flow, outputs=self.network.outputs, **arguments)  # type: ignore[arg-type]
        return arguments["weights"], nets


def draw_stream(
    *, one_hot: bool, block_size: int = 2, biases: bool = True, replicas: int = 3, sequences: int = 50, steps: int = 7
) -> Stream:
    cell = make_cell(features=FEATURES, block_size=block_size, biases=biases, input_gate_bias=-0.5, bound=0.8)
    network = Network(cell, outputs=OUTPUTS, kernel=KERNEL)
    rng, D = np.random.default_rng([one_hot, block_size, biases]), 2
    indices = rng.integers(-1, FEATURES, size=(D, steps, sequences))
    dense = rng.normal(size=(D, steps, sequences, FEATURES)).astype(np.float32)
    initial = [network.initialise(np.random.default_rng(r), sequence_length=steps) for r in range(replicas)]
    return Stream(
        network,
        indices if one_hot else dense,
        rng.random((D, sequences, OUTPUTS)),
        rng.integers(0, steps, size=(D, sequences)),
        np.stack(initial),
        [r % D for r in range(replicas)],
        rng.uniform(0.3, 1.0, size=replicas),
    )


def slowly(stream: Stream, flow: GradientFlow) -> tuple[np.ndarray, np.ndarray]:
    """Do the same with the reference kernel, autograd and W <- W - rate * gradient."""
    weights, rates = torch.tensor(stream.weights), torch.tensor(stream.rates)[:, None]
    inputs, targets, starts = (
        torch.tensor(array[stream.rows]) for array in (stream.inputs, stream.targets, stream.starts)
    )
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    nets = []
    for n in range(starts.shape[1]):
        weights.requires_grad_(True)
        outputs = stream.network.outputs_of(
            weights,
            inputs=inputs[:, :, n : n + 1],
            starts=starts[:, n : n + 1],
            first_target=inputs.shape[1] - 1,
            flow=flow,
        )[:, 0, 0]
        loss = 0.5 * (torch.sigmoid(outputs) - targets[:, n]).square().sum()
        (gradient,) = torch.autograd.grad(loss, weights)
        weights = weights.detach() - rates * gradient
        nets.append(outputs.detach())
    return weights.numpy(), torch.stack(nets, dim=1).numpy()


@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize("paths", SUBSETS, ids=lambda paths: "+".join(sorted(paths)) or "none")
def test_ten_updates_are_those_of_autograd(paths: frozenset[str], one_hot: bool) -> None:
    stream = draw_stream(one_hot=one_hot, sequences=10)
    for window in (None, 4):
        flow = GradientFlow(paths, window, window)
        (weights, nets), (expected, expected_nets) = stream.train(flow), slowly(stream, flow)
        assert_allclose(nets, expected_nets, rtol=1e-9, atol=0)
        assert_allclose(weights, expected, rtol=1e-9, atol=0)
        assert (weights != stream.weights).mean() > 0.9


def test_fifty_updates_are_those_of_autograd() -> None:
    stream = draw_stream(one_hot=True)
    (weights, nets), (expected, expected_nets) = stream.train(FULL), slowly(stream, FULL)
    assert_allclose(nets, expected_nets, rtol=1e-9, atol=0)
    assert_allclose(weights, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("paths", [TRUNCATED, PATHS], ids=["truncated", "full"])
@pytest.mark.parametrize(("block_size", "biases"), KINDS)
def test_every_kind_of_network_agrees_with_autograd(block_size: int, biases: bool, paths: frozenset[str]) -> None:
    for one_hot in (True, False):
        stream = draw_stream(one_hot=one_hot, block_size=block_size, biases=biases, sequences=20)
        flow = GradientFlow(paths)
        (weights, nets), (expected, expected_nets) = stream.train(flow), slowly(stream, flow)
        assert_allclose(nets, expected_nets, rtol=1e-9, atol=0)
        assert_allclose(weights, expected, rtol=1e-9, atol=0)


def test_an_update_is_the_rate_times_the_oracle_s_gradient() -> None:
    """No autograd: 1/2 sum (sigmoid(y) - target)^2 through the readout by hand, the rest by the NumPy oracle."""
    stream = draw_stream(one_hot=False, sequences=1, replicas=1)
    before = {s: v[0].numpy() for s, v in stream.network.by_symbol(torch.tensor(stream.weights)).items()}
    trained, nets = stream.train(FULL)
    after = {s: v[0].numpy() for s, v in stream.network.by_symbol(torch.tensor(trained)).items()}
    x = stream.inputs[0].astype(np.float64)
    T, C = len(x), 4
    case = oracle_1997.Case(
        {s: v for s, v in before.items() if s not in ("V", "b_y")},
        2, x, stream.starts[0], np.zeros((1, 8)), np.zeros((1, C)), np.zeros((T, 1, C)), np.zeros((1, C)),
    )  # fmt: skip
    y = oracle_1997.forward(case).u[-1, :, :C]
    net = y @ before["V"] + before["b_y"]
    error = (sigmoid(net) - stream.targets[0]) * sigmoid(net) * (1 - sigmoid(net))
    of_y = case.of_y.copy()
    of_y[-1] = error @ before["V"].T
    gradient = oracle_1997.backward(case._replace(of_y=of_y)).parameters | {"V": y.T @ error, "b_y": error[0]}
    assert_allclose(nets[0], net, rtol=1e-13)
    for symbol, value in gradient.items():
        step = (before[symbol] - after[symbol]) / stream.rates[0]
        assert_allclose(step, value, rtol=1e-9, atol=1e-15, err_msg=symbol)  # the difference of weights of order 1


@pytest.mark.parametrize("one_hot", [True, False])
def test_sequences_in_two_calls_are_those_in_one(one_hot: bool) -> None:
    stream = draw_stream(one_hot=one_hot)
    weights, nets = stream.train(FULL)
    halves = [stream._replace(inputs=stream.inputs[:, :, s], targets=stream.targets[:, s], starts=stream.starts[:, s])
              for s in (slice(0, 20), slice(20, 50))]  # fmt: skip
    between, first = halves[0].train(FULL)
    last, second = halves[1].train(FULL, weights=between)
    assert np.array_equal(last, weights)
    assert np.array_equal(np.concatenate([first, second], axis=1), nets)


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threads, "WORTH_A_THREAD", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("paths", [TRUNCATED, PATHS], ids=["truncated", "full"])
@pytest.mark.parametrize("one_hot", [True, False])
def test_bits_of_a_replica_are_the_same_alone_among_others_and_in_any_order(
    one_hot: bool, paths: frozenset[str]
) -> None:
    stream, flow = draw_stream(one_hot=one_hot, replicas=19), GradientFlow(paths)
    weights, nets = stream.train(flow)
    for chosen in ([0], [7], [18], list(range(3, 11)), list(reversed(range(19)))):
        some, some_nets = stream.train(flow, replicas=chosen)
        assert np.array_equal(some, weights[chosen])
        assert np.array_equal(some_nets, nets[chosen])


@pytest.mark.usefixtures("two_threads")
def test_bits_do_not_depend_on_the_number_of_threads() -> None:
    stream = draw_stream(one_hot=True, replicas=41)
    for _ in range(5):
        (weights, nets), (alone, alone_nets) = stream.train(FULL), stream.train(FULL, replicas=[40])
        assert np.array_equal(weights[40], alone[0])
        assert np.array_equal(nets[40], alone_nets[0])
        torch.set_num_threads(1)
        single, single_nets = stream.train(FULL)
        torch.set_num_threads(2)
        assert np.array_equal(weights, single)
        assert np.array_equal(nets, single_nets)


def test_a_replica_that_diverges_is_nan_and_leaves_the_others_alone() -> None:
    stream = draw_stream(one_hot=True, replicas=5)
    weights, nets = stream.train(FULL)
    broken = stream.weights.copy()
    broken[2, 0], broken[3] = np.nan, np.inf
    rates = stream.rates.copy()
    rates[4] = 1e300
    computed, computed_nets = stream.train(FULL, weights=broken, rates=rates)
    assert np.array_equal(computed[:2], weights[:2])
    assert np.array_equal(computed_nets[:2], nets[:2])
    for r in (2, 3):
        assert np.isnan(computed_nets[r, -1]).all()


def test_one_hot_inputs_touch_their_own_rows_of_the_input_weights_alone() -> None:
    stream = draw_stream(one_hot=True)
    rare = np.where(stream.inputs == 1, -1, stream.inputs)  # the second feature is never on
    trained, _ = stream.train(FULL, inputs=rare)
    for symbol in ("W_i", "W_z", "W_o"):
        before, after = (stream.network.by_symbol(torch.tensor(w))[symbol] for w in (stream.weights, trained))
        assert torch.equal(before[:, 1], after[:, 1])
        assert (before[:, [0, 2]] != after[:, [0, 2]]).all()


def test_one_hot_and_dense_inputs_train_alike() -> None:
    stream = draw_stream(one_hot=True)
    dense = (stream.inputs[..., None] == np.arange(FEATURES)).astype(np.float32)
    for paths in (TRUNCATED, PATHS):
        flow = GradientFlow(paths)
        (weights, nets), (of_dense, dense_nets) = (stream.train(flow, inputs=x) for x in (stream.inputs, dense))
        assert_allclose(of_dense, weights, rtol=1e-11, atol=0)
        assert_allclose(dense_nets, nets, rtol=1e-11, atol=0)


def test_what_comes_before_a_start_plays_no_part() -> None:
    stream = draw_stream(one_hot=False)
    steps = np.arange(stream.inputs.shape[1])[None, :, None]
    changed = np.where((steps < stream.starts[:, None])[..., None], np.float32(np.nan), stream.inputs)
    assert np.isnan(changed).any()
    for mine, theirs in zip(stream.train(FULL), stream.train(FULL, inputs=changed), strict=True):
        assert np.array_equal(mine, theirs)


def test_no_replica_and_no_sequence_are_no_mistake() -> None:
    stream = draw_stream(one_hot=True)
    assert stream.train(FULL, replicas=[])[1].shape == (0, 50, OUTPUTS)
    none = stream._replace(inputs=stream.inputs[:, :, :0], targets=stream.targets[:, :0], starts=stream.starts[:, :0])
    weights, nets = none.train(FULL)
    assert np.array_equal(weights, stream.weights)
    assert nets.shape == (3, 0, OUTPUTS)


def test_what_the_time_loop_cannot_take_is_refused() -> None:
    stream = draw_stream(one_hot=True)
    wrong: list[tuple[str, Any, str]] = [
        ("weights", stream.weights[:, 1:], r"weights must be float64 \(3, \d+\); came: float64 \(3, \d+\)"),
        ("weights", stream.weights.astype(np.float32), "weights must be float64 .*; came: float32"),
        ("inputs", stream.inputs + 1, "inputs must be indices below 3; came: 3"),
        ("inputs", stream.inputs.astype(np.int32), "inputs must be int64 .*; came: int32"),
        ("inputs", np.zeros((2, 7, 50, 4), np.float32), r"inputs must be float32 \(2, 7, 50, 3\); came: float32"),
        ("inputs", stream.inputs[0], r"inputs must have the axes \(D, T, n, features\) or \(D, T, n\); came"),
        ("targets", stream.targets[:, :4], r"targets must be float64 \(2, 50, 2\); came"),
        ("starts", stream.starts + 7, "starts must be from 0 to 6; came: 7 to"),
        ("rows", [0, 1, 2], "rows must be from 0 to 1; came: 0 to 2"),
        ("rates", [0.1], r"rates must be float64 \(3,\); came: float64 \(1,\)"),
    ]
    for name, value, line in wrong:
        with pytest.raises(ValueError, match=line):
            stream.train(FULL, **{name: value})
    with pytest.raises(ValueError, match="the cell has no path 'peepholes'"):
        stream.train(GradientFlow(frozenset({"peepholes"})))


def test_no_layout_of_the_data_is_compiled_anew() -> None:
    """Else a job would wait for it, which a kernel compiled beforehand is to spare it."""
    for one_hot in (True, False):
        stream = draw_stream(one_hot=one_hot)
        weights, nets = stream.train(FULL)
        fixed = stream.inputs.copy()
        fixed.flags.writeable = False
        for inputs in (fixed, np.asfortranarray(stream.inputs), np.repeat(stream.inputs, 2, axis=2)[:, :, ::2]):
            again, again_nets = stream.train(FULL, inputs=inputs)
            assert np.array_equal(again, weights)
            assert np.array_equal(again_nets, nets)
    assert len(time_loop.train.signatures) == 1  # type: ignore[attr-defined]
