"""Random instances of a cell, one replica each: weights, inputs, ragged starts, initial states and the loss."""

from functools import partial
from itertools import chain, combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.models import oracle, oracle_lstm
from tests.models.oracle import Array, Errors, Gradients, Parameters, Trace
from tests.models.oracle_lstm import Variant


class Options(NamedTuple):
    """One kind of cell: its name and the switches that change its equations."""

    cell: str
    peepholes: bool = False
    forget_gate: bool = True
    input_gate: bool = True
    output_gate: bool = True
    input_activation: str = "tanh"
    output_activation: str = "tanh"
    coupled_gates: bool = False
    gate_recurrence: bool = False

    @property
    def paths(self) -> frozenset[str]:
        """Return the paths that carry error in this cell."""
        if self.cell == "rnn":
            return oracle.RNN_PATHS
        absent = {"gate_recurrence"} if not self.gate_recurrence else set()
        absent |= {"peepholes", "output_peephole"} if not self.peepholes else set()
        return oracle_lstm.PATHS - absent - ({"output_peephole"} if not self.output_gate else set())

    @property
    def blocks(self) -> str:
        """Return the letters of the gates and the block input that have weights."""
        has = {"i": self.input_gate, "f": self.forget_gate and not self.coupled_gates, "z": True, "o": self.output_gate}
        return "".join(letter for letter in "ifzo" if has[letter])

    @property
    def switches(self) -> dict[str, object]:
        """Return what an LSTM is made with."""
        return {name: value for name, value in self._asdict().items() if name != "cell"}

    @property
    def variant(self) -> Variant:
        """Return what the oracle must know beside the weights."""
        linear = (self.input_activation == "identity", self.output_activation == "identity")
        return Variant(*linear, coupled=self.coupled_gates)

    def __str__(self) -> str:
        """Return the name that pytest shows."""
        default = Options(self.cell)
        changed = [name for name, value in self.switches.items() if value != getattr(default, name)]
        return "-".join([self.cell, *(name if getattr(self, name) is True else f"no_{name}" for name in changed)])


RNN = Options("rnn")
LSTM = Options("lstm")
LSTMS = [Options("lstm", peepholes, forget_gate) for peepholes in (False, True) for forget_gate in (True, False)]
_PEEPHOLE = Options("lstm", peepholes=True)
VARIANTS = [
    _PEEPHOLE._replace(input_gate=False),
    _PEEPHOLE._replace(output_gate=False),
    _PEEPHOLE._replace(input_activation="identity"),
    _PEEPHOLE._replace(output_activation="identity"),
    _PEEPHOLE._replace(coupled_gates=True),
    _PEEPHOLE._replace(gate_recurrence=True),
    LSTM._replace(input_gate=False, forget_gate=False, input_activation="identity"),
    LSTM._replace(forget_gate=False, output_gate=False, gate_recurrence=True),
    LSTM._replace(coupled_gates=True, gate_recurrence=True, output_activation="identity"),
]
"""Those of Greff et al. 2017, and combinations of them."""
ALL_LSTMS = LSTMS + VARIANTS
CELLS = [RNN, *ALL_LSTMS]


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
    g0: Array  # (B, n H), of the n gates in the state
    errors: Errors

    @property
    def initial(self) -> tuple[Array, ...]:
        """Return the initial state as the cell has it."""
        if self.options.cell == "rnn":
            return (self.h0,)
        return (self.h0, self.c0, self.g0) if self.options.gate_recurrence else (self.h0, self.c0)

    def forward(self, **changed: object) -> Trace:
        """Run the oracle forward, with some of its arguments changed."""
        arguments = {"p": self.parameters, "x": self.x, "h0": self.h0, "starts": self.starts}
        if self.options.cell == "rnn":
            return oracle.rnn_forward(**(arguments | changed))  # type: ignore[arg-type]
        arguments |= {"c0": self.c0, "g0": self.g0, "variant": self.options.variant}
        return oracle_lstm.lstm_forward(**(arguments | changed))  # type: ignore[arg-type]

    def backward(
        self, paths: frozenset[str] | None = None, *, k1: int | None = None, k2: int | None = None
    ) -> Gradients:
        """Run the oracle backward; without k1 and k2 through the whole sequence, without `paths` along every path."""
        run: oracle.Backward = oracle.rnn_backward
        if self.options.cell == "lstm":
            run = partial(oracle_lstm.lstm_backward, variant=self.options.variant)
        paths = self.options.paths if paths is None else paths
        given = (self.parameters, self.x, self.forward(), self.errors)
        if k1 is None or k2 is None:
            return run(*given, paths=paths, first=0, last=len(self.x))
        return oracle.windowed(run, *given, paths=paths, k1=k1, k2=k2)

    def rtrl(self, *, output_peephole: bool) -> Parameters:
        """Run the forward recursion of the 1997 truncation."""
        given = (self.parameters, self.x, self.forward(), self.errors)
        return oracle_lstm.lstm_rtrl(*given, variant=self.options.variant, output_peephole=output_peephole)


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
    gates_in_loss: bool = True,
) -> Case:
    """Draw a case whose loss weighs h(t) for t >= `first_target` at random, and if `initial` the last c and gates."""
    shapes: dict[str, tuple[int, ...]] = {}
    for block in [""] if options.cell == "rnn" else [f"_{letter}" for letter in options.blocks]:
        shapes |= {f"W{block}": (features, hidden), f"U{block}": (hidden, hidden), f"b{block}": (hidden,)}
    gates = options.blocks.replace("z", "")
    if options.peepholes:
        shapes |= {f"p_{letter}": (hidden,) for letter in gates}
    if options.gate_recurrence:
        shapes |= {f"R_{a}{b}": (hidden, hidden) for a in gates for b in gates}
    parameters = {name: scale * rng.normal(size=shape) for name, shape in shapes.items()}
    state = (batch, hidden)
    of_h = rng.normal(size=(steps, *state))
    of_h[:first_target] = 0
    keep_c = initial and options.cell == "lstm"
    of_gates = (batch, len(gates) * hidden if options.gate_recurrence else 0)
    return Case(
        options,
        parameters,
        rng.normal(size=(steps, batch, features)),
        rng.integers(0, steps, size=batch) if ragged else np.zeros(batch, dtype=np.int64),
        rng.normal(size=state) if initial else np.zeros(state),
        rng.normal(size=state) if keep_c else np.zeros(state),
        rng.uniform(size=of_gates) if initial else np.zeros(of_gates),
        Errors(
            of_h,
            rng.normal(size=state) if keep_c else np.zeros(state),
            rng.normal(size=of_gates) if initial and gates_in_loss else np.zeros(of_gates),
        ),
    )
