"""The contract of a task: from a lag and a random stream to sequences, loss, accuracy and their chance level."""

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

import tasks


class Batch(NamedTuple):
    """B sequences, aligned at their ends.

    `inputs` is (T, B, features) float32 and T the task's `sequence_length`, or, one-hot, (T, B) int64: the feature that
    is on; `targets` is (S, B), one per step from `first_target` to the end; `starts` is (B,), the first step of each
    sequence: before it shorter ones are zero, or -1 where inputs are integers.
    """

    inputs: np.ndarray
    targets: np.ndarray
    starts: np.ndarray


class Chance(NamedTuple):
    """The lowest loss and the highest accuracy of predictors that remember nothing (or not enough), in closed form."""

    loss: float
    accuracy: float


class Stop(NamedTuple):
    """A published stop rule of online training; it holds once both halves do.

    `error`: the mean training loss of the last `streak` sequences is below it (None: not required). `streak`: the
    last so many training sequences were all right.
    """

    error: float | None
    streak: int


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
    logistic: bool = False
    """Whether the logistic function squashes the outputs; `vectors` then are their targets."""
    stop: Stop | None = None
    """The stop rule of the task's paper, where it has one for training sequence by sequence."""

    @abstractmethod
    def floor(self, num_steps: int) -> Chance:
        """Return the lowest loss and the highest accuracy of predictors that know what step it is, but see only the
        last `num_steps` steps of the sequence; `floor(0)` is chance.
        """

    @abstractmethod
    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw `size` sequences."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss per replica (R,) for outputs (R, S, B, outputs) and targets (R, S, B)."""

    @abstractmethod
    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return which scored steps are right: bool (R, scored steps, B); accuracy is their mean over the last two."""

    def vectors(self, targets: np.ndarray) -> np.ndarray:
        """Return the targets (1, B) as the values that logistic outputs are to take: (B, outputs) float64."""
        raise ValueError(f"{type(self).__name__} with these options has no logistic outputs")


def task_files() -> dict[str, Path]:
    """Return the files of this package by name; a plug-in's file with the name of another is a ValueError."""
    files: dict[str, Path] = {}
    for path in (path for folder in tasks.__path__ for path in sorted(Path(folder).glob("*.py"))):
        if path.stem != "__init__" and path.stem in files:
            raise ValueError(f"the plug-in's file {path} must have another name than {files[path.stem]}; rename it")
        files.setdefault(path.stem, path)
    return files


def task_names() -> list[str]:
    """List the tasks on disk: the files of this package, the plug-ins' included, that declare `LAGS`."""
    texts = {name: path.read_text(encoding="utf-8") for name, path in task_files().items()}
    return sorted(name for name, text in texts.items() if re.search(r"^LAGS\b", text, flags=re.MULTILINE))


def load_task(name: str, *, lag: int, options: Mapping[str, Any]) -> Task:
    """Build the task of file `name` at this lag; an unknown name, option or too small a lag is a ValueError."""
    names = task_names()
    if name not in names:
        raise ValueError(f"unknown task {name!r}; known: {', '.join(names)}")
    module = importlib.import_module(f"tasks.{name}")
    if set(options) != set(module.OPTIONS):
        raise ValueError(
            f"task {name!r} takes the options {', '.join(sorted(module.OPTIONS))}; came: {', '.join(sorted(options))}"
        )
    classes = task_classes(module)
    if len(classes) != 1:
        listed = f": {', '.join(kind.__name__ for kind in classes)}" if classes else ""
        raise ValueError(f"tasks/{name}.py must define one subclass of Task; it defines {len(classes)}{listed}")
    return classes[0](lag=lag, **options)


def task_classes(module: ModuleType) -> list[Callable[..., Task]]:
    """List the tasks that a module itself defines."""
    kinds = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Task))
    return [kind for kind in kinds if kind.__module__ == module.__name__]


def check_option(task: str, option: str, *, value: object, allowed: Sequence[object]) -> None:
    """Refuse a value that the option does not have."""
    if value not in allowed:
        raise ValueError(f"unknown {option} {value!r} of task {task!r}; known: {', '.join(map(str, allowed))}")


def check_lag(task: str, *, lag: int, rules: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> None:
    """Refuse a lag below the smallest that the task's `LAGS` allow under these options."""
    for rule in rules:
        if all(options[key] == value for key, value in rule["when"].items()) and lag < rule["minimum"]:
            raise ValueError(
                f"task {task!r} with {dict(options)} needs a lag of {rule['minimum']} or more; came: {lag}"
            )


def check_together(task: str, *, refused: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> None:
    """Refuse option values that the task's `REFUSED` says do not go together."""
    for rule in refused:
        if all(options[key] == value for key, value in rule["when"].items()):
            raise ValueError(f"task {task!r}: {rule['why']}; came: {rule['when']}")


def stop_of(rules: Sequence[Mapping[str, Any]], *, options: Mapping[str, Any]) -> Stop | None:
    """Return the stop rule that the task's `STOPS` declares for these options, if any."""
    for rule in rules:
        if all(options[key] == value for key, value in rule["when"].items()):
            return Stop(error=rule["error"], streak=rule["streak"])
    return None


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy (nats) per replica (R,) of logits (R, S, B, classes) and classes (R, S, B)."""
    losses = torch.nn.functional.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none")
    return mean_of(losses.reshape(targets.shape))


def mean_of(losses: Tensor) -> Tensor:
    """Return the mean of losses (R, S, B) per replica, (R,): the same bits for any R and on any number of threads."""
    return losses.mean(dim=2).mean(dim=1)
