"""The kernel's memory: aligned, apart, never shared by two owners, and no more than one spare buffer."""

import numpy as np
import torch

from models.kernels import memory
from models.kernels.memory import Memory, columns

SHAPES = ((3, 5, 16), (1, 1, 1, 1), (7,), (2, 16))


def test_arrays_are_aligned_and_apart() -> None:
    owner = Memory(*SHAPES)
    for number, array in enumerate(owner.arrays):
        assert array.ctypes.data % 64 == 0
        array[...] = number
    for number, (array, shape) in enumerate(zip(owner.arrays, SHAPES, strict=True)):
        assert array.shape == shape
        assert (array == number).all()


def test_a_buffer_is_used_again_when_its_owner_is_gone_and_not_before() -> None:
    first = Memory((1000,))
    second = Memory((1000,))
    assert not np.shares_memory(first.arrays[0], second.arrays[0])
    place = first.arrays[0].ctypes.data
    del first
    third = Memory((900,))
    assert third.arrays[0].ctypes.data == place
    assert not np.shares_memory(third.arrays[0], second.arrays[0])


def test_a_buffer_far_too_large_is_let_go() -> None:
    del memory._spare[:]
    large = Memory((100_000,))
    del large
    assert memory._spare[0].size >= 100_000
    small = Memory((1000,))
    assert not memory._spare
    del small
    assert 1000 <= memory._spare[0].size < 2000


def test_an_owner_without_a_buffer_goes_quietly() -> None:
    Memory.__del__(Memory.__new__(Memory))


def test_sequences_become_columns_and_the_others_are_zero() -> None:
    tensor = torch.arange(2.0 * 5 * 3).reshape(2, 5, 3)
    made = columns(tensor)
    assert made.shape == (2, 3, 16)
    assert np.array_equal(made[:, :, :5], tensor.numpy().swapaxes(1, 2))
    assert not made[:, :, 5:].any()
