"""A network built by hand that ignores its last inputs and depends on one further back (the thread's fifth claim).

Nothing is trained. An LSTM (`models/lstm.py`) reads a value and two markers, `store` and `read`:

    step               ...  T-12  T-11  T-10  ...  T-1   T
    value               v    v     v     v          v    v     sampled from U[-1, 1] at every step
    store                          1
    read                                                 1
    input gate i                   open
    forget gate f      open open  shut  open ...   open open
    output gate o                                       open

Each gate's net input is GAIN when it is to be open and -GAIN when shut, by its bias and one weight from a marker; the
block input reads the value with weight 1, the output is the mean of h. So to within exp(-GAIN)

    y = tanh(tanh(v(T-11)))

and nothing else, whatever the recurrent weights U ~ U[-1, 1] are: while the output gates are shut, h is zero. C = y is
the cost, so a gradient is the output's sensitivity. Along the cell dC/dc(T-u) stays what it is for u = 0 to 11, the
product of open forget gates; the term of step T-u of all recurrent weights together is, at u = 11, the block input's,
(1 - tanh(c)^2) (1 - z^2) times the sources, and at every smaller u it is down by the shut input gate, exp(-GAIN).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.cell import load_cell
from models.lstm import VANILLA
from training.gradients.backward import ForwardPass, run_backward, run_cell

CLOSED = 10
"""Steps between what is stored and what is read: the thread's number."""
DISTANCE = CLOSED + 1
BEFORE = 4
"""Steps before the one that is stored: u goes from 0 to 15."""
STEPS = BEFORE + 1 + DISTANCE
GAIN = 16.0
"""Net input of an open gate: sigmoid(16) = 1 - 1.1e-7."""
UNITS, FEATURES = 4, 3
VALUE, STORE, READ = range(FEATURES)
GATES = {"i": "input_gate", "f": "forget_gate", "o": "output_gate"}
FLOWS = {"full": frozenset({"cell", "gates", "block_input"}), "truncated_1997": frozenset({"cell"})}
OPTIONS = VANILLA | {"peepholes": False, "forget_bias": 0.0, "input_bias": 0.0}
CELL = load_cell("lstm", features=FEATURES, hidden_size=UNITS, options=OPTIONS)


def build_weights(rng: np.random.Generator) -> dict[str, Tensor]:
    """Return the cell's weights by symbol (1, ...), float64; only the recurrent ones are random."""
    weights = {symbol: np.zeros(shape) for symbol, shape in CELL.shapes.items()}
    for gate in "ifzo":
        weights[f"U_{gate}"] = rng.uniform(-1, 1, (UNITS, UNITS))
    weights["W_z"][VALUE] = 1
    for gate, marker, sign in (("i", STORE, 1), ("f", STORE, -1), ("o", READ, 1)):
        weights[f"b_{gate}"][:] = -sign * GAIN
        weights[f"W_{gate}"][marker] = 2 * sign * GAIN
    return {symbol: torch.from_numpy(value)[None] for symbol, value in weights.items()}


def sample_inputs(rng: np.random.Generator, size: int) -> Tensor:
    """Sample `size` sequences (1, T, size, features), float64."""
    inputs = np.zeros((STEPS, size, FEATURES))
    inputs[..., VALUE] = rng.uniform(-1, 1, (STEPS, size))
    inputs[BEFORE, :, STORE] = 1
    inputs[-1, :, READ] = 1
    return torch.from_numpy(inputs)[None]


def run(weights: dict[str, Tensor], inputs: Tensor) -> ForwardPass:
    """Run the network; its cost is its output y."""
    starts = torch.zeros(1, inputs.shape[2], dtype=torch.int64)
    return run_cell(CELL, weights, inputs=inputs, starts=starts, cost=lambda hidden: hidden.mean(dim=-1))


def compute_rows(settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield per seed (recurrent weights and one sequence), flow and u = 0 to 15 what the backward pass finds at T-u.

    The numbers are those of `workflow/tables/constructed.py`.
    """
    for seed in settings["seeds"]:
        rng = np.random.default_rng(seed)
        weights, inputs = build_weights(rng), sample_inputs(rng, 1)
        forward = run(weights, inputs)
        hidden = torch.stack([h for h, _ in forward.states[:-1]], dim=1)
        openings = {}
        for gate, name in GATES.items():  # by the equations of models/lstm.py
            net = inputs @ weights[f"W_{gate}"] + hidden @ weights[f"U_{gate}"] + weights[f"b_{gate}"]
            openings[name] = torch.sigmoid(net)[0, :, 0].mean(dim=-1)
        for name, paths in FLOWS.items():
            for step in run_backward(forward, [paths]):
                assert step.input is not None
                t, squares = STEPS - 1 - step.u, [term.square().sum() for term in step.terms.values()]
                yield {
                    "flow": name,
                    "u": step.u,
                    "seed": seed,
                    "value": inputs[0, t, 0, VALUE].item(),
                    "of_value": step.input[0, 0, 0, VALUE].abs().item(),
                    "of_hidden": step.at[0].norm().item(),
                    "of_cell": step.at[1].norm().item(),
                    "term": torch.stack(squares).sum().sqrt().item(),
                    **{name: opening[t].item() for name, opening in openings.items()},
                }
