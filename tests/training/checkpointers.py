"""Checkpointers for the tests: one that holds states in memory, and a job with files that ends by an error."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from training import checkpoint
from training.checkpointing import FileCheckpointer, open_checkpointer
from training.replica import State


class MemoryCheckpointer:
    """Holds every state as bytes, and begins with the one that it is given."""

    def __init__(self, begin: bytes | None = None) -> None:
        self.begin = begin
        self.states: list[bytes] = []

    def load(self) -> State | None:
        return None if self.begin is None else checkpoint.unpack(self.begin)

    def offer(self, state: Callable[[], State]) -> None:
        self.states.append(checkpoint.pack(state()))


@contextmanager
def expect_stop(
    folder: Path,
    match: str,
    *,
    log: Callable[[str], None] = print,
    every: float = 1000,
    limit: float | None = None,
) -> Iterator[FileCheckpointer]:
    """Open a checkpointer for a job that must end by an error with a line that matches."""
    try:
        with open_checkpointer(folder, log=log, every=every, limit=limit) as checkpointer:
            yield checkpointer
    except RuntimeError as error:
        reason = str(error)
    else:
        pytest.fail("it did not stop")
    assert re.search(match, reason), reason
    assert reason.isprintable()
