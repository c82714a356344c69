"""Random instances of a cell, one replica each: weights, inputs, ragged starts, initial states and the loss."""

from itertools import chain, combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.models import oracle
from tests.models.oracle import Array, Errors, Gradients, Parameters, Trace


class Options(NamedTuple):
    """One kind of cell: its name and the switches that change its equations."""

    cell: str
    peepholes: bool = False
    forget_gate: bool = True

    @property
    def paths(self) -> frozenset[str]:
        """Return the paths that carry error in this cell."""
        if self.cell == "rnn":
            return oracle.RNN_PATHS
        return oracle.LSTM_PATHS if self.peepholes else oracle.LSTM_PATHS - {"peepholes", "output_peephole"}

    @property
    def gates(self) -> str:
        """Return the letters of the gates that have weights."""
        return "ifzo" if self.forget_gate else "izo"

    def __str__(self) -> str:
        """Return the name that pytest shows."""
        return "-".join([self.cell, *["peepholes"] * self.peepholes, *["no_forget_gate"] * (not self.forget_gate)])


RNN = Options("rnn")
LSTM = Options("lstm")
LSTMS = [Options("lstm", peepholes, forget_gate) for peepholes in (False, True) for forget_gate in (True, False)]
CELLS = [RNN, *LSTMS]


def subsets(options: Options) -> list[frozenset[str]]:
    """Return every subset of the cell's paths."""
    paths = sorted(options.paths)
    return [frozenset(s) for s in chain.from_iterable(combinations(paths, n) for n in range(len(paths) + 1))]


class Case(NamedTuple):
    """One replica of an experiment, in NumPy."""

    options: Options
    parameters: Parameters
    x: Array  # (T, B, features)
    starts: NDArray[np.int64]  # (B,)
    h0: Array  # (B, H)
    c0: Array  # (B, H)
    errors: Errors

    def forward(self, **changed: object) -> Trace:
        """Run the oracle forward, with some of its arguments changed."""
        run = oracle.rnn_forward if self.options.cell == "rnn" else oracle.lstm_forward
        arguments = {"p": self.parameters, "x": self.x, "h0": self.h0, "c0": self.c0, "starts": self.starts} | changed
        return run(**arguments)  # type: ignore[arg-type]

    def backward(
        self, paths: frozenset[str] | None = None, *, k1: int | None = None, k2: int | None = None
    ) -> Gradients:
        """Run the oracle backward; without k1 and k2 through the whole sequence, without `paths` along every path."""
        run = oracle.rnn_backward if self.options.cell == "rnn" else oracle.lstm_backward
        paths = self.options.paths if paths is None else paths
        given = (self.parameters, self.x, self.forward(), self.errors)
        if k1 is None or k2 is None:
            return run(*given, paths=paths, first=0, last=len(self.x))
        return oracle.windowed(run, *given, paths=paths, k1=k1, k2=k2)


def draw_case(
    options: Options,
    rng: np.random.Generator,
    *,
    steps: int = 7,
    batch: int = 3,
    features: int = 2,
    hidden: int = 4,
    ragged: bool = True,
    first_target: int = 0,
    initial: bool = True,
    scale: float = 0.8,
) -> Case:
    """Draw a case whose loss is a random weighting of h(t) for t >= `first_target`, and of the last c if `initial`."""
    shapes: dict[str, tuple[int, ...]] = {}
    for gate in [""] if options.cell == "rnn" else [f"_{letter}" for letter in options.gates]:
        shapes |= {f"W{gate}": (features, hidden), f"U{gate}": (hidden, hidden), f"b{gate}": (hidden,)}
    if options.peepholes:
        shapes |= {f"p_{letter}": (hidden,) for letter in options.gates if letter != "z"}
    parameters = {name: scale * rng.normal(size=shape) for name, shape in shapes.items()}
    state = (batch, hidden)
    of_h = rng.normal(size=(steps, *state))
    of_h[:first_target] = 0
    keep_c = initial and options.cell == "lstm"
    return Case(
        options,
        parameters,
        rng.normal(size=(steps, batch, features)),
        rng.integers(0, steps, size=batch) if ragged else np.zeros(batch, dtype=np.int64),
        rng.normal(size=state) if initial else np.zeros(state),
        rng.normal(size=state) if keep_c else np.zeros(state),
        Errors(of_h, rng.normal(size=state) if keep_c else np.zeros(state)),
    )
