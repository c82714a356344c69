"""The time loop: kernels that unroll a cell over a sequence under a gradient flow, behind one signature."""

import importlib
import logging
import re
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from models.cell import Cell, Parameters, State
from models.gradient_flow import GradientFlow

log = logging.getLogger(__name__)


class Unroll(Protocol):
    """The signature of a kernel; `models.kernels.reference.unroll` says what it means."""

    def __call__(
        self,
        cell: Cell,
        parameters: Parameters,
        *,
        inputs: Tensor,
        flow: GradientFlow,
        starts: Tensor | None = None,
        initial: State | None = None,
        first_target: int = 0,
    ) -> tuple[Tensor, State]:
        """Return the hidden states from `first_target` on and the last state."""


class Readout(Protocol):
    """The signature of a kernel's linear readout; `models.kernels.reference.readout` says what it means."""

    def __call__(self, hidden: Tensor, V: Tensor, b: Tensor) -> Tensor:
        """Return the outputs."""


class Kernel(NamedTuple):
    """A kernel by its file's name."""

    name: str
    unroll: Unroll
    readout: Readout


def kernel_names() -> list[str]:
    """List the kernels on disk: the files of this folder that define `unroll`."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py")}
    return sorted(name for name, text in texts.items() if re.search(r"^def unroll\b", text, flags=re.MULTILINE))


def load_kernel(name: str, *, cell: Cell, dtype: torch.dtype, device: torch.device) -> Kernel:
    """Load the kernel of file `name`; the log says so where the reference kernel must run a cell instead."""
    if name not in kernel_names():
        raise ValueError(f"unknown kernel {name!r}; known: {', '.join(kernel_names())}")
    module = importlib.import_module(f"models.kernels.{name}")
    if not module.supports(cell, dtype=dtype, device=device):
        variant = f"{type(cell).__name__} in {dtype} on {device.type}"
        log.warning("kernel %s has no version of %s: the reference kernel runs", name, variant)
        return load_kernel("reference", cell=cell, dtype=dtype, device=device)
    return Kernel(name, module.unroll, module.readout)
