"""The progress line of a training job."""

import time
from collections.abc import Callable
from datetime import timedelta

from training.replica import TrainingProgress


class ProgressLog:
    """Writes a line at most every `interval` seconds, and at the end."""

    def __init__(self, write: Callable[[str], None], label: str, *, interval: float = 10.0) -> None:
        self.write = write
        self.label = label
        self.interval = interval
        self.started = self.last = time.monotonic()

    def __call__(self, progress: TrainingProgress) -> None:
        """Write a line if it is time to."""
        now = time.monotonic()
        ended = progress.alive == 0 or progress.update == progress.updates
        if now - self.last < self.interval and not ended:
            return
        self.last = now
        self.write(f"{self.label}: {format_progress(progress, seconds=now - self.started)}")


def format_progress(progress: TrainingProgress, *, seconds: float) -> str:
    """Format the progress `seconds` after the start; the time left is the longest it can take."""
    update, updates, alive, solved, diverged, sequences = progress
    seconds = max(seconds, 1e-9)  # the clock may have been set back
    left = seconds / max(update, 1) * (updates - update) if alive else 0.0
    return (
        f"update {update}/{updates}, {sequences / seconds:.0f} sequences/s, {solved} solved, "
        f"{diverged} diverged, {alive} alive, at most {timedelta(seconds=round(left))} left"
    )
