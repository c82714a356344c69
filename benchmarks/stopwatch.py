"""Where the time of an update goes: marks set from outside, by a task, a kernel and hooks of the backward pass."""

import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.kernels import Kernel
from tasks.task import Batch, Chance, Task
from training.replica import TrainingProgress

KERNEL_PARTS = ("kernel forward", "kernel backward")
PARTS = (
    "data",
    "tensors",
    "kernel forward",
    "rest of forward, loss",
    "kernel backward",
    "rest of backward",
    "clip, optimiser, records",
)


class Stopwatch:
    """Adds the time since the last mark to the part that the mark names."""

    def __init__(self) -> None:
        self.last = time.perf_counter()
        self.parts: dict[str, float] = defaultdict(float)
        self.laps: list[dict[str, float]] = []

    def mark(self, part: str) -> None:
        """Count the time since the last mark for this part."""
        now = time.perf_counter()
        self.parts[part] += now - self.last
        self.last = now

    def lap(self, progress: TrainingProgress) -> None:
        """Note the end of an update."""
        self.mark("clip, optimiser, records")
        self.laps.append(dict(self.parts))
        self.parts.clear()


class TimedTask(Task):
    """A task that marks the end of its data and of its loss."""

    def __init__(self, task: Task, watch: Stopwatch) -> None:
        self.lag, self.sequence_length, self.chance = task.lag, task.sequence_length, task.chance
        self.features, self.outputs, self.first_target = task.features, task.outputs, task.first_target
        self._task, self._watch = task, watch

    def floor(self, num_steps: int) -> Chance:
        """Return the task's floors."""
        return self._task.floor(num_steps)

    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw `size` sequences."""
        batch = self._task.sample(rng, size)
        self._watch.mark("data")
        return batch

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss per replica (R,)."""
        loss = self._task.loss(outputs, targets)
        self._watch.mark("rest of forward, loss")
        return loss

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return which scored steps are right."""
        return self._task.correct(outputs, targets)


def timed_kernel(kernel: Kernel, watch: Stopwatch) -> Kernel:
    """Return the kernel with marks around its forward pass and its node of the backward pass."""
    hooks: list[Any] = []

    def unroll(cell: Any, parameters: Any, **how: Any) -> Any:
        watch.mark("tensors")
        hidden, last = kernel.unroll(cell, parameters, **how)
        watch.mark("kernel forward")
        for hook in hooks:
            hook.remove()
        hooks.clear()
        if hidden.grad_fn is not None:
            nodes = list(_nodes(hidden.grad_fn))
            fused = next(node for node in nodes if isinstance(node, torch.autograd.function.BackwardCFunction))
            weights = next(node.variable for node in nodes if hasattr(node, "variable"))
            hooks.append(fused.register_prehook(lambda _: watch.mark("rest of backward")))
            hooks.append(fused.register_hook(lambda *_: watch.mark("kernel backward")))
            hooks.append(weights.register_hook(lambda _: watch.mark("rest of backward")))
        return hidden, last

    return kernel._replace(unroll=unroll)


def _nodes(start: Any) -> Iterator[Any]:
    """Walk the graph of the backward pass."""
    seen, pending = {start}, [start]
    while pending:
        node = pending.pop()
        yield node
        fresh = {following for following, _ in node.next_functions if following is not None} - seen
        seen |= fresh
        pending += fresh
