"""The state of a training in progress: what another process needs to end with the same bits."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class State(NamedTuple):
    """Arrays by name, and everything else as JSON can hold it (NaN and integers of any size included)."""

    arrays: Mapping[str, NDArray[Any]]
    scalars: Mapping[str, Any]

    def select_arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the arrays whose names begin with the prefix, without it."""
        return {name.removeprefix(prefix): array for name, array in self.arrays.items() if name.startswith(prefix)}


class Checkpointer(Protocol):
    """Saves the state of a training and loads it; training/checkpointing.py has the one that writes files."""

    def load(self) -> State | None:
        """Return the state to continue from, or None to begin at the beginning."""

    def offer(self, state: Callable[[], State]) -> None:
        """Save the state after an update, or do not; may end the training by an exception."""


def random_states(streams: Sequence[np.random.Generator]) -> list[dict[str, Any]]:
    """Return the position of each stream."""
    return [dict(stream.bit_generator.state) for stream in streams]


def set_random_states(streams: Sequence[np.random.Generator], states: Sequence[Mapping[str, Any]]) -> None:
    """Set the position of each stream."""
    for stream, state in zip(streams, states, strict=True):
        stream.bit_generator.state = dict(state)
