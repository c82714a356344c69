"""The torch module under torch's own tools: compile, export, trace, func, autocast, devices and in-place changes."""

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from models import LSTM
from tests.models.torch_lstm_experiment import SIZES, assert_close, draw, run

DTYPES = [torch.float64, torch.float32]
X = (7, 4, 3)


def test_compiled_it_computes_the_same_from_the_first_call_on() -> None:
    lstm, x = LSTM(**SIZES), draw(X, seed=1)
    came = run(torch.compile(lstm, backend="eager"), x, None)  # first: what is compiled already is not traced
    for name, value in run(lstm, x, None).items():
        assert torch.equal(
            came[name.replace("dweight", "d_orig_mod.weight").replace("dbias", "d_orig_mod.bias")], value
        )


def of_func(lstm: LSTM, x: Tensor) -> object:
    weights = dict(lstm.named_parameters())
    return torch.func.grad(lambda w: torch.func.functional_call(lstm, w, (x,))[0].sum())(weights)


def of_samples(lstm: LSTM, x: Tensor) -> object:
    loss = torch.func.grad(lambda w, x: torch.func.functional_call(lstm, w, (x[:, None],))[0].sum())
    return torch.vmap(loss, in_dims=(None, 1))(dict(lstm.named_parameters()), x)


def of_batched_gradients(lstm: LSTM, x: Tensor) -> object:
    output = lstm(x)[0].sum(dim=(0, 2))
    return torch.autograd.grad(output, lstm.weight_hh_l0, torch.eye(4, dtype=x.dtype), is_grads_batched=True)


def export(lstm: LSTM, x: Tensor) -> object:
    return torch.export.export(lstm, (x,), strict=False)


def trace(lstm: LSTM, x: Tensor) -> object:
    return torch.jit.trace(lstm, (x,))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("use", [of_func, of_samples, of_batched_gradients, export, trace])
def test_tools_that_see_no_memory_are_refused_in_one_line_in_float32(use: Callable[[LSTM, Tensor], object]) -> None:
    lstm, x = LSTM(**SIZES), draw(X, seed=1)
    with pytest.raises(RuntimeError, match="the cpu kernel reads and writes memory") as raised:
        use(lstm, x)
    assert "\n" not in str(raised.value)


def test_gradients_by_func_are_those_of_autograd_in_float64() -> None:
    lstm, x = LSTM(**SIZES).double(), draw(X, seed=1, dtype=torch.float64)
    names, weights = zip(*lstm.named_parameters(), strict=True)
    expected = dict(zip(names, torch.autograd.grad(lstm(x)[0].sum(), weights), strict=True))
    assert_close(of_func(lstm, x), expected, rtol=1e-12)
    assert_close({name: value.sum(dim=0) for name, value in of_samples(lstm, x).items()}, expected, rtol=1e-12)
    (batched,) = of_batched_gradients(lstm, x)
    assert_close({"": batched.sum(dim=0)}, {"": expected["weight_hh_l0"]}, rtol=1e-12)


@pytest.mark.parametrize(
    "changed", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_peephole_l0", "x", "h", "c"]
)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_changed_in_place_since_the_forward_pass_is_refused(dtype: torch.dtype, changed: str) -> None:
    lstm = LSTM(**SIZES, peepholes=True, dtype=dtype)
    given = {"x": draw(X, seed=1, dtype=dtype), "h": draw((1, 4, 5), seed=2, dtype=dtype)}
    given["c"] = given["h"].clone()
    output, _ = lstm(given["x"], (given["h"], given["c"]))
    with torch.no_grad():
        (given.get(changed) if changed in given else lstm.get_parameter(changed)).mul_(2)
    with pytest.raises(RuntimeError, match=r"modified .*inplace"):
        output.sum().backward()


@pytest.mark.parametrize(("replicas", "batch_first"), [(None, False), (None, True), (2, True)])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_it_returns_can_be_detached_and_changed_in_place(
    dtype: torch.dtype, replicas: int | None, batch_first: bool
) -> None:
    lstm = LSTM(**SIZES, dtype=dtype, replicas=replicas, batch_first=batch_first)
    for batch in ((4,), ()):
        output, (h, c) = lstm(draw((*[replicas] * bool(replicas), 7, *batch, 3), seed=1, dtype=dtype))
        (2 * output.mul_(2).sum() + h.sum()).backward()
        for tensor in (output, h, c):
            tensor.detach_()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_default_device_does_not_touch_it(dtype: torch.dtype) -> None:
    lstm, x, weight = LSTM(**SIZES, dtype=dtype), draw(X, seed=1, dtype=dtype), draw((7, 4, 5), seed=2, dtype=dtype)
    expected = torch.autograd.grad(lstm(x)[0], lstm.weight_hh_l0, weight)
    with torch.device("meta"):
        came = torch.autograd.grad(lstm(x)[0], lstm.weight_hh_l0, weight)
    assert torch.equal(*came, *expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_with_the_negative_bit_are_resolved(dtype: torch.dtype) -> None:
    def negative(tensor: Tensor) -> Tensor:
        flipped = torch.complex(torch.zeros_like(tensor), -tensor).conj().imag
        assert flipped.is_neg()
        return flipped

    lstm, x = LSTM(**SIZES, dtype=dtype), draw(X, seed=1, dtype=dtype)
    hx = (draw((1, 4, 5), seed=2, dtype=dtype), draw((1, 4, 5), seed=3, dtype=dtype))
    expected, weight = lstm(x, hx), draw((7, 4, 5), seed=4, dtype=dtype)
    output, states = lstm(negative(x), tuple(negative(state) for state in hx))
    assert torch.equal(output, expected[0])
    assert torch.equal(states[1], expected[1][1])
    gradients = (
        torch.autograd.grad(o, lstm.weight_hh_l0, w) for o, w in ((output, negative(weight)), (expected[0], weight))
    )
    assert torch.equal(*itertools.chain.from_iterable(gradients))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_an_empty_batch_has_empty_outputs_and_zero_gradients(dtype: torch.dtype) -> None:
    theirs, ours = nn.LSTM(**SIZES, num_layers=2, dtype=dtype), LSTM(**SIZES, num_layers=2, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    x = torch.zeros(7, 0, 3, dtype=dtype)
    expected, came = run(theirs, x, None), run(ours, x, None)
    assert came.keys() == expected.keys()
    for name, value in expected.items():
        assert came[name].shape == value.shape, name
        assert not came[name].any()


def test_under_autocast_it_trains_after_a_linear_layer() -> None:
    linear, lstm = nn.Linear(3, 3), LSTM(**SIZES)
    with torch.autocast("cpu"):
        x = linear(draw(X, seed=1))
        output, (h, c) = lstm(x, (torch.zeros(1, 4, 5, dtype=torch.bfloat16),) * 2)
    assert x.dtype == torch.bfloat16
    assert {tensor.dtype for tensor in (output, h, c)} == {torch.float32}
    assert torch.equal(output, lstm(x.float())[0])
    output.sum().backward()
    assert all(weight.grad is not None for weight in [*linear.parameters(), *lstm.parameters()])
    double = LSTM(**SIZES).double()
    with torch.autocast("cpu"):
        assert double(draw(X, seed=1, dtype=torch.float64))[0].dtype == torch.float64
