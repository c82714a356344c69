"""Vectors of 16 float32 numbers as a type of numba, so that a step of a cell reads like its equations and stays in
registers.

LLVM turns one into as many registers as the CPU has it for. Arithmetic is lane by lane; a product and a sum may become
one fused multiply-add, as everywhere in the kernel. Arrays are C-contiguous, of two axes, their second axis a multiple
of 16; no bounds are checked.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numpy.typing import NDArray

Array = NDArray[np.float32]

WIDTH = 16
FLOAT, INT = ir.FloatType(), ir.IntType(32)
VECTOR, INTS = ir.VectorType(FLOAT, WIDTH), ir.VectorType(INT, WIDTH)
FLAGS = ("contract", "nsz")
MANTISSA_BITS, BIAS = 23, 127


def padded(batch: int) -> int:
    """Return the columns that `batch` sequences take: the next multiple of 16."""
    return -(-batch // WIDTH) * WIDTH


Lanes = Any
"""The type of 16 float32 numbers, in the signatures of functions that numba compiles."""
intrinsic: Any = extending.intrinsic


class _LanesType(types.Type):
    """The same, for numba."""


lanes = _LanesType("lanes")


@extending.register_model(_LanesType)
class _Model(extending.models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


def splat(builder: Any, number: Any) -> Any:
    """Emit a vector of 16 times the same number."""
    undefined = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, number, INT(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(INTS, [0] * WIDTH))


def fused_multiply_add(builder: Any, x: Any, y: Any, z: Any) -> Any:
    """Emit x y + z, rounded once where the CPU can."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{WIDTH}f32"), [x, y, z])


def data_of(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Emit the pointer to the first number of an array."""
    return context.make_array(kind)(context, builder, array).data


def vector_at(builder: Any, data: Any, index: Any) -> Any:
    """Emit the pointer to the 16 numbers from `index` on."""
    return builder.bitcast(builder.gep(data, [index]), VECTOR.as_pointer())


def element(context: Any, builder: Any, kind: Any, array: Any, row: Any, column: Any) -> Any:
    """Emit the pointer to array[row, column : column + 16]."""
    struct = context.make_array(kind)(context, builder, array)
    columns = builder.extract_value(struct.shape, 1)
    return vector_at(builder, struct.data, builder.add(builder.mul(row, columns), column))


@intrinsic
def spread(_: Any, number: Any) -> Any:
    """Return 16 times the same number."""

    def emit(_: Any, builder: Any, __: Any, args: Any) -> Any:
        return splat(builder, args[0])

    return lanes(types.float32), emit


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


def _of_operator(symbol: Callable[..., Any], instruction: str) -> None:
    """Give lanes an operator, between themselves and with a number."""

    @infer_global(symbol)
    class Typing(AbstractTemplate):
        def generic(self, args: Any, _: Any) -> Any:
            is_ours = len(args) == 2 and lanes in args and all(arg in (lanes, types.float32) for arg in args)
            return signature(lanes, *args) if is_ours else None

    def emit(_: Any, builder: Any, signature: Any, args: Any) -> Any:
        pair = [arg if kind == lanes else splat(builder, arg) for kind, arg in zip(signature.args, args, strict=True)]
        return getattr(builder, instruction)(*pair, flags=FLAGS)

    for pair in ((lanes, lanes), (lanes, types.float32), (types.float32, lanes)):
        extending.lower_builtin(symbol, *pair)(emit)


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _of_operator(_symbol, _instruction)


def _of_comparison(comparison: str) -> Any:
    @intrinsic
    def bounded(_: Any, x: Any, limit: Any) -> Any:
        def emit(_: Any, builder: Any, __: Any, args: Any) -> Any:
            limit = splat(builder, args[1])
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
        below = builder.fcmp_ordered("<", args[0], splat(builder, args[1]))
        return builder.select(below, ir.Constant(VECTOR, [0.0] * WIDTH), args[2])

    return lanes(lanes, types.float32, lanes), emit


@intrinsic
def power_of_two(_: Any, shifted: Any) -> Any:
    """Return 2^k of shifted = 1.5 * 2^23 + k: the low bits of its mantissa are k."""

    def emit(_: Any, builder: Any, __: Any, args: Any) -> Any:
        zero = int(np.float32(1.5 * 2**MANTISSA_BITS).view(np.int32))
        k = builder.sub(builder.bitcast(args[0], INTS), ir.Constant(INTS, [zero - BIAS] * WIDTH))
        return builder.bitcast(builder.shl(k, ir.Constant(INTS, [MANTISSA_BITS] * WIDTH)), VECTOR)

    return lanes(lanes), emit


@intrinsic
def with_sign_of(_: Any, magnitude: Any, sign: Any) -> Any:
    """Return the magnitudes with the other vector's signs."""

    def emit(_: Any, builder: Any, __: Any, args: Any) -> Any:
        kind = ir.FunctionType(VECTOR, [VECTOR] * 2)
        called = cgutils.get_or_insert_function(builder.module, kind, f"llvm.copysign.v{WIDTH}f32")
        return builder.call(called, args)

    return lanes(lanes, lanes), emit


@intrinsic
def absolute(_: Any, x: Any) -> Any:
    """Return the magnitudes."""

    def emit(_: Any, builder: Any, __: Any, args: Any) -> Any:
        kind = ir.FunctionType(VECTOR, [VECTOR])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.fabs.v{WIDTH}f32"), args)

    return lanes(lanes), emit
