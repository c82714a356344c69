"""Three ways to cut a gradient in time, for a loss at the last step and for one at several steps."""

import numpy as np
import pytest
import torch

from models.cell import load_cell
from models.gradient_flow import GradientFlow
from models.kernels import load_kernel
from models.network import Network
from tasks.task import Task, load_task
from tests.settings import CELL_OPTIONS

OF_TASK = {
    "adding": {"variant": "uniform", "output": "linear"},
    "copy": {"loss": "recall"},
    "temporal_order": {"symbols": 2, "output": "softmax"},
}
LAG, STEPS = 12, 10


def gradient(task: Task, *, kernel: str, cell: str, k1: int, k2: int) -> torch.Tensor:
    """Return the gradient of two networks on one batch."""
    built = load_cell(cell, features=task.features, hidden_size=5, options=CELL_OPTIONS[cell])
    dtype = torch.float32 if kernel == "cpu" else torch.float64
    network = Network(
        built,
        outputs=task.outputs,
        kernel=load_kernel(kernel, cell=built, dtype=dtype, device=torch.device("cpu")),
    )
    assert network.kernel.name == kernel
    rng = np.random.default_rng(3)
    initial = np.stack([network.initialise(rng, sequence_length=task.sequence_length) for _ in range(2)])
    weights = torch.from_numpy(initial).to(dtype).requires_grad_(True)
    batch = task.sample(rng, 7)
    inputs, targets, starts = (torch.from_numpy(part)[None].expand(2, *part.shape) for part in batch)
    targets = targets.to(dtype) if targets.is_floating_point() else targets
    outputs = network.outputs_of(
        weights,
        inputs=inputs.to(dtype).contiguous(),
        starts=starts.contiguous(),
        first_target=task.first_target,
        flow=GradientFlow(frozenset(built.paths), k1, k2),
    )
    return torch.autograd.grad(task.loss(outputs, targets).sum(), weights)[0]


@pytest.mark.parametrize("kernel", ["cpu", "reference"])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("name", ["adding", "temporal_order"])
def test_where_only_the_last_step_carries_a_loss_all_windowings_are_one(name: str, cell: str, kernel: str) -> None:
    task = load_task(name, lag=LAG, options=OF_TASK[name])
    aligned, every_step, half = (
        gradient(task, kernel=kernel, cell=cell, k1=k1, k2=STEPS) for k1 in (STEPS, 1, STEPS // 2)
    )
    assert torch.equal(aligned, every_step)
    assert torch.equal(aligned, half)
    shorter = gradient(task, kernel=kernel, cell=cell, k1=STEPS - 1, k2=STEPS - 1)
    assert not torch.equal(aligned, shorter)


@pytest.mark.parametrize("kernel", ["cpu", "reference"])
def test_where_ten_steps_carry_a_loss_the_windowings_differ(kernel: str) -> None:
    task = load_task("copy", lag=LAG, options=OF_TASK["copy"])
    gradients = [gradient(task, kernel=kernel, cell="lstm", k1=k1, k2=STEPS) for k1 in (STEPS, 1, STEPS // 2)]
    for first, other in ((0, 1), (0, 2), (1, 2)):
        assert float((gradients[first] - gradients[other]).norm() / gradients[first].norm()) > 1e-3
