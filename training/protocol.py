"""The contract of a training protocol, and the loop of all protocols: train, report, save, and go on from a state."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from training.plugins import load_class
from training.replica import Checkpointer, State, TrainingProgress
from training.setup import Setup


class TrainingProtocol(ABC):
    """How the replicas of a condition are trained, and how far it is.

    Its file declares literals for the validation of a config: `REQUIRED`, the settings that it demands, such as
    `{"training.batch_size": 1}`; it may declare `CELLS`, the literal that a cell's file must declare as true, and
    `STOP_RULE = True` where every task needs a published stop rule.
    """

    kernel: str | None = None
    """The kernel that runs, if it is not the network's."""

    def __init__(self, setup: Setup) -> None:
        """Refuse what cannot be trained: a ValueError."""
        self.setup = setup
        self.update = 0
        """How many updates are done."""

    @abstractmethod
    def start(self) -> None:
        """Do what comes before the first update."""

    @abstractmethod
    def advance(self) -> None:
        """Make the next updates, count them, and note in each replica what became of it."""

    @abstractmethod
    def collect_state(self) -> State:
        """Return what the following updates depend on, apart from the replicas and the streams of the setup."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Set everything from `collect_state()`, when the replicas and the streams have been set."""

    @abstractmethod
    def finish(self) -> Tensor:
        """Return the weights that are tested, (R, P)."""

    def describe(self, row: int) -> Mapping[str, Any]:
        """Return further numbers of a replica for the run record."""
        return {}


def load_protocol(settings: Mapping[str, Any]) -> type[TrainingProtocol]:
    """Load the protocol that the settings name; an unknown one, or settings that it cannot have, are a ValueError."""
    name = settings["training"]["protocol"]
    protocol, module = load_class(TrainingProtocol, name)  # type: ignore[type-abstract]
    for path, required in module.REQUIRED.items():
        given: Any = settings
        for key in path.split("."):
            given = (given or {}).get(key)
        if given != required:
            raise ValueError(f"protocol {name} demands {path} = {required!r}; came: {given!r}")
    return protocol


def train(
    protocol: TrainingProtocol,
    report: Callable[[TrainingProgress], None],
    *,
    checkpointer: Checkpointer | None = None,
) -> None:
    """Train the replicas of the protocol's setup until each has solved the task, diverged or spent the budget.

    `report` is called before and after the updates of every `advance`; then `checkpointer`, which may have a state to
    continue from, is offered the state. With that state, and the same setup, another process ends with the same bits.
    """
    setup = protocol.setup
    state = None if checkpointer is None else checkpointer.load()
    if state is None:
        protocol.start()
    else:
        _restore(protocol, state)

    report(_compute_progress(setup, update=protocol.update))
    while protocol.update < setup.updates and any(replica.is_alive for replica in setup.replicas):
        protocol.advance()
        report(_compute_progress(setup, update=protocol.update))
        if checkpointer is not None:
            checkpointer.offer(partial(collect_state, protocol))


def collect_state(protocol: TrainingProtocol) -> State:
    """Return all that the following updates depend on; tensors may share memory with the training."""
    setup = protocol.setup
    return {
        "update": protocol.update,
        "updates": setup.updates,
        "replicas": [vars(replica) for replica in setup.replicas],
        "streams": [stream.bit_generator.state for stream in setup.streams],
        "protocol": protocol.collect_state(),
    }


def _compute_progress(setup: Setup, *, update: int) -> TrainingProgress:
    """Count the replicas by what became of them."""
    replicas = setup.replicas
    return TrainingProgress(
        update,
        setup.updates,
        alive=sum(replica.is_alive for replica in replicas),
        solved=sum(replica.updates_to_solve is not None for replica in replicas),
        diverged=sum(replica.diverged for replica in replicas),
        sequences=sum(replica.updates for replica in replicas) * setup.batch_size,
    )


def _restore(protocol: TrainingProtocol, state: State) -> None:
    setup, protocol.update = protocol.setup, state["update"]
    for replica, saved in zip(setup.replicas, state["replicas"], strict=True):
        vars(replica).update(saved)
    for stream, position in zip(setup.streams, state["streams"], strict=True):
        stream.bit_generator.state = position
    protocol.restore(state["protocol"])
