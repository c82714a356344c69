"""Transposition between the kernel's arrays (H, P) and torch's (B, H), in squares of 16 that stay in registers."""

from typing import Any

from llvmlite import ir
from numba import types

from models.kernels.compilation import inlined
from models.kernels.lanes import WIDTH, Array, element, floats
from models.kernels.vectors import FLAGS, intrinsic


def _square(*, add: bool) -> Any:
    @intrinsic
    def square(_: Any, source: Any, row: Any, column: Any, target: Any) -> Any:
        """Write, or add, the transposed square of `source` from (row, column) on to `target` from (column, row) on."""

        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            of_source, of_target = signature.args[0], signature.args[3]
            source, row, column, target = args
            rows = []
            for n in range(WIDTH):
                place = element(context, builder, of_source, source, builder.add(row, row.type(n)), column)
                rows.append(builder.load(place, align=4))
            for n, vector in enumerate(_transposed(builder, rows)):
                place = element(context, builder, of_target, target, builder.add(column, row.type(n)), row)
                if add:
                    vector = builder.fadd(builder.load(place, align=4), vector, flags=FLAGS)
                builder.store(vector, place, align=4)
            return context.get_dummy_value()

        return types.void(source, types.intp, types.intp, target), emit

    return square


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Emit the transposed square: exchange the off-diagonal halves, quarters, ... of pairs of rows."""
    distance = WIDTH // 2
    while distance:
        low = [lane + (WIDTH - distance if lane & distance else 0) for lane in range(WIDTH)]
        masks = [ir.Constant(floats.indices, [lane + shift for lane in low]) for shift in (0, distance)]
        for n in range(WIDTH):
            if not n & distance:
                pair = rows[n], rows[n + distance]
                rows[n], rows[n + distance] = (builder.shuffle_vector(*pair, mask) for mask in masks)
        distance //= 2
    return rows


_write, _add = _square(add=False), _square(add=True)


@inlined
def write_transposed(h: Array, batch: int, outputs: Array) -> None:
    """Write the first `batch` columns of h (H, P) to outputs (B, H)."""
    H = h.shape[0]
    squares, whole = H - H % WIDTH, batch - batch % WIDTH
    for b in range(0, whole, WIDTH):
        for j in range(0, squares, WIDTH):
            _write(h, j, b, outputs)
    for b in range(batch):
        for j in range(squares if b < whole else 0, H):
            outputs[b, j] = h[j, b]


@inlined
def add_transposed(dh: Array, total: Array) -> None:
    """Add dh (B, H) to the first B columns of total (H, P)."""
    B, H = dh.shape
    squares, whole = H - H % WIDTH, B - B % WIDTH
    for b in range(0, whole, WIDTH):
        for j in range(0, squares, WIDTH):
            _add(dh, b, j, total)
    for b in range(B):
        for j in range(squares if b < whole else 0, H):
            total[j, b] += dh[b, j]
