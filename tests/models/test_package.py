"""The package `models` loads the torch module when it is asked for, and neither it nor torch before."""

import subprocess
import sys
from pathlib import Path

import pytest

import models

ROOT = Path(__file__).resolve().parents[2]


def test_the_package_loads_it_on_access_and_nothing_else() -> None:
    program = "import models, sys; assert not {'torch', 'models.torch_lstm'} & set(sys.modules); models.LSTM(2, 3)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
    with pytest.raises(AttributeError, match="module 'models' has no attribute 'GRU'"):
        _ = models.GRU
