"""Random streams: one independent generator per purpose, task, lag and seed, and for nothing else.

Data do not depend on the model, the gradient flow or the learning rate, so that comparisons between them are paired.
"""

import zlib
from typing import Literal

import numpy as np

Purpose = Literal["weights", "training", "validation", "test", "guesses"]


def stream(purpose: Purpose, *, task: str, lag: int, seed: int) -> np.random.Generator:
    """Return the generator of a purpose for the task of this name at this lag, under this seed."""
    words = [zlib.crc32(purpose.encode()), zlib.crc32(task.encode()), lag, seed]
    return np.random.default_rng(np.random.SeedSequence(words))
