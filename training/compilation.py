"""The fused kernel, compiled ahead of the jobs that train with it: they then load its machine code."""

import time
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from models.cell import Cell, load_cell
from models.gradient_flow import GradientFlow
from models.kernels import compilation, load_kernel
from models.kernels.online_1997.train import train_online
from models.lstm import VANILLA
from models.lstm_1997 import LSTM1997Cell
from models.network import Network

LSTMS = [
    VANILLA | {"peepholes": peepholes, "forget_gate": forget_gate, "forget_bias": 1, "input_bias": 0}
    for peepholes, forget_gate in product((False, True), repeat=2)
]
CELLS: list[tuple[str, dict[str, Any]]] = [
    ("rnn", {"initialisation": "orthogonal"}),
    *(("lstm", options) for options in LSTMS),
]
"""All that the kernel unrolls."""


class Compilation(NamedTuple):
    """What became of an attempt to compile: whether there was anything to compile, and the time it took."""

    anew: bool
    seconds: float
    folder: str


def is_compiled() -> bool:
    """Return whether there is machine code for this CPU."""
    return bool(_machine_code())


def compile_kernel() -> Compilation:
    """Let a tiny network of every cell that the fused kernels know go forward and backward, as training does."""
    began, before = time.monotonic(), _machine_code()
    for name, options in CELLS:
        _unroll(load_cell(name, features=2, hidden_size=1, options=options))
    _train_online()
    return Compilation(_machine_code() != before, time.monotonic() - began, compilation.cache_folder())


def _unroll(cell: Cell) -> None:
    kernel = load_kernel("cpu", cell=cell, dtype=torch.float32, device=torch.device("cpu"))
    network = Network(cell, outputs=1, kernel=kernel)
    initial = network.initialise(np.random.default_rng(0), sequence_length=2)
    weights = torch.from_numpy(initial[None]).float().requires_grad_(True)
    inputs, starts = torch.zeros(1, 2, 1, cell.features), torch.zeros(1, 1, dtype=torch.int64)
    flow = GradientFlow(frozenset(cell.paths))
    outputs = network.outputs_of(weights, inputs=inputs, starts=starts, first_target=1, flow=flow)
    torch.autograd.grad(outputs.sum(), weights)


def _train_online() -> None:
    cell = LSTM1997Cell(features=2, hidden_size=1, block_size=1, input_gate_bias=0.0, biases=True, bound=0.1)
    kernel = load_kernel("reference", cell=cell, dtype=torch.float64, device=torch.device("cpu"))
    train_online(
        cell,
        weights=np.zeros((1, Network(cell, outputs=1, kernel=kernel).parameters)),
        inputs=np.zeros((1, 2, 1), np.int64),
        targets=np.zeros((1, 1, 1)),
        starts=np.zeros((1, 1), np.int64),
        rows=[0],
        rates=[0.1],
        flow=GradientFlow(frozenset(cell.paths)),
        outputs=1,
    )


def _machine_code() -> set[tuple[Path, int]]:
    files = Path(compilation.cache_folder()).rglob("*.nbc")
    return {(file, file.stat().st_mtime_ns) for file in files}
