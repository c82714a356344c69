"""Networks whose gradients are decomposed, and their gradient by the kernel and autograd."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.cell import Cell, load_cell
from models.gradient_flow import GradientFlow
from models.kernels import load_kernel
from models.network import Network
from tasks.task import Task, load_task
from tests.settings import CELL_OPTIONS, TASK_OPTIONS
from training.evaluation import Tensors, to_tensors
from training.gradients.backward import BackwardStep, ForwardPass, run_backward, run_network

LSTM = CELL_OPTIONS["lstm"]
CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("rnn", {"initialisation": "uniform"}),
    "lstm": ("lstm", LSTM),
    "lstm_no_forget": ("lstm", LSTM | {"forget_gate": False}),
    "lstm_peephole": ("lstm", LSTM | {"peepholes": True}),
    "lstm_coupled_recurrent_gates": (
        "lstm",
        LSTM | {"peepholes": True, "coupled_gates": True, "gate_recurrence": True},
    ),
    "gru": ("gru", {"reset": "before", "update_bias": 0}),
    "lstm_1997": ("lstm_1997", {"block_size": 2, "input_gate_bias": -1, "biases": True, "bound": 0.1}),
}


class Case:
    """Networks of a cell on ragged sequences of the temporal order task, in float64."""

    def __init__(self, name: str, *, task: str = "temporal_order", lag: int = 8, scale: float = 2.0) -> None:
        cell, options = CELLS[name]
        self.task: Task = load_task(task, lag=lag, options=TASK_OPTIONS[task])
        self.cell: Cell = load_cell(cell, features=self.task.features, hidden_size=4, options=options)
        kernel = load_kernel("reference", cell=self.cell, dtype=torch.float64, device=torch.device("cpu"))
        self.network = Network(self.cell, outputs=self.task.outputs, kernel=kernel)
        rng = np.random.default_rng(7)
        initial = [scale * self.network.initialise(rng, sequence_length=self.task.sequence_length) for _ in range(2)]
        self.weights = torch.from_numpy(np.stack(initial))
        self.data: Tensors = to_tensors([self.task.sample(rng, 5) for _ in range(2)], rows=[0, 1], like=self.weights)

    def forward(self) -> ForwardPass:
        return run_network(self.network, self.weights, task=self.task, data=self.data)

    def gradient(self, paths: frozenset[str]) -> dict[str, Tensor]:
        """Return the gradient that the kernel and autograd give for the loss of the last step, by symbol."""
        weights, last = self.weights.clone().requires_grad_(), self.task.sequence_length - 1
        outputs = self.network.outputs_of(
            weights, inputs=self.data.inputs, starts=self.data.starts, first_target=last, flow=GradientFlow(paths)
        )
        (gradient,) = torch.autograd.grad(self.task.loss(outputs, self.data.targets[:, -1:]).sum(), weights)
        return self.network.by_symbol(gradient)

    def back(self, *flows: frozenset[str]) -> list[BackwardStep]:
        return list(run_backward(self.forward(), flows))
