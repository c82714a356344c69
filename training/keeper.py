"""Keeps a training job's state on disk, so that a kill costs minutes and no number changes.

A checkpoint is written every so many seconds, when the process is told to end (SIGTERM, SIGINT) and shortly before its
time is up. The folder holds the checkpoints and the owner's file; it goes when the job has written its record.
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from training.checkpoint import Checkpoints
from training.ownership import Owner, owning
from training.provenance import processor
from training.state import State

MARGIN = 60.0
"""Seconds before the limit at which a job ends by itself: a job's time counts from before its process."""

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class FileKeeper:
    """A `training.state.Keeper` that writes checkpoints."""

    def __init__(
        self, checkpoints: Checkpoints, *, owner: Owner, say: Callable[[str], None], every: float, limit: float | None
    ) -> None:
        self.checkpoints = checkpoints
        self.owner = owner
        self.say = say
        self.every = every
        self.began = self.saved = time.monotonic()
        self.end = None if limit is None else self.began + limit - MARGIN
        self.told: str | None = None
        """Why training is to end."""
        self.restarts = 0
        self.before = 0.0
        """Seconds that the processes before this one took."""
        self.processors = [processor()]

    def found(self) -> State | None:
        """Return the last whole state, if there is one."""
        state = self.checkpoints.load(self.say)
        if state is None:
            return None
        about = state.rest["job"]
        self.restarts, self.before = about["restarts"] + 1, about["seconds"]
        if self.processors[0] not in about["processors"]:
            self.say(f"going on on {self.processors[0]}; before: {about['processors'][-1]}: last bits may differ")
        self.processors = list(dict.fromkeys([*about["processors"], *self.processors]))
        self.say(f"going on after {_place(state)}, restart {self.restarts}")
        return state

    def offer(self, state: Callable[[], State]) -> None:
        """Save the state if it is time to; end the training by a RuntimeError if that was asked for."""
        now = time.monotonic()
        told = self.told or ("its time limit" if self.end is not None and now >= self.end else None)
        if told is None and now - self.saved < self.every:
            return
        if not self.owner.holds():
            raise RuntimeError(f"another process has taken this run over ({self.owner.path})")
        taken = state()
        job = {"restarts": self.restarts, "seconds": self.before + now - self.began, "processors": self.processors}
        kept = "the next start goes on from there"
        try:
            self.checkpoints.save(State(taken.arrays, {**taken.rest, "job": job}))
        except OSError as error:
            kept = f"this state could not be written ({error}); the next start goes on from the one before, if any"
            if told is None:
                self.say(f"no checkpoint after {_place(taken)}: {error}; training goes on")
        self.saved = time.monotonic()
        if told is not None:
            raise RuntimeError(f"stopped by {told} after {_place(taken)}; {kept}")

    def provenance(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the processes before this one add to the provenance of a run."""
        seconds = round(self.before + about["wall_seconds"], 3)
        return {"restarts": self.restarts, "wall_seconds": seconds, "processor": ", ".join(self.processors)}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """End the training after the update in which a signal comes; a second signal does what it always does."""
        before = {one: signal.getsignal(one) for one in SIGNALS}

        def take(number: int, frame: FrameType | None) -> None:
            self.told = signal.Signals(number).name
            for one, handler in before.items():
                signal.signal(one, handler)

        for one in SIGNALS:
            signal.signal(one, take)
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


@contextmanager
def keeping(
    folder: Path, *, say: Callable[[str], None], every: float, limit: float | None = None
) -> Iterator[FileKeeper]:
    """Own the run whose checkpoints lie in `folder`, named after its key, for a job of at most `limit` seconds.

    Without an error the folder is gone afterwards.
    """
    with owning(folder / "owner", say=say) as owner:
        checkpoints = Checkpoints(folder, key=folder.name)
        keeper = FileKeeper(checkpoints, owner=owner, say=say, every=every, limit=limit)
        with keeper.listening():
            yield keeper
        checkpoints.remove()


def _place(state: State) -> str:
    rest: Any = state.rest
    return f"update {rest['update']} of {rest['updates']}"
