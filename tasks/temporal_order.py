"""The temporal order problem: name the order in which two or three rare symbols came.

Hochreiter & Schmidhuber 1997, "Long short-term memory", sec. 5.6, experiments 6a (`symbols: 2`) and 6b (`symbols:
3`); softmax and argmax as in Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural
networks". One-hot over E (start), B (end, the trigger), the distractors a b c d, and X, Y. 6a: length 100 to 110, the
relevant symbols at t1 in [10, 20] and t2 in [50, 60]: minimal time lag 40; 6b: [10, 20], [33, 43], [66, 76]: minimal
time lag 24. Steps count from 1, all choices are uniform. For another lag every number is scaled by lag/40 (lag/24) and
rounded down, and the shortest length is the last position plus the lag. Error that is to reach the first symbol goes
back 2 to 2.5 lags (6a), the whole sequence at most. Symbols 2, lag 8 (t1 in [2, 4], t2 in [10, 12], length 20 to 22):

    E a X c b d a a c d Y b b a c d a d b B        class 1 of XX, XY, YX, YY

`output: softmax`: loss cross-entropy at the last step, in nats; right: the argmax is the class. Chance: symbols ln 2
and 2^-symbols; a net that knows only the last relevant symbol has twice the accuracy. `output: logistic` (1997): one
output per class, squashed by the logistic function; loss: the sum of their squared errors; right: every output within
0.3 of its target. Chance: 1 - 2^-symbols (all outputs 2^-symbols) and 2^-symbols (one class named throughout).
Published stop rule: mean training error below 0.1 and the last 2 000 sequences right.
"""

import math
from typing import Any

import numpy as np
from torch import Tensor

from tasks.logistic import one_hot, one_hot_array, squared_error, within
from tasks.task import Batch, Chance, Task, check_lag, check_option, cross_entropy, stop_of

OPTIONS: dict[str, dict[str, Any]] = {
    "symbols": {
        "enum": [2, 3],
        "description": "relevant symbols per sequence: 2 (experiment 6a, 4 classes) or 3 (6b, 8 classes)",
    },
    "output": {
        "enum": ["softmax", "logistic"],
        "description": "softmax and cross-entropy (Pascanu 2013), or logistic outputs and squared error (1997)",
    },
}
LAGS = [{"when": {"symbols": 2}, "minimum": 8}, {"when": {"symbols": 3}, "minimum": 5}]
STOPS = [{"when": {"output": "logistic"}, "error": 0.1, "streak": 2000}]  # the published stop rule

START, END, DISTRACTORS, RELEVANT = 0, 1, 2, 6  # E; B; a b c d from 2; X Y from 6
POSITIONS = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}
LENGTHS = (100, 110)
TOLERANCE = 0.3  # of each logistic output


class TemporalOrder(Task):
    """The temporal order problem at one lag."""

    features = 8

    def __init__(self, *, lag: int, symbols: int, output: str) -> None:
        check_option("temporal_order", "symbols", value=symbols, allowed=OPTIONS["symbols"]["enum"])
        check_option("temporal_order", "output", value=output, allowed=OPTIONS["output"]["enum"])
        check_lag("temporal_order", lag=lag, rules=LAGS, options={"symbols": symbols})
        self.logistic = output == "logistic"
        self.stop = stop_of(STOPS, options={"symbols": symbols, "output": output})
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
        loss = 1 - 0.5**symbols if self.logistic else symbols * math.log(2)
        self.chance = Chance(loss=loss, accuracy=0.5**symbols)

    def floor(self, num_steps: int) -> Chance:
        """Return the floors: of a sequence of length l the last n steps show what stands after step l - n.

        Of symbol i that is a share s_i of its positions; symbols are independent of all else and later ones are seen
        first, so an unseen one halves the probability of the class: accuracy prod (1 + s_i) / 2, cross-entropy
        sum (1 - s_i) ln 2, squared error 1 - accuracy (K equally probable classes have 1 - 1/K). Averaged over l.
        """
        lengths = np.arange(self.shortest, self.sequence_length + 1)[:, None]
        first, last = np.array(self.positions).T
        seen = np.clip((last - np.maximum(first - 1, lengths - num_steps)) / (last - first + 1), 0, 1)  # (lengths, i)
        accuracy = float(((1 + seen) / 2).prod(axis=1).mean())
        entropy = float((1 - seen).sum(axis=1).mean()) * math.log(2)
        return Chance(loss=1 - accuracy if self.logistic else entropy, accuracy=accuracy)

    def vectors(self, targets: np.ndarray) -> np.ndarray:
        """Return the classes (1, B) as one-hot vectors (B, outputs) float64."""
        return one_hot_array(targets, outputs=self.outputs) if self.logistic else super().vectors(targets)

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
        """Return the mean cross-entropy or squared error per replica (R,)."""
        if self.logistic:
            return squared_error(outputs, one_hot(targets, like=outputs))
        return cross_entropy(outputs, targets)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return where the most probable class is the target, or every output near its own: bool (R, 1, B)."""
        if self.logistic:
            return within(outputs, one_hot(targets, like=outputs), tolerance=TOLERANCE)
        return outputs.argmax(dim=-1) == targets
