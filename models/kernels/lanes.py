"""Vectors of 16 float32 numbers, so that a step of a cell reads like its equations and stays in registers.

Arrays are C-contiguous, of two axes, their second axis a multiple of 16; no bounds are checked.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numpy.typing import NDArray

from models.kernels.vectors import INT, Vectors, intrinsic

Array = NDArray[np.float32]

WIDTH = 16


class _LanesType(types.Type):
    """16 float32 numbers."""


lanes = _LanesType("lanes")
floats = Vectors(lanes, number=types.float32, width=WIDTH)
spread, power_of_two = floats.spread(), floats.power_of_two()


def padded(batch: int) -> int:
    """Return the columns that `batch` sequences take: the next multiple of 16."""
    return -(-batch // WIDTH) * WIDTH


def element(context: Any, builder: Any, kind: Any, array: Any, row: Any, column: Any) -> Any:
    """Emit the pointer to array[row, column : column + 16]."""
    struct = context.make_array(kind)(context, builder, array)
    columns = builder.extract_value(struct.shape, 1)
    return floats.at(builder, struct.data, builder.add(builder.mul(row, columns), column))


@intrinsic
def load(_: Any, array: Any, row: Any, column: Any) -> Any:
    """Return array[row, column : column + 16]."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(element(context, builder, signature.args[0], *args), align=4)

    return lanes(array, types.intp, types.intp), emit


@intrinsic
def store(_: Any, array: Any, row: Any, column: Any, value: Any) -> Any:
    """Write array[row, column : column + 16]."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[3], element(context, builder, signature.args[0], *args[:3]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, lanes), emit


@intrinsic
def prefetch(_: Any, array: Any, row: Any, column: Any) -> Any:
    """Ask for array[row, column : column + 16] to be in the second cache soon."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, INT, INT, INT])
        place = builder.bitcast(element(context, builder, signature.args[0], *args), pointer)
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, INT(0), INT(2), INT(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), emit


def _of_comparison(comparison: str) -> Any:
    @intrinsic
    def bounded(_: Any, x: Any, limit: Any) -> Any:
        def emit(_: Any, builder: Any, __: Any, args: Any) -> Any:
            limit = floats.splat(builder, args[1])
            beyond = builder.fcmp_ordered(comparison, args[0], limit)  # of NaN: false
            return builder.select(beyond, limit, args[0])

        return lanes(lanes, types.float32), emit

    return bounded


at_most = _of_comparison(">")
"""The smaller of a lane and a number; NaN stays NaN."""
at_least = _of_comparison("<")
"""The larger of a lane and a number; NaN stays NaN."""


@intrinsic
def zero_below(_: Any, x: Any, limit: Any, value: Any) -> Any:
    """Return 0 where x < limit, and value elsewhere."""

    def emit(_: Any, builder: Any, __: Any, args: Any) -> Any:
        below = builder.fcmp_ordered("<", args[0], floats.splat(builder, args[1]))
        return builder.select(below, ir.Constant(floats.type, [0.0] * WIDTH), args[2])

    return lanes(lanes, types.float32, lanes), emit


@intrinsic
def with_sign_of(_: Any, magnitude: Any, sign: Any) -> Any:
    """Return the magnitudes with the other vector's signs."""
    return lanes(lanes, lanes), lambda _, builder, __, args: floats.call(builder, "copysign", *args)


@intrinsic
def absolute(_: Any, x: Any) -> Any:
    """Return the magnitudes."""
    return lanes(lanes), lambda _, builder, __, args: floats.call(builder, "fabs", *args)
