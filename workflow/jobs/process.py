"""The process of a training job: its threads, a quick start and a quick end."""

import gc
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

STARTED = time.monotonic()
"""When this process began, as far as it knows."""

POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def limit_threads(threads: int, *, kernel: str) -> None:
    """Let the libraries that are imported from now on (OpenMP, MKL, OpenBLAS, numba) take so many threads each.

    The fused kernel has threads of its own: next to them OpenMP's must sleep, not spin, while torch does not need them.
    """
    os.environ.update(dict.fromkeys(POOLS, str(threads)))
    if kernel == "cpu":
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


@contextmanager
def importing() -> Iterator[None]:
    """Import without the garbage collector: it would go through all that torch brings, which stays (0.2 s)."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def leave() -> None:
    """End with success at once: all is written, and to take the libraries down would cost 0.3 s."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
