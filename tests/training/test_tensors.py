"""Batches as tensors: one per replica, numbers in the weights' dtype, indices as they are."""

import numpy as np
import pytest
import torch

from tasks.task import Batch
from training.evaluation import to_tensors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_indices_stay_integers_and_numbers_take_the_dtype_of_the_weights(dtype: torch.dtype) -> None:
    like, starts = torch.zeros(1, dtype=dtype), np.array([0, 1])
    sparse = [Batch(np.full((3, 2), seed), np.zeros((1, 2), np.int64), starts) for seed in (4, 5)]
    inputs, targets, _ = to_tensors(sparse, rows=[1, 0, 1], like=like)
    assert inputs.dtype == targets.dtype == torch.int64
    assert inputs[:, 0, 0].tolist() == [5, 4, 5]
    dense = [Batch(np.zeros((3, 2, 7), np.float32), np.zeros((1, 2), np.float32), starts)]
    inputs, targets, begins = to_tensors(dense, rows=[0], like=like)
    assert inputs.dtype == targets.dtype == dtype
    assert inputs.shape == (1, 3, 2, 7)
    assert begins.tolist() == [[0, 1]]
