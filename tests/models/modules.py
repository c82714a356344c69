"""Modules of torch that the cell `module` is tested with: one without a state, and some that it must refuse."""

import torch
from torch import Tensor, nn


class CausalConvolution(nn.Module):
    """Every output sees the last three inputs; there is no state, and a buffer that all replicas share."""

    def __init__(self, features: int, hidden_size: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(features, hidden_size, 3)
        self.register_buffer("scale", torch.linspace(0.5, 1, hidden_size))

    def forward(self, inputs: Tensor) -> Tensor:
        padded = nn.functional.pad(inputs.permute(1, 2, 0), (2, 0))
        return torch.tanh(self.convolution(padded)).permute(2, 0, 1) * self.scale


class Leaky(nn.Module):
    """A recurrence in plain operations, which torch.func can batch, as it cannot those of torch.nn.GRU."""

    def __init__(self, features: int, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features + hidden_size, hidden_size)

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        h = inputs.new_zeros(inputs.shape[1], self.linear.out_features) if state is None else state
        outputs = []
        for x in inputs.unbind(0):
            h = 0.7 * h + 0.3 * torch.tanh(self.linear(torch.cat([x, h], dim=-1)))
            outputs.append(h)
        return torch.stack(outputs), h


class LastOutput(nn.GRU):
    """A module that returns no sequence."""

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs)[0][-1]


class Normalised(nn.Module):
    """A module with running statistics."""

    def __init__(self, features: int, hidden_size: int) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(features, hidden_size), nn.BatchNorm1d(hidden_size)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.norm(self.linear(inputs).flatten(0, 1)).unflatten(0, inputs.shape[:2])
