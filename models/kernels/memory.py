"""Memory of the fused CPU kernel: arrays at cache lines, whose pages the next call finds mapped."""

import math

import numpy as np
from torch import Tensor

from models.kernels.elementwise import Array
from models.kernels.lanes import WIDTH, padded

_spare: list[Array] = []


class Memory:
    """Uninitialised float32 arrays of these shapes, at multiples of 64 bytes, in one buffer.

    When the last owner goes, the buffer is kept for the next one that needs at least half of it: to map the pages of a
    new one costs as much time as to compute what is written there. One buffer is kept.
    """

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        sizes = [padded(math.prod(shape)) for shape in shapes]
        self._buffer = _take(sum(sizes) + WIDTH)
        begin = -(self._buffer.ctypes.data // self._buffer.itemsize) % WIDTH
        self.arrays = []
        for shape, size in zip(shapes, sizes, strict=True):
            self.arrays.append(self._buffer[begin : begin + math.prod(shape)].reshape(shape))
            begin += size

    def __del__(self, spare: list[Array] = _spare) -> None:
        """Leave the buffer to the next owner."""
        buffer = getattr(self, "_buffer", None)  # there is none if its allocation failed
        if buffer is not None and (not spare or spare[0].size < buffer.size):
            spare[:] = [buffer]


def _take(size: int) -> Array:
    try:
        found = _spare.pop()
    except IndexError:
        found = np.empty(0, np.float32)
    return found if size <= found.size <= 2 * size else np.empty(size, np.float32)


def columns(tensor: Tensor) -> Array:
    """Return (R, B, H) as (R, H, P), the sequences along the columns; zero in those that are not a sequence."""
    replicas, batch, size = tensor.shape
    made = np.zeros((replicas, size, padded(batch)), np.float32)
    made[:, :, :batch] = tensor.numpy().swapaxes(1, 2)
    return made
