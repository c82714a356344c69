"""The network, the task and the random streams that the settings of a job describe.

There is one independent stream per purpose, task, lag and seed. Data do not depend on the model, the gradient flow or
the learning rate, so that comparisons between them are paired.
"""

import zlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from models.cell import load_cell
from models.kernels import load_kernel
from models.network import Network
from tasks.task import Task, load_task

DTYPES = {"float32": torch.float32, "float64": torch.float64}

Purpose = Literal["weights", "training", "validation", "test", "guesses"]


def load_network(settings: Mapping[str, Any]) -> tuple[Network, Task, Tensor]:
    """Load the network and the task of the settings, and an empty tensor with the device and dtype of its weights.

    A GPU that is not there is a RuntimeError.
    """
    task, model, training = settings["task"], settings["model"], settings["training"]
    if settings["device"] == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("device cuda was asked for, but torch finds no GPU on this machine; devices here: cpu")
    loaded = load_task(task["task"], lag=task["lag"], options=task["options"])
    cell = load_cell(
        model["cell"], features=loaded.features, hidden_size=model["hidden_size"], options=model["options"]
    )
    like = torch.zeros(0, dtype=DTYPES[training["dtype"]], device=settings["device"])
    kernel = load_kernel(training["kernel"], cell=cell, dtype=like.dtype, device=like.device)
    return Network(cell, outputs=loaded.outputs, kernel=kernel), loaded, like


def use_reference(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with the reference kernel in float64 on the CPU."""
    training = settings["training"] | {"kernel": "reference", "dtype": "float64"}
    return {**settings, "device": "cpu", "training": training}


def stream(purpose: Purpose, *, task: str, lag: int, seed: int) -> np.random.Generator:
    """Return the generator of a purpose for the task of this name at this lag, under this seed."""
    words = [zlib.crc32(purpose.encode()), zlib.crc32(task.encode()), lag, seed]
    return np.random.default_rng(np.random.SeedSequence(words))


def open_streams(purpose: Purpose, settings: Mapping[str, Any]) -> list[np.random.Generator]:
    """Return the generator of a purpose for every seed of the settings."""
    task = settings["task"]
    return [stream(purpose, task=task["name"], lag=task["lag"], seed=seed) for seed in settings["seeds"]]
