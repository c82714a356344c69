"""The kernel's memory: aligned, apart, never used twice at a time, and no more than one spare buffer."""

import numpy as np
import torch

from models.kernels import buffers
from models.kernels.buffers import arrays, columns

SHAPES = ((3, 5, 16), (1, 1, 1, 1), (7,), (2, 16))


def test_arrays_are_aligned_and_apart() -> None:
    built = arrays(*SHAPES)
    for number, array in enumerate(built):
        assert array.ctypes.data % 64 == 0
        array[...] = number
    for number, (array, shape) in enumerate(zip(built, SHAPES, strict=True)):
        assert array.shape == shape
        assert (array == number).all()


def test_a_buffer_is_used_again_when_nothing_looks_into_it_and_not_before() -> None:
    del buffers._spare[:]
    (first,), (second,) = arrays((1000,)), arrays((1000,))
    assert not np.shares_memory(first, second)
    place, view = first.ctypes.data, torch.from_numpy(first.reshape(10, 100))[3:]
    del first
    (third,) = arrays((900,))
    assert third.ctypes.data != place
    del view
    (fourth,) = arrays((900,))
    assert fourth.ctypes.data == place
    assert not np.shares_memory(fourth, third)
    assert not np.shares_memory(fourth, second)


def test_a_buffer_far_too_large_waits_for_one_that_needs_it() -> None:
    del buffers._spare[:]
    (large,) = arrays((100_000,))
    place = large.ctypes.data
    del large
    (small,) = arrays((1000,))
    assert small.ctypes.data != place
    del small
    (again,) = arrays((80_000,))
    assert again.ctypes.data == place


def test_an_owner_without_a_buffer_goes_quietly() -> None:
    buffers._Buffer.__del__(buffers._Buffer.__new__(buffers._Buffer))


def test_sequences_become_columns_and_the_others_are_zero() -> None:
    tensor = torch.arange(2.0 * 5 * 3).reshape(2, 5, 3)
    built = columns(tensor)
    assert built.shape == (2, 3, 16)
    assert np.array_equal(built[:, :, :5], tensor.numpy().swapaxes(1, 2))
    assert not built[:, :, 5:].any()
