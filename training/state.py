"""The state of a training that is under way: what another process needs to end with the same bits."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class State(NamedTuple):
    """Arrays by name, and everything else as what JSON can say (NaN and integers of any size included)."""

    arrays: Mapping[str, NDArray[Any]]
    rest: Mapping[str, Any]

    def part(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the arrays whose names begin with the prefix, without it."""
        return {name.removeprefix(prefix): array for name, array in self.arrays.items() if name.startswith(prefix)}


class Keeper(Protocol):
    """Keeps the state of a training and gives it back; training/keeper.py has the one that writes files."""

    def found(self) -> State | None:
        """Return the state to go on from, or None to begin at the beginning."""

    def offer(self, state: Callable[[], State]) -> None:
        """Take the state after an update, or leave it; may end the training by an exception."""


def random_states(streams: Sequence[np.random.Generator]) -> list[dict[str, Any]]:
    """Return where each stream stands."""
    return [dict(stream.bit_generator.state) for stream in streams]


def set_random_states(streams: Sequence[np.random.Generator], states: Sequence[Mapping[str, Any]]) -> None:
    """Put each stream where it stood."""
    for stream, state in zip(streams, states, strict=True):
        stream.bit_generator.state = dict(state)
