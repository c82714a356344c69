"""The package `models` loads the torch module on first access, and neither it nor torch before."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import models

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
import models
assert not {"torch", "models.torch_lstm"} & set(sys.modules)
lstm = models.LSTM(3, 5)
print("imported")
import torch
lstm(torch.zeros(7, 4, 3))
"""


def test_the_package_loads_it_on_access_and_without_numba_s_compiler_refuses_a_call_alone() -> None:
    env = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "imported\n", done.stderr
    assert done.stderr.splitlines()[-1].startswith("RuntimeError: the cpu kernel needs numba's compiler, which NUMBA_D")


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'models' has no attribute 'GRU'"):
        _ = models.GRU
