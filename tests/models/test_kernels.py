"""The choice of a kernel: by file name, and the reference kernel where another has no version of the cell."""

import logging

import pytest
import torch

from models.cell import Cell
from models.kernels import cpu, kernel_names, load_kernel, reference
from tests.models.cases import LSTM, RNN
from tests.models.experiment import make_cell

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def cell() -> Cell:
    return make_cell(LSTM, features=2, hidden_size=3)


def test_kernels_are_the_files_that_define_unroll() -> None:
    assert kernel_names() == ["cpu", "reference"]


@pytest.mark.parametrize("options", [RNN, LSTM], ids=str)
def test_a_kernel_that_knows_the_cell_is_taken_without_a_word(options, caplog: pytest.LogCaptureFixture) -> None:
    built = make_cell(options, features=2, hidden_size=3)
    kernel = load_kernel("cpu", cell=built, dtype=torch.float32, device=CPU)
    assert (kernel.name, kernel.unroll) == ("cpu", cpu.unroll)
    assert caplog.records == []


@pytest.mark.parametrize(("dtype", "device"), [(torch.float64, CPU), (torch.float32, CUDA)], ids=str)
def test_what_the_kernel_cannot_do_the_reference_does_and_the_log_says_so_once(
    dtype: torch.dtype, device: torch.device, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        kernel = load_kernel("cpu", cell=cell(), dtype=dtype, device=device)
    assert (kernel.name, kernel.unroll) == ("reference", reference.unroll)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"kernel cpu has no version of LSTMCell in {dtype} on {device.type}: the reference kernel runs"
    )


@pytest.mark.parametrize("name", ["fused", "fast", "../cpu"])
def test_an_unknown_kernel_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"unknown kernel .*; known: cpu, reference"):
        load_kernel(name, cell=cell(), dtype=torch.float32, device=CPU)
