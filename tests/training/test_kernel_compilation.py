"""What is compiled ahead of training is all that training calls."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.cell import load_cell
from models.kernels import cpu
from training.compilation import CELLS


def test_every_fused_cell_is_compiled_in_every_version() -> None:
    cells = [load_cell(name, features=2, hidden_size=1, options=options) for name, options in CELLS]
    assert {type(cell).__name__ for cell in cells} == set(cpu.FUSED)
    versions = {(fused.kind, fused.peepholes) for fused in map(cpu.describe, cells) if fused}
    kinds = {
        value
        for name, value in vars(cpu.fused).items()
        if name.isupper() and name.startswith(("RNN", "LSTM", "VARIANT"))
    }
    lstms = kinds - {cpu.fused.RNN}
    assert versions == {(cpu.fused.RNN, False)} | {(kind, peepholes) for kind in lstms for peepholes in (False, True)}


PROGRAM = """
from models.kernels import compilation
from tests.settings import job_settings
from training.compilation import compile_kernel
from training.condition import train_condition

compile_kernel()

def fail(cache, sig, context):
    raise SystemExit(f"{cache._function.__name__} was not compiled ahead for {sig}")

compilation._Cache.load_overload = fail
for cell, options in (("rnn", {}), ("lstm", {}), ("lstm", {"peepholes": True}), ("lstm", {"forget_gate": False})):
    for change in ({"paths": ["cell"]} if cell == "lstm" else {}, {"k1": 3, "k2": 5}):
        settings = job_settings(
            seeds=[0, 1], learning_rates=[0.1, 0.01], cell=cell, hidden_size=9, dtype="float32", sequences=24
        )
        settings["training"]["kernel"] = "cpu"
        settings["gradient"] |= change
        settings["model"]["options"] = settings["model"]["options"] | options
        assert train_condition(settings, lambda progress: None)["kernel"] == "cpu"
"""


@pytest.mark.slow
def test_training_compiles_nothing_that_was_not_compiled_ahead() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
