"""A stand-in for a generator that hands out prepared draws, so that a test can rebuild a docstring's instance."""

from collections.abc import Iterable
from typing import Any

import numpy as np


class ScriptedGenerator:
    """Returns the prepared arrays in order, whatever is asked for, after checking shape and range."""

    def __init__(self, draws: Iterable[Any]) -> None:
        self.draws = [np.asarray(draw) for draw in draws]

    def _next(self, shape: Any) -> np.ndarray:
        draw = self.draws.pop(0)
        assert draw.shape == np.zeros(shape).shape
        return draw

    def integers(self, low: int, high: int, size: Any, *, endpoint: bool = False) -> np.ndarray:
        """Hand out the next draw if it lies in the asked range."""
        draw = self._next(size)
        assert low <= draw.min()
        assert draw.max() < high + endpoint
        return draw

    def random(self, size: Any, dtype: Any = float) -> np.ndarray:
        """Hand out the next draw."""
        return self._next(size).astype(dtype)

    def uniform(self, low: float, high: float, size: Any) -> np.ndarray:
        """Hand out the next draw if it lies in the asked range."""
        draw = self._next(size)
        assert low <= draw.min()
        assert draw.max() < high
        return draw
