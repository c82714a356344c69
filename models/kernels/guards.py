"""What the kernels ask of the tensors that they are given: not to be changed before the backward pass, and a memory."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class _Unchanged(torch.autograd.Function):
    """The identity; its backward pass raises torch's own error if the tensor was changed in place meanwhile."""

    generate_vmap_rule = True

    @staticmethod
    def forward(tensor: Tensor) -> Tensor:
        return tensor.detach()  # not a view that autograd tracks: torch would ask for a clone

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        _ = ctx.saved_tensors  # compares the tensor's version
        return gradient

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent.view_as(tangent)


def guard_version(tensor: Tensor) -> Tensor:
    """Return the tensor as it is; a backward pass after it was changed in place is a RuntimeError of torch's.

    Torch compares the versions only of what an operation saves: a weight that is stacked with others first is copied,
    and its change would go unseen.
    """
    guarded: Tensor = _Unchanged.apply(tensor) if tensor.requires_grad and torch.is_grad_enabled() else tensor
    return guarded


def check_memory(tensors: Iterable[Tensor]) -> None:
    """Refuse tensors whose numbers have no address, as under torch.func: a RuntimeError."""
    try:
        for tensor in tensors:
            tensor.data_ptr()
        traced = torch.jit.is_tracing()
    except RuntimeError:
        traced = True
    if traced:
        raise RuntimeError(
            "the cpu kernel reads and writes memory, which torch.func, torch.export, torch.jit.trace and "
            "is_grads_batched do not see; use the reference kernel: LSTM(...).double(), or any other device"
        ) from None
