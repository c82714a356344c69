"""Random streams: separate per purpose, task, lag and seed, and the same on every machine."""

import itertools

import numpy as np

from training.networks import Purpose, stream

PURPOSES: tuple[Purpose, ...] = ("weights", "training", "validation", "test")


def test_every_key_has_a_stream_of_its_own() -> None:
    keys = list(itertools.product(PURPOSES, ("adding", "copy"), (10, 11), (0, 1)))
    first = {tuple(stream(p, task=t, lag=g, seed=s).integers(0, 2**63, 4)) for p, t, g, s in keys}
    assert len(first) == len(keys)


def test_the_same_key_gives_the_same_stream() -> None:
    first, other = (stream("training", task="adding", lag=10, seed=3).random(5) for _ in range(2))
    np.testing.assert_array_equal(first, other)


def test_streams_are_pinned() -> None:
    """A changed key derivation would change every published number."""
    numbers = stream("training", task="adding", lag=10, seed=0).integers(0, 1000, 5)
    assert numbers.tolist() == [84, 285, 799, 135, 295]
