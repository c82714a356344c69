"""Matrix products of the fused CPU kernel, in register-blocked tiles of vectors (Goto & van de Geijn 2008).

The matrices are too small for a BLAS to reach its speed: it packs them first, and sums differently on every CPU. Here
an element is summed up in an order that depends on nothing but the sizes.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils

from models.kernels.compilation import inlined
from models.kernels.lanes import WIDTH, Array, floats
from models.kernels.vectors import INT, data_of, intrinsic

# The sums of a tile stay in registers: there are 32 of 16 numbers with AVX-512, 16 of 8 with AVX2, 32 of 4 with Neon.
WIDE = bool(binding.get_host_cpu_features().get("avx512f"))
ROWS, VECTORS = (8, 2) if WIDE else (4, 1)
LEFT, RIGHT = (4, 4) if WIDE else (2, 2)
ZEROS = ir.Constant(floats.type, [0.0] * WIDTH)
Emit = Callable[[Any, list[Any], list[Any]], None]


def _sums(builder: Any, count: int) -> list[Any]:
    """Emit variables that LLVM keeps in registers, zero."""
    sums = [cgutils.alloca_once(builder, floats.type) for _ in range(count)]
    for variable in sums:
        builder.store(ZEROS, variable)
    return sums


def _multiply_add(builder: Any, variable: Any, x: Any, y: Any) -> None:
    builder.store(floats.call(builder, "fmuladd", x, y, builder.load(variable)), variable)


def _tile_of_product(rows: int, vectors: int, *, transposed: bool = False) -> Any:
    """Make a tile of M @ s, or of M.T @ s."""

    @intrinsic
    def tile(_: Any, M: Any, row: Any, s: Any, column: Any, out: Any) -> Any:
        """Write out[row : row + rows, column : column + 16 vectors]."""

        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            of_M, of_s, of_out = (signature.args[k] for k in (0, 2, 4))
            row, column = args[1], args[3]
            M = context.make_array(of_M)(context, builder, args[0])
            width, columns = builder.extract_value(M.shape, 1), _columns(context, builder, of_s, args[2])
            depth = builder.extract_value(M.shape, 0) if transposed else width
            s, out = data_of(context, builder, of_s, args[2]), data_of(context, builder, of_out, args[4])
            starts = [builder.add(row, row.type(r)) for r in range(rows)]
            if not transposed:
                starts = [builder.mul(start, width) for start in starts]
            sums = _sums(builder, rows * vectors)
            with cgutils.for_range(builder, depth) as loop:
                base = builder.add(builder.mul(loop.index, columns), column)
                sources = [
                    builder.load(floats.at(builder, s, builder.add(base, base.type(v * WIDTH))), align=4)
                    for v in range(vectors)
                ]
                along = builder.mul(loop.index, width) if transposed else loop.index
                for r in range(rows):
                    weight = floats.splat(builder, builder.load(builder.gep(M.data, [builder.add(starts[r], along)])))
                    for v in range(vectors):
                        _multiply_add(builder, sums[r * vectors + v], weight, sources[v])
            for r in range(rows):
                base = builder.add(builder.mul(builder.add(row, row.type(r)), columns), column)
                for v in range(vectors):
                    place = floats.at(builder, out, builder.add(base, base.type(v * WIDTH)))
                    builder.store(builder.load(sums[r * vectors + v]), place, align=4)
            return context.get_dummy_value()

        return types.void(M, types.intp, s, types.intp, out), emit

    return tile


def _columns(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return builder.extract_value(context.make_array(kind)(context, builder, array).shape, 1)


def _tile_of_correlation(left: int, right: int, *, narrow: bool = False) -> Any:
    """Make a tile; a `narrow` one, for 16 columns, has one loop instead of two."""

    @intrinsic
    def tile(_: Any, x: Any, j: Any, y: Any, k: Any, steps: Any, out: Any) -> Any:
        """Add the sum over steps and columns of x[:, j : j + left] y[:, k : k + right] to out."""

        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            of_x, of_y, of_out = (signature.args[n] for n in (0, 2, 5))
            j, k, steps = args[1], args[3], args[4]
            x = context.make_array(of_x)(context, builder, args[0])
            y = context.make_array(of_y)(context, builder, args[2])
            columns = builder.extract_value(x.shape, 2)
            sums = _sums(builder, left * right)
            with cgutils.for_range(builder, steps) as step:
                starts = []
                for struct, first, count in ((x, j, left), (y, k, right)):
                    row = builder.add(builder.mul(step.index, builder.extract_value(struct.shape, 1)), first)
                    rows = [builder.add(row, row.type(n)) for n in range(count)]
                    starts += [builder.gep(struct.data, [builder.mul(row, columns)]) for row in rows]

                def multiply(column: Any, starts: list[Any] = starts) -> None:
                    loaded = [builder.load(floats.at(builder, start, column), align=4) for start in starts]
                    for n, variable in enumerate(sums):
                        _multiply_add(builder, variable, loaded[n // right], loaded[left + n % right])

                if narrow:
                    multiply(columns.type(0))
                else:
                    with cgutils.for_range_slice(builder, columns.type(0), columns, columns.type(WIDTH)) as (column, _):
                        multiply(column)
            totals = _totals(builder, [builder.load(variable) for variable in sums])
            out = context.make_array(of_out)(context, builder, args[5])
            width = builder.extract_value(out.shape, 1)
            for n in range(left * right):
                row = builder.mul(builder.add(j, j.type(n // right)), width)
                place = builder.gep(out.data, [builder.add(row, builder.add(k, k.type(n % right)))])
                total = builder.extract_element(totals, INT(n))
                builder.store(builder.fadd(builder.load(place), total), place)
            return context.get_dummy_value()

        return types.void(x, types.intp, y, types.intp, types.intp, out), emit

    return tile


def _totals(builder: Any, vectors: list[Any]) -> Any:
    """Emit a vector whose lane n is the sum of the lanes of vector n, added up in halves."""
    vectors = vectors + [ZEROS] * (WIDTH - len(vectors))
    size = WIDTH // 2
    while size:
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [_add_halves(builder, x, y, size=size) for x, y in pairs]
        size //= 2
    return vectors[0]


def _add_halves(builder: Any, x: Any, y: Any, *, size: int) -> Any:
    """Emit the sums of the two halves of every run of 2 `size` lanes, those of x first."""
    low = [run + lane for run in range(0, 2 * WIDTH, 2 * size) for lane in range(size)]
    masks = [ir.Constant(floats.indices, [lane + shift for lane in low]) for shift in (0, size)]
    return builder.fadd(*(builder.shuffle_vector(x, y, mask) for mask in masks))


_SHAPES = ((ROWS, VECTORS), (ROWS, 1), (1, VECTORS), (1, 1))
_tiles, _tiles_of_transposed = (
    [_tile_of_product(r, v, transposed=transposed) for r, v in _SHAPES] for transposed in (False, True)
)
_square, _left, _right, _corner = (
    _tile_of_correlation(j, k) for j, k in ((LEFT, RIGHT), (LEFT, 1), (1, RIGHT), (1, 1))
)
_narrow = _tile_of_correlation(LEFT, RIGHT, narrow=True)


def _in_tiles(whole: Any, high: Any, wide: Any, single: Any) -> Any:
    @inlined
    def fill(rows: int, M: Array, s: Array, out: Array) -> None:
        columns = s.shape[1]
        tall, broad = rows - rows % ROWS, columns - columns % (VECTORS * WIDTH)
        for column in range(0, broad, VECTORS * WIDTH):
            for row in range(0, tall, ROWS):
                whole(M, row, s, column, out)
            for row in range(tall, rows):
                wide(M, row, s, column, out)
        for column in range(broad, columns, WIDTH):
            for row in range(0, tall, ROWS):
                high(M, row, s, column, out)
            for row in range(tall, rows):
                single(M, row, s, column, out)

    return fill


_fill, _fill_of_transposed = _in_tiles(*_tiles), _in_tiles(*_tiles_of_transposed)


@inlined
def product(M: Array, s: Array, out: Array) -> None:
    """Write M @ s: (n, m) times (m, B)."""
    _fill(M.shape[0], M, s, out)


@inlined
def product_of_transposed(M: Array, s: Array, out: Array) -> None:
    """Write M.T @ s: (m, n) transposed times (m, B)."""
    _fill_of_transposed(M.shape[1], M, s, out)


@inlined
def add_correlation(x: Array, y: Array, steps: int, m: int, out: Array) -> None:
    """Add the sum over the first `steps` steps of x[t] @ y[t].T, to the first m columns of `out`, y's first m rows."""
    n = out.shape[0]
    tall, broad = n - n % LEFT, m - m % RIGHT
    for j in range(0, tall, LEFT):
        for k in range(0, broad, RIGHT):
            if x.shape[2] == WIDTH:
                _narrow(x, j, y, k, steps, out)
            else:
                _square(x, j, y, k, steps, out)
        for k in range(broad, m):
            _left(x, j, y, k, steps, out)
    for j in range(tall, n):
        for k in range(0, broad, RIGHT):
            _right(x, j, y, k, steps, out)
        for k in range(broad, m):
            _corner(x, j, y, k, steps, out)
