"""The fused kernels, compiled ahead of the jobs that train with them: they then load the machine code."""

from itertools import product
from pathlib import Path
from typing import Any

from models.kernels import compilation
from models.lstm import VANILLA
from training.condition import train_condition

LSTMS = [
    VANILLA | {"peepholes": peepholes, "forget_gate": forget_gate, "forget_bias": 1, "input_bias": 0}
    for peepholes, forget_gate in product((False, True), repeat=2)
]
CELLS: list[tuple[str, dict[str, Any]]] = [
    ("rnn", {"initialisation": "orthogonal"}),
    *(("lstm", options) for options in LSTMS),
]
"""All that the kernel `cpu` unrolls."""
LSTM_1997 = {"block_size": 1, "input_gate_bias": 0.0, "biases": True, "bound": 0.1}
PATHS = {"rnn": ["recurrent"], "lstm": ["cell", "gates", "block_input"], "lstm_1997": ["cell"]}
COPY = {"task": "copy", "lag": 11, "options": {"loss": "recall"}}
"""No untrained network solves it, so that one is trained."""
ADDING = {"task": "adding", "lag": 10, "options": {"variant": "hochreiter1997", "output": "logistic"}}
SETTINGS = {
    "device": "cpu",
    "seeds": [0],
    "learning_rates": [0.1],
    "optimiser": {"name": "sgd", "momentum": 0},
}


def is_compiled() -> bool:
    """Return whether there is machine code for this CPU."""
    return bool(_list_machine_code())


def compile_kernel() -> tuple[bool, str]:
    """Train every cell that the fused kernels know; return whether anything was compiled, and the code's folder."""
    before = _list_machine_code()
    for name, options in CELLS:
        _train(name, options, task=COPY, protocol="minibatch", kernel="cpu", dtype="float32")
    _train("lstm_1997", LSTM_1997, task=ADDING, protocol="online", kernel="reference", dtype="float64")
    return _list_machine_code() != before, compilation.cache_folder()


def _train(cell: str, options: dict[str, Any], *, task: dict[str, Any], **training: str) -> None:
    """Make one update of one network."""
    once = dict.fromkeys(("batch_size", "evaluate_every", "validation_sequences", "test_sequences"), 1)
    settings = {
        "task": {"name": "tiny", "sequences": 1, **task},
        "model": {"name": cell, "cell": cell, "hidden_size": 1, "options": options},
        "gradient": {"name": "tiny", "paths": PATHS[cell], "k1": None, "k2": None},
        "training": {**training, **once, "clip_norm": None},
    }
    train_condition(SETTINGS | settings, lambda progress: None)


def _list_machine_code() -> set[tuple[Path, int]]:
    files = Path(compilation.cache_folder()).rglob("*.nbc")
    return {(file, file.stat().st_mtime_ns) for file in files}
