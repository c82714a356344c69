"""The temporal order problem: say in which order two or three rare symbols came.

Hochreiter & Schmidhuber 1997, "Long short-term memory", sec. 5.6, experiments 6a (`symbols: 2`) and 6b (`symbols:
3`); softmax and argmax as in Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural
networks". One-hot over E (start), B (end, the trigger), the distractors a b c d, and X, Y. 6a: length 100 to 110, the
relevant symbols at t1 in [10, 20] and t2 in [50, 60]: minimal time lag 40; 6b: [10, 20], [33, 43], [66, 76]: minimal
time lag 24. Steps count from 1, all choices are uniform. For another lag every number is scaled by lag/40 (lag/24) and
rounded down, and the shortest length is the last position plus the lag. Error that is to reach the first symbol goes
back 2 to 2.5 lags (6a), the whole sequence at most. Symbols 2, lag 8 (t1 in [2, 4], t2 in [10, 12], length 20 to 22):

    E a X c b d a a c d Y b b a c d a d b B        class 1 of XX, XY, YX, YY

Loss: cross-entropy at the last step, in nats. Right: the argmax is the class. Chance: 2^-symbols and symbols ln 2; a
net that knows only the last relevant symbol has twice the accuracy.
"""

import math

import numpy as np
from torch import Tensor

from tasks.task import Batch, Chance, Task, check_lag, check_option, cross_entropy

OPTIONS = {
    "symbols": {
        "enum": [2, 3],
        "description": "relevant symbols per sequence: 2 (experiment 6a, 4 classes) or 3 (6b, 8 classes)",
    }
}
LAGS = [{"when": {"symbols": 2}, "minimum": 8}, {"when": {"symbols": 3}, "minimum": 5}]

START, END, DISTRACTORS, RELEVANT = 0, 1, 2, 6  # E; B; a b c d from 2; X Y from 6
POSITIONS = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}
LENGTHS = (100, 110)


class TemporalOrder(Task):
    """The temporal order problem at one lag."""

    features = 8

    def __init__(self, *, lag: int, symbols: int) -> None:
        check_option("temporal_order", "symbols", value=symbols, known=OPTIONS["symbols"]["enum"])
        check_lag("temporal_order", lag=lag, rules=LAGS, options={"symbols": symbols})
        self.lag = lag
        self.symbols = symbols
        published_lag = LENGTHS[0] - POSITIONS[symbols][-1][1]  # 40 and 24
        self.positions = tuple(
            (first * lag // published_lag, last * lag // published_lag) for first, last in POSITIONS[symbols]
        )
        self.shortest = self.positions[-1][1] + lag
        self.sequence_length = max(self.shortest, LENGTHS[1] * lag // published_lag)
        self.first_target = self.sequence_length - 1
        self.outputs = 2**symbols
        self.chance = Chance(loss=symbols * math.log(2), accuracy=0.5**symbols)

    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw `size` sequences; the target is the class, the relevant symbols read as a binary number (X 0, Y 1)."""
        lengths = rng.integers(self.shortest, self.sequence_length, size, endpoint=True)
        starts = self.sequence_length - lengths
        sequences = np.arange(size)
        sequence = rng.integers(DISTRACTORS, RELEVANT, (self.sequence_length, size))
        sequence[starts, sequences] = START
        sequence[-1] = END
        relevant = rng.integers(0, 2, (self.symbols, size))
        for symbol, (first, last) in zip(relevant, self.positions, strict=True):
            position = rng.integers(first, last, size, endpoint=True)
            sequence[starts + position - 1, sequences] = RELEVANT + symbol
        inputs = np.eye(self.features, dtype=np.float32)[sequence]
        inputs[np.arange(self.sequence_length)[:, None] < starts] = 0
        classes = 2 ** np.arange(self.symbols)[::-1] @ relevant
        return Batch(inputs, classes[None], starts)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy per replica (R,)."""
        return cross_entropy(outputs, targets)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Say where the most probable class is the target: bool (R, 1, B)."""
        return outputs.argmax(dim=-1) == targets
