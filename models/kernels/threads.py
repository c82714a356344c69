"""Threads of the fused CPU kernel: replicas shared out among as many as torch may use and the work is worth."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TypeVar

import torch

Mine = TypeVar("Mine")

WORTH_A_THREAD = 4_000_000
"""Multiplications below which another thread costs more than it saves."""

RANGES_PER_THREAD = 4
"""A thread that is held up takes fewer."""


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has no threads but its own


def threads_for(replicas: int, *, work: int) -> int:
    """Return how many threads torch may use and `work` (multiplications) is worth."""
    return max(min(torch.get_num_threads(), replicas, work // WORTH_A_THREAD), 1)


def for_each_range(
    run: Callable[[tuple[int, int], Mine], None], replicas: int, *, work: int, prepare: Callable[[], Mine]
) -> None:
    """Call `run` for ranges of replicas, all of them once, with what `prepare` made for the thread."""
    threads = threads_for(replicas, work=work)
    ranges = threads if threads == 1 else min(RANGES_PER_THREAD * threads, work // WORTH_A_THREAD)
    size = -(-replicas // ranges)
    left = iter([(begin, min(begin + size, replicas)) for begin in range(0, replicas, size)])

    def take() -> None:
        mine = prepare()
        for part in left:
            run(part, mine)

    taking = [_pool(threads - 1).submit(take) for _ in range(threads - 1)]
    try:
        take()
    finally:
        wait(taking)  # none may still write when this call is over
    for other in taking:
        other.result()
