"""What is compiled ahead of training is all that training calls."""

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
