"""Matrix products of the fused kernel against float64, whatever the tile: their bits depend on the sizes alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from models.kernels import products
from models.kernels.compilation import compiled
from models.kernels.products import Array

SIZES = [(1, 1, 16), (4, 3, 16), (8, 11, 32), (20, 7, 48), (33, 19, 64), (129, 130, 80)]


@compiled
def product(M: Array, s: Array, out: Array) -> None:
    products.product(M, s, out)


@compiled
def product_of_transposed(M: Array, s: Array, out: Array) -> None:
    products.product_of_transposed(M, s, out)


@compiled
def add_correlation(errors: Array, sources: Array, steps: int, out: Array) -> None:
    products.add_correlation(errors, sources, steps, out.shape[1], out)


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(("n", "m", "columns"), SIZES)
def test_a_product_is_that_of_float64(n: int, m: int, columns: int) -> None:
    M, s, out = draw(n, m), draw(m, columns, seed=1), np.full((n, columns), np.nan, np.float32)
    product(M, s, out)
    exact, bound = M.astype(np.float64) @ s, np.abs(M).astype(np.float64) @ np.abs(s)
    assert (np.abs(out - exact) <= (m + 1) * 2**-24 * bound).all()


@pytest.mark.parametrize(("n", "m", "columns"), SIZES)
def test_a_product_of_the_transposed_matrix_has_the_same_bits(n: int, m: int, columns: int) -> None:
    M, s, out, expected = draw(n, m), draw(m, columns, seed=1), *np.zeros((2, n, columns), np.float32)
    product_of_transposed(np.ascontiguousarray(M.T), s, out)
    product(M, s, expected)
    assert_array_equal(out, expected)


@pytest.mark.parametrize(("n", "m", "columns"), SIZES)
@pytest.mark.parametrize("steps", [1, 5])
def test_a_correlation_is_added_and_that_of_float64(n: int, m: int, columns: int, steps: int) -> None:
    errors, sources = draw(steps + 2, n + 4, columns), draw(steps, m + 3, columns, seed=1)
    before = draw(n, m, seed=2)
    out = before.copy()
    add_correlation(errors, sources, steps, out)
    used, sources = errors[:steps, :n].astype(np.float64), sources[:, :m]
    exact = before + np.einsum("tnb,tmb->nm", used, sources)
    bound = np.abs(before) + np.einsum("tnb,tmb->nm", np.abs(used), np.abs(sources))
    assert (np.abs(out - exact) <= (steps * columns + 2) * 2**-24 * bound).all()


@pytest.mark.parametrize("rows", [1, 3])
def test_a_row_of_a_product_has_the_same_bits_in_every_tile(rows: int) -> None:
    M, s = draw(24, 37), draw(37, 48, seed=1)
    whole, part = np.empty((24, 48), np.float32), np.empty((rows, 16), np.float32)
    product(M, s, whole)
    for row in range(0, 24 - rows):
        for column in (0, 16, 32):
            product(M[row : row + rows].copy(), s[:, column : column + 16].copy(), part)
            assert_array_equal(part, whole[row : row + rows, column : column + 16])


@pytest.mark.parametrize(("rows", "vectors"), [(4, 1), (2, 2)])
def test_the_tiles_of_other_cpus_give_the_same_bits(rows: int, vectors: int) -> None:
    tile: Callable[..., Any] = products._tile_of_product(rows, vectors)

    @compiled
    def tiled(M: Array, s: Array, out: Array) -> None:
        for row in range(0, M.shape[0], rows):
            for column in range(0, s.shape[1], 16 * vectors):
                tile(M, row, s, column, out)

    M, s, out, expected = draw(24, 37), draw(37, 64, seed=1), *np.zeros((2, 24, 64), np.float32)
    tiled(M, s, out)
    product(M, s, expected)
    assert_array_equal(out, expected)


def test_the_correlation_tiles_of_other_cpus_give_the_same_bits() -> None:
    tile: Callable[..., Any] = products._tile_of_correlation(2, 2)

    @compiled
    def tiled(errors: Array, sources: Array, out: Array) -> None:
        for j in range(0, out.shape[0], 2):
            for k in range(0, out.shape[1], 2):
                tile(errors, j, sources, k, errors.shape[0], out)

    errors, sources, out, expected = draw(3, 14, 32), draw(3, 10, 32, seed=1), *np.zeros((2, 14, 10), np.float32)
    tiled(errors, sources, out)
    add_correlation(errors, sources, 3, expected)
    assert_array_equal(out, expected)
