"""Vectors of numbers as types of numba: what those of 16 float32 and of 8 float64 have in common.

LLVM turns one into as many registers as the CPU has it for. Arithmetic is lane by lane; a product and a sum may become
one fused multiply-add, as everywhere in the kernel.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

FLAGS = ("contract", "nsz")
INT = ir.IntType(32)
OPERATORS = {
    operator.add: "fadd",
    operator.iadd: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}

Lanes = Any
"""The type of a vector, in the signatures of functions that numba compiles."""
intrinsic: Any = extending.intrinsic


class Vectors:
    """The vectors of a type of numba: `width` numbers each, with arithmetic between themselves and with a number."""

    def __init__(self, kind: types.Type, *, number: types.Float, width: int) -> None:
        self.kind, self.number, self.width = kind, number, width
        scalar = {32: ir.FloatType(), 64: ir.DoubleType()}[number.bitwidth]
        self.type = ir.VectorType(scalar, width)
        self.integers = ir.VectorType(ir.IntType(number.bitwidth), width)
        self.indices = ir.VectorType(INT, width)
        self.suffix = f"v{width}f{number.bitwidth}"
        self.floats = np.finfo(str(number))
        _register_model(type(kind), self.type)
        for symbol, instruction in OPERATORS.items():
            self._add_operator(symbol, instruction)

    def splat(self, builder: Any, number: Any) -> Any:
        """Emit a vector of the same number."""
        undefined = ir.Constant(self.type, ir.Undefined)
        first = builder.insert_element(undefined, number, INT(0))
        return builder.shuffle_vector(first, undefined, ir.Constant(self.indices, [0] * self.width))

    def call(self, builder: Any, name: str, *vectors: Any) -> Any:
        """Emit LLVM's function `name` of vectors to a vector."""
        kind = ir.FunctionType(self.type, [self.type] * len(vectors))
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{self.suffix}")
        return builder.call(function, vectors)

    def at(self, builder: Any, data: Any, index: Any) -> Any:
        """Emit the pointer to the vector that begins at data[index]."""
        return builder.bitcast(builder.gep(data, [index]), self.type.as_pointer())

    def spread(self) -> Any:
        """Make the function from a number to the vector of it."""

        @intrinsic
        def spread(_: Any, number: Any) -> Any:
            return self.kind(self.number), lambda _, builder, __, args: self.splat(builder, args[0])

        return spread

    def power_of_two(self) -> Any:
        """Make the function from shifted = 1.5 * 2^m + k to 2^k: the low bits of its mantissa, of m bits, are k."""

        @intrinsic
        def power_of_two(_: Any, shifted: Any) -> Any:
            bits, bias = self.floats.nmant, self.floats.maxexp - 1
            zero = int(self.floats.dtype.type(1.5 * 2.0**bits).view(f"i{self.number.bitwidth // 8}"))

            def emit(_: Any, builder: Any, __: Any, args: Any) -> Any:
                integers = builder.bitcast(args[0], self.integers)
                k = builder.sub(integers, ir.Constant(self.integers, [zero - bias] * self.width))
                return builder.bitcast(builder.shl(k, ir.Constant(self.integers, [bits] * self.width)), self.type)

            return self.kind(self.kind), emit

        return power_of_two

    def _add_operator(self, symbol: Callable[..., Any], instruction: str) -> None:
        kind, number = self.kind, self.number

        @infer_global(symbol)
        class Typing(AbstractTemplate):
            def generic(self, args: Any, _: Any) -> Any:
                is_ours = len(args) == 2 and kind in args and all(arg in (kind, number) for arg in args)
                return signature(kind, *args) if is_ours else None

        def emit(_: Any, builder: Any, signature: Any, args: Any) -> Any:
            pairs = zip(signature.args, args, strict=True)
            vectors = [arg if given == kind else self.splat(builder, arg) for given, arg in pairs]
            return getattr(builder, instruction)(*vectors, flags=FLAGS)

        for pair in ((kind, kind), (kind, number), (number, kind)):
            extending.lower_builtin(symbol, *pair)(emit)


def _register_model(kind: type[types.Type], vector: Any) -> None:
    @extending.register_model(kind)
    class Model(extending.models.PrimitiveModel):
        def __init__(self, manager: Any, of_numba: Any) -> None:
            super().__init__(manager, of_numba, vector)


def data_of(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Emit the pointer to the first number of an array."""
    return context.make_array(kind)(context, builder, array).data
