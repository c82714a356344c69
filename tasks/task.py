"""The contract of a task: from a lag and a random stream to sequences, loss, accuracy and their chance level."""

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

import tasks


class Batch(NamedTuple):
    """B sequences, aligned at their ends.

    `inputs` is (T, B, features) float32 and T the task's `sequence_length`; `targets` is (S, B), one per step from
    `first_target` to the end; `starts` is (B,), the first step of each sequence: shorter ones are zero before it.
    """

    inputs: np.ndarray
    targets: np.ndarray
    starts: np.ndarray


class Chance(NamedTuple):
    """Loss and accuracy of the best predictor that remembers nothing, in closed form."""

    loss: float
    accuracy: float


class Task(ABC):
    """One task at one lag; `lag` is the minimal time lag in steps as the task's paper states it."""

    success_accuracy: ClassVar[float] = 0.99
    """Validation accuracy at which a replica counts as solved: 1 % wrong (Pascanu et al. 2013)."""

    lag: int
    sequence_length: int
    """Steps of the longest sequence (T)."""
    features: int
    outputs: int
    first_target: int
    """The first step that carries a target; every later step carries one too."""
    chance: Chance

    @abstractmethod
    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw `size` sequences."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss per replica (R,) for outputs (R, S, B, outputs) and targets (R, S, B)."""

    @abstractmethod
    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Say which scored steps are right: bool (R, scored steps, B); accuracy is the mean over the last two axes."""


def task_names() -> list[str]:
    """List the tasks on disk: the files of this folder that declare `LAGS`."""
    files = (file for folder in tasks.__path__ for file in Path(folder).glob("*.py"))
    return sorted(file.stem for file in files if re.search(r"^LAGS\b", file.read_text(), flags=re.MULTILINE))


def load_task(name: str, *, lag: int, options: Mapping[str, Any]) -> Task:
    """Make the task of file `name` at this lag; an unknown name, option or too small a lag is a ValueError."""
    if name not in task_names():
        raise ValueError(f"unknown task {name!r}; known: {', '.join(task_names())}")
    module = importlib.import_module(f"tasks.{name}")
    if set(options) != set(module.OPTIONS):
        raise ValueError(
            f"task {name!r} takes the options {', '.join(sorted(module.OPTIONS))}; came: {', '.join(sorted(options))}"
        )
    kinds = [thing for thing in vars(module).values() if _is_defined_in(thing, module.__name__)]
    if len(kinds) != 1:
        raise ValueError(f"tasks/{name}.py must define one Task; it defines {len(kinds)}")
    made: Task = kinds[0](lag=lag, **options)
    return made


def _is_defined_in(thing: Any, module: str) -> bool:
    return isinstance(thing, type) and issubclass(thing, Task) and thing.__module__ == module


def check_option(task: str, option: str, *, value: object, known: Sequence[object]) -> None:
    """Refuse a value that the option does not have."""
    if value not in known:
        raise ValueError(f"unknown {option} {value!r} of task {task!r}; known: {', '.join(map(str, known))}")


def check_lag(task: str, *, lag: int, rules: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> None:
    """Refuse a lag below the smallest that the task's `LAGS` allow under these options."""
    for rule in rules:
        if all(options[key] == value for key, value in rule["when"].items()) and lag < rule["minimum"]:
            raise ValueError(
                f"task {task!r} with {dict(options)} needs a lag of {rule['minimum']} or more; came: {lag}"
            )


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy (nats) per replica (R,) of logits (R, S, B, classes) and classes (R, S, B)."""
    losses = torch.nn.functional.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none")
    return mean_of(losses.reshape(targets.shape))


def mean_of(losses: Tensor) -> Tensor:
    """Return the mean of losses (R, S, B) per replica, (R,): the same bits for any R and on any number of threads."""
    return losses.mean(dim=2).mean(dim=1)
