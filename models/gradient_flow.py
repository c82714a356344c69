"""The gradient flow: along which recurrent paths, and how far back, the error travels.

Two independent truncations. *By path*: a path that is not among `paths` lets no error through to the step before;
every weight still gets its local gradient. *In time*: every k1 steps the losses of these k1 steps are back-propagated
through the last k2 steps, BPTT(k2; k1) of Williams & Peng 1990; k1 = k2 = `num_steps` is the windowed truncation of
Sutskever 2013, sec. 2.8. Windows are aligned to end at the end of the sequence; the state is carried across them.
The gradients of all windows of a sequence are added up for one update; TensorFlow's habit is an update per window,
which is the same where only the last step carries a loss.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class Window(NamedTuple):
    """Half-open ranges of steps: the graph is [start, end), the losses that enter it are those of [losses, end)."""

    start: int
    losses: int
    end: int


@dataclass(frozen=True)
class GradientFlow:
    """Which paths carry error (names of the cell's `paths`), and the window; k1 = k2 = None is the whole sequence."""

    paths: frozenset[str]
    k1: int | None = None
    k2: int | None = None

    def __post_init__(self) -> None:
        """Refuse impossible windows: a ValueError."""
        if (self.k1 is None) != (self.k2 is None):
            raise ValueError(f"a window needs both k1 and k2, or neither; came: k1 = {self.k1}, k2 = {self.k2}")
        if self.k1 is not None and self.k2 is not None and not 1 <= self.k1 <= self.k2:
            raise ValueError(f"a window needs 1 <= k1 <= k2; came: k1 = {self.k1}, k2 = {self.k2}")

    def check(self, available: Collection[str]) -> None:
        """Refuse a path that a cell with the paths `available` does not have: a ValueError."""
        unknown = sorted(self.paths - set(available))
        if unknown:
            raise ValueError(f"the cell has no path {', '.join(map(repr, unknown))}; its paths: {', '.join(available)}")

    def via(self, available: Collection[str]) -> Callable[[str, Tensor], Tensor]:
        """Return what passes a value on along an available path, and the error back only if the path carries it."""
        self.check(available)
        carries = {path: path in self.paths for path in available}

        def via(path: str, tensor: Tensor) -> Tensor:
            if path not in carries:
                raise ValueError(f"via({path!r}, ...): the cell has no such path; its paths: {', '.join(available)}")
            return tensor if carries[path] else tensor.detach()

        return via

    def windows(self, sequence_length: int) -> list[Window]:
        """List the windows of a sequence, first to last; the last one ends with the sequence."""
        if self.k1 is None or self.k2 is None:
            return [Window(0, 0, sequence_length)]
        ends = range(sequence_length, 0, -self.k1)
        return [Window(max(end - self.k2, 0), max(end - self.k1, 0), end) for end in reversed(ends)]
