"""Memory of the fused CPU kernel: arrays at cache lines, whose pages the next call finds mapped."""

import math
from typing import Any

import numpy as np
from torch import Tensor

from models.kernels.lanes import WIDTH, Array, padded

_spare: list[Array] = []


class _Buffer:
    """The owner of memory that arrays look into; it goes with the last of them, and leaves the memory to the next."""

    def __init__(self, size: int) -> None:
        self.floats = _take(size)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """Let NumPy make an array that holds this owner."""
        return self.floats.__array_interface__

    def __del__(self, spare: list[Array] = _spare) -> None:
        floats = getattr(self, "floats", None)  # there are none if their allocation failed
        if floats is not None:
            _give_back(floats, spare)


def arrays(*shapes: tuple[int, ...]) -> list[Array]:
    """Return uninitialised float32 arrays of these shapes, at multiples of 64 bytes, in one buffer.

    When none of them is left, the buffer is kept for the next call that needs at least half of it: to map the pages of
    a new one costs as much time as to compute what is written there. One buffer, the largest, is kept.
    """
    sizes = [padded(math.prod(shape)) for shape in shapes]
    whole = np.asarray(_Buffer(sum(sizes) + WIDTH))
    begin = -(whole.ctypes.data // whole.itemsize) % WIDTH
    result = []
    for shape, size in zip(shapes, sizes, strict=True):
        result.append(whole[begin : begin + math.prod(shape)].reshape(shape))
        begin += size
    return result


def _take(size: int) -> Array:
    try:
        buffer = _spare.pop()
    except IndexError:
        return np.empty(size, np.float32)
    if size <= buffer.size <= 2 * size:
        return buffer
    _give_back(buffer, _spare)
    return np.empty(size, np.float32)


def _give_back(floats: Array, spare: list[Array]) -> None:
    if max((other.size for other in spare), default=0) < floats.size:
        spare[:] = [floats]


def columns(tensor: Tensor) -> Array:
    """Return (R, B, H) as (R, H, P), the sequences along the columns; zero in those that are not a sequence."""
    replicas, batch, size = tensor.shape
    result = np.zeros((replicas, size, padded(batch)), np.float32)
    result[:, :, :batch] = tensor.resolve_neg().numpy().swapaxes(1, 2)
    return result
