"""Checkpointing of a training job, so that a kill costs minutes and no number changes.

A checkpoint is written every so many seconds, when the process gets a signal to end (SIGTERM, SIGINT) and shortly
before its time is up. The folder holds the checkpoints and the lock; it goes when the job has written its record.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from training.checkpoint import load_state, remove_states, save_state
from training.lock import Lock, hold_lock
from training.provenance import processor
from training.replica import State

MARGIN = 60.0
"""Seconds before the limit at which a job ends by itself: a job's time counts from before its process."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class FileCheckpointer:
    """A `training.replica.Checkpointer` that writes files."""

    def __init__(self, lock: Lock, *, log: Callable[[str], None], every: float, limit: float | None) -> None:
        self.lock = lock
        self.folder = lock.path.parent
        self.log = log
        self.every = every
        self.started = self.saved = time.monotonic()
        self.end = None if limit is None else self.started + limit - MARGIN
        self.signal: str | None = None
        """The signal that asks training to end."""
        self.handlers: dict[int, Any] = {}
        """What handled the signals before."""
        self.restarts = 0
        self.seconds_before = 0.0
        """Seconds that the processes before this one took."""
        self.processors = [processor()]

    def load(self) -> State | None:
        """Return the last whole state, if there is one; from now on a signal ends the training at the next offer."""
        self.handlers = {number: signal.signal(number, self._handle_signal) for number in SIGNALS}
        state = load_state(self.folder, self.log)
        if state is None:
            return None
        job = state["job"]
        self.restarts, self.seconds_before = job["restarts"] + 1, job["seconds"]
        if self.processors[0] not in job["processors"]:
            before = job["processors"][-1]
            self.log(f"continuing on {self.processors[0]}; before: {before}: last bits may differ")
        self.processors = list(dict.fromkeys([*job["processors"], *self.processors]))
        self.log(f"continuing after {_place(state)}, restart {self.restarts}")
        return state

    def offer(self, state: Callable[[], State]) -> None:
        """Save the state if it is time to; end the training by a RuntimeError after a signal, or at the limit."""
        now = time.monotonic()
        cause = self.signal or ("its time limit" if self.end is not None and now >= self.end else None)
        if cause is None and now - self.saved < self.every:
            return
        if not self.lock.is_held():
            raise RuntimeError(f"another process has taken this run over ({self.lock.path})")
        current = state()
        seconds = self.seconds_before + now - self.started
        job = {"restarts": self.restarts, "seconds": seconds, "processors": self.processors}
        outcome = "the next start continues from there"
        try:
            save_state(current | {"job": job}, self.folder)
        except OSError as error:
            outcome = f"this state could not be written ({error}); the next start continues from the one before, if any"
            if cause is None:
                self.log(f"no checkpoint after {_place(current)}: {error}; training continues")
        self.saved = time.monotonic()
        if cause is not None:
            raise RuntimeError(f"stopped by {cause} after {_place(current)}; {outcome}")

    def extend_provenance(self, provenance: Mapping[str, Any]) -> dict[str, Any]:
        """Return the provenance of a run with what the processes before this one add to it."""
        seconds = round(self.seconds_before + provenance["wall_seconds"], 3)
        processors = ", ".join(self.processors)
        return {**provenance, "restarts": self.restarts, "wall_seconds": seconds, "processor": processors}

    def restore_handlers(self) -> None:
        """Let a signal do what it did before the training."""
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number).name
        self.restore_handlers()  # a second signal does what it always does


@contextmanager
def open_checkpointer(
    folder: Path, *, log: Callable[[str], None], every: float, limit: float | None = None
) -> Iterator[FileCheckpointer]:
    """Hold the lock of the run whose checkpoints lie in `folder`, named after its key, for at most `limit` seconds.

    Without an error the folder is gone afterwards.
    """
    with hold_lock(folder / "lock", log=log) as lock:
        checkpointer = FileCheckpointer(lock, log=log, every=every, limit=limit)
        try:
            yield checkpointer
        finally:
            checkpointer.restore_handlers()
        remove_states(folder)


def _place(state: State) -> str:
    return f"update {state['update']} of {state['updates']}"
