"""The progress line of a training job."""

import time
from collections.abc import Callable

from training.loop import Standing


class Progress:
    """Writes a line at most every `interval` seconds, and at the end: updates, sequences per second, replicas, time
    left.
    """

    def __init__(self, write: Callable[[str], None], *, label: str, interval: float = 10.0) -> None:
        self.write = write
        self.label = label
        self.interval = interval
        self.began = self.last = time.monotonic()

    def __call__(self, standing: Standing) -> None:
        """Take note of an update."""
        now = time.monotonic()
        ended = standing.alive == 0 or standing.update == standing.updates
        if now - self.last < self.interval and not ended:
            return
        self.last = now
        self.write(f"{self.label}: {line(standing, seconds=now - self.began)}")


def line(standing: Standing, *, seconds: float) -> str:
    """Say where training stands `seconds` after it began; the time left is the longest it can take."""
    left = 0.0 if standing.alive == 0 else seconds / max(standing.update, 1) * (standing.updates - standing.update)
    rate = standing.sequences / max(seconds, 1e-9)
    return (
        f"update {standing.update}/{standing.updates}, {rate:.0f} sequences/s, "
        f"{standing.solved} solved, {standing.diverged} diverged, {standing.alive} alive, "
        f"at most {_clock(left)} left"
    )


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
