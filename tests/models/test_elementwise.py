"""tanh and sigmoid of the fused kernel against float64: at most 4 ulp, and exact where float32 has an exact answer."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from models.kernels import elementwise
from models.kernels.compilation import compiled
from models.kernels.elementwise import Array
from models.kernels.lanes import WIDTH, load, padded, store

SMALLEST_NORMAL = np.finfo(np.float32).tiny
LARGEST = np.finfo(np.float32).max


@compiled
def tanh_of(x: Array, y: Array) -> None:
    for k in range(0, x.shape[1], WIDTH):
        store(y, 0, k, elementwise.tanh(load(x, 0, k)))


@compiled
def sigmoid_of(x: Array, y: Array) -> None:
    for k in range(0, x.shape[1], WIDTH):
        store(y, 0, k, elementwise.sigmoid(load(x, 0, k)))


def exact_sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


FUNCTIONS = [pytest.param(tanh_of, np.tanh, id="tanh"), pytest.param(sigmoid_of, exact_sigmoid, id="sigmoid")]


def inputs() -> Array:
    """Return dense inputs where the functions bend, random ones of every magnitude, and the ends of their ranges."""
    rng = np.random.default_rng(0)
    magnitudes = 2.0 ** rng.uniform(-149, 128, 300_000)
    near_ends = [end + np.linspace(-1, 1, 50_001) for end in (9.02, 87.3, 88.3, 103.9)]
    x = np.concatenate([np.linspace(-100, 100, 1_000_001), rng.normal(size=500_000), magnitudes, *near_ends])
    with np.errstate(over="ignore"):
        x = np.minimum(x.astype(np.float32), LARGEST)
    return np.concatenate([x, -x])


def values(function: Callable[[Array, Array], None], x: object) -> Array:
    x = np.asarray(x, np.float32)
    rows = np.zeros((1, padded(x.size)), np.float32)
    rows[0, : x.size] = x
    y = np.full_like(rows, 7)
    function(rows, y)
    return y[0, : x.size]


@pytest.mark.parametrize(("function", "exact"), FUNCTIONS)
def test_at_most_4_ulp_from_the_truth(
    function: Callable[[Array, Array], None], exact: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    x = inputs()
    y, truth = values(function, x), exact(x.astype(np.float64))
    normal = np.abs(truth) >= SMALLEST_NORMAL
    ulp = np.spacing(np.abs(truth).astype(np.float32)).astype(np.float64)
    assert (np.abs(y - truth) / ulp)[normal].max() <= 4
    assert np.abs(y - truth)[~normal].max(initial=0) <= SMALLEST_NORMAL  # below, a result may be flushed to zero
    assert np.abs(y).max() <= 1


TANH_AT = [(0.0, 0.0), (-0.0, -0.0), (np.inf, 1), (-np.inf, -1), (3e38, 1), (-3e38, -1), (1e-30, 1e-30)]
SIGMOID_AT = [(0.0, 0.5), (-0.0, 0.5), (np.inf, 1), (-np.inf, 0.0), (3e38, 1), (-3e38, 0.0), (1e-30, 0.5)]


@pytest.mark.parametrize(("function", "at"), [(tanh_of, TANH_AT), (sigmoid_of, SIGMOID_AT)], ids=["tanh", "sigmoid"])
def test_ends_zeros_and_tiny_inputs_are_exact(
    function: Callable[[Array, Array], None], at: list[tuple[float, float]]
) -> None:
    x, expected = np.array(at, np.float32).T
    y = values(function, x.copy())
    assert_array_equal(y, expected)
    assert_array_equal(np.signbit(y), np.signbit(expected))


@pytest.mark.parametrize(("function", "exact"), FUNCTIONS)
@pytest.mark.parametrize("length", [1, 5, 33])
def test_nan_stays_nan_and_touches_no_neighbour(
    function: Callable[[Array, Array], None], exact: object, length: int
) -> None:
    x = np.linspace(-3, 3, length).astype(np.float32)
    y = values(function, x)
    for k in range(length):
        broken = x.copy()
        broken[k] = np.nan
        computed = values(function, broken)
        assert np.isnan(computed[k])
        assert_array_equal(np.delete(computed, k), np.delete(y, k))


@pytest.mark.parametrize(("function", "exact"), FUNCTIONS)
def test_an_element_has_the_same_bits_wherever_it_stands(
    function: Callable[[Array, Array], None], exact: object
) -> None:
    """Vector body and scalar rest of a loop agree, so that bits do not depend on the batch size."""
    x = np.random.default_rng(1).normal(size=257).astype(np.float32) * 4
    y = values(function, x)
    for start, stop in [(0, 1), (3, 20), (100, 257), (256, 257)]:
        assert_array_equal(values(function, x[start:stop].copy()), y[start:stop])
