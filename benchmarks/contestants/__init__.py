"""The contestants: one file per way to compute loss and gradient of a problem, behind one signature.

Each file has `limit(threads)`, called once in the process that runs it, and `prepare(contestant, point, replicas=...)`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

MODULES = {
    "cpu": "kernel",
    "reference": "kernel",
    "torch_threads": "torch_nn",
    "torch_processes": "torch_nn",
    "jax": "jax_scan",
}
"""The file of each implementation."""


class Answer(NamedTuple):
    """What a contestant found, for the tests: all of them must find the same."""

    loss: float
    gradient: dict[str, np.ndarray]
    """By the cell's symbols, (R, ...) each."""


class Prepared(NamedTuple):
    """A contestant that stands at the start."""

    run: Callable[[], Any]
    """The forward and the backward pass: what is timed."""
    answer: Callable[[Any], Answer]
    """Reads what `run` returned."""
