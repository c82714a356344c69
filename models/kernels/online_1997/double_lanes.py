"""Vectors of 8 float64 numbers, as `models.kernels.lanes` has 16 of float32; and their sigmoid.

Arrays are C-contiguous, of two axes, the second one of 8; no bounds are checked.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from models.kernels.compilation import inlined
from models.kernels.vectors import Lanes, Vectors, data_of, intrinsic

Array = NDArray[np.float64]

WIDTH = 8
MANTISSA_BITS = 52

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.693147180369123816490  # 32 bits: k times it is exact (fdlibm)
LN2_LOW = 1.90821492927058770002e-10
ROUND = 1.5 * 2.0**MANTISSA_BITS  # adding it rounds to an integer
END = 708.0  # exp is neither infinite nor denormal up to it
E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13 = (1.0 / math.factorial(k) for k in range(2, 14))


def aligned(*shape: int) -> Array:
    """Return an array of zeros at a multiple of 64 bytes: no vector of it lies in two cache lines."""
    size = math.prod(shape)
    whole = np.zeros(size + WIDTH)
    begin = -(whole.ctypes.data // whole.itemsize) % WIDTH
    return whole[begin : begin + size].reshape(shape)


class _DoublesType(types.Type):
    """8 float64 numbers."""


doubles = _DoublesType("doubles")
vectors = Vectors(doubles, number=types.float64, width=WIDTH)
spread, _power_of_two = vectors.spread(), vectors.power_of_two()


def _row(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    data = data_of(context, builder, kind, array)
    return vectors.at(builder, data, builder.mul(row, row.type(WIDTH)))


@intrinsic
def load(_: Any, array: Any, row: Any) -> Any:
    """Return array[row]."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_row(context, builder, signature.args[0], *args), align=8)

    return doubles(array, types.intp), emit


@intrinsic
def store(_: Any, array: Any, row: Any, value: Any) -> Any:
    """Write array[row]."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _row(context, builder, signature.args[0], *args[:2]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, doubles), emit


@intrinsic
def transpose(_: Any, source: Any, row: Any, target: Any, into: Any) -> Any:
    """Write the transpose of the 8 rows of source from `row` on to those of target from `into` on."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        of_source, _, of_target, _ = signature.args
        array, first, out, begin = args

        def place(kind: Any, array: Any, first: Any, k: int) -> Any:
            return _row(context, builder, kind, array, builder.add(first, first.type(k)))

        rows = [builder.load(place(of_source, array, first, k), align=8) for k in range(WIDTH)]
        for size in (1, 2, 4):  # of the blocks that change places
            upper = [lane if not lane & size else WIDTH + lane - size for lane in range(WIDTH)]
            lower = [lane + size if not lane & size else WIDTH + lane for lane in range(WIDTH)]
            for k in (k for k in range(WIDTH) if not k & size):
                pair = rows[k], rows[k + size]
                rows[k], rows[k + size] = (
                    builder.shuffle_vector(*pair, ir.Constant(vectors.indices, order)) for order in (upper, lower)
                )
        for k in range(WIDTH):
            builder.store(rows[k], place(of_target, out, begin, k), align=8)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp), emit


@intrinsic
def multiply_add(_: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x y + z, rounded once where the CPU can."""
    return doubles(doubles, doubles, doubles), lambda _, builder, __, args: vectors.call(builder, "fmuladd", *args)


def _of_comparison(comparison: str) -> Any:
    @intrinsic
    def replaced(_: Any, x: Any, limit: Any, value: Any, other: Any) -> Any:
        def emit(_: Any, builder: Any, __: Any, args: Any) -> Any:
            beyond = builder.fcmp_ordered(comparison, args[0], vectors.splat(builder, args[1]))  # of NaN: false
            return builder.select(beyond, vectors.splat(builder, args[3]), args[2])

        return doubles(doubles, types.float64, doubles, types.float64), emit

    return replaced


unless_above = _of_comparison(">")
"""(x, limit, value, other): other where x > limit, and value elsewhere."""
unless_below = _of_comparison("<")
"""(x, limit, value, other): other where x < limit, and value elsewhere."""


@inlined
def sigmoid(x: Lanes) -> Lanes:
    """Return 1 / (1 + e^-x), to 2 ulp; 0 below -708. e^(k ln 2 + r) = 2^k e^r, and of e^r Taylor's series to r^13."""
    y = unless_below(x, -END, unless_above(x, END, x, END), -END)
    shifted = y * -LOG2_E + ROUND
    k = shifted - ROUND
    r = k * -LN2_HIGH - y
    r = r - k * LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    low = (r + 1.0) + r2 * (r * E3 + E2)
    middle = (r * E5 + E4) + r2 * (r * E7 + E6)
    high = (r * E9 + E8) + r2 * (r * E11 + E10)
    exponential = low + r4 * (middle + r4 * (high + r4 * (r * E13 + E12)))
    return unless_below(x, -END, 1.0 / (exponential * _power_of_two(shifted) + 1.0), 0.0)
