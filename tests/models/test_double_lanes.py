"""The sigmoid of eight float64 numbers at a time, against extended precision."""

import numpy as np
import pytest

from models.kernels.compilation import compiled
from models.kernels.online_1997.double_lanes import Array, aligned, load, sigmoid, store, transpose


@compiled
def sigmoids(x: Array, y: Array) -> None:
    for k in range(x.shape[0]):
        store(y, k, sigmoid(load(x, k)))


def sigmoids_of(numbers: np.ndarray) -> np.ndarray:
    x, y = aligned(len(numbers) // 8, 8), aligned(len(numbers) // 8, 8)
    x[:] = numbers.reshape(x.shape)
    sigmoids(x, y)
    return y.ravel()


@pytest.mark.parametrize("scale", [1e-300, 1e-8, 0.1, 1.0, 30.0, 200.0])
def test_sigmoid_is_right_to_two_units_in_the_last_place(scale: float) -> None:
    x = np.clip(np.random.default_rng(0).normal(size=40_000) * scale, -708, 708)
    truth = 1 / (1 + np.exp(-x.astype(np.longdouble)))
    assert np.abs((sigmoids_of(x) - truth) / truth).max() < 2 * 2.0**-52


def test_ends_and_nan() -> None:
    x = np.array([-np.inf, -1e308, -709, 0, 709, 1e308, np.inf, np.nan])
    assert np.array_equal(sigmoids_of(x), [0, 0, 0, 0.5, 1, 1, 1, np.nan], equal_nan=True)


def test_arrays_begin_at_a_cache_line() -> None:
    for size in range(1, 9):
        built = aligned(size, 8)
        assert built.shape == (size, 8)
        assert built.ctypes.data % 64 == 0
        assert not built.any()


@compiled
def transposed(x: Array, y: Array) -> None:
    transpose(x, 1, y, 2)


def test_transpose_of_eight_rows() -> None:
    x, y = aligned(9, 8), aligned(11, 8)
    x[:] = np.arange(72).reshape(9, 8)
    transposed(x, y)
    assert np.array_equal(y[2:10], x[1:].T)
    assert not y[[0, 1, 10]].any()
