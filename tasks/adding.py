"""The adding problem: report the sum of the two marked values of a long sequence.

Hochreiter & Schmidhuber 1997, "Long short-term memory", sec. 5.4 (`variant: hochreiter1997`); Arjovsky, Shah & Bengio
2016, "Unitary evolution recurrent neural networks" (`variant: uniform`).

Each step is a pair (value, marker). `uniform`, lag 3, T = 2 lag = 6:

    value   0.3  0.9  0.5  0.2  0.8  0.1
    marker  0    1    0    0    1    0        target 0.9 + 0.8 = 1.7

values U[0, 1]; one marker in the first half, one in the second; target X1 + X2 at the last step. `hochreiter1997`, T
= 2 lag: values U[-1, 1]; length uniform in T ... T + T/10; X1 is one of the first 10 pairs, X2 one of the first T/2 -
1 still unmarked ones; marker -1 on the first and the last pair; target 0.5 + (X1 + X2) / 4 at the last step. A marked
first pair keeps its -1 and its value counts as 0. In both the first marker is at least `lag` steps before the end.

Loss: squared error, of a linear output or, as in 1997, of one squashed by the logistic function (`output`). Right:
|error| < 0.04 (sec. 5.4; an absolute error, not a squared one). Published stop rule: mean training error below 0.01
and the last 2 000 sequences right (with the logistic output).
Chance (a constant): `uniform`: 1/6 and 1 - 0.96^2 = 7.84 %. `hochreiter1997`: 1/24 and 1 - 0.92^2 = 15.36 % where no
first pair is marked; one is with probability P0 = 1/10 + (9/10) / (lag - 1), and then 1/48 and 16 %.
"""

import numpy as np
import torch
from torch import Tensor

from tasks.logistic import squared_error, within
from tasks.task import Batch, Chance, Task, check_lag, check_option, check_together, mean_of, stop_of

OPTIONS = {
    "variant": {
        "enum": ["uniform", "hochreiter1997"],
        "description": "values U[0, 1] and fixed length (Arjovsky 2016), or values U[-1, 1], varying length (1997)",
    },
    "output": {
        "enum": ["linear", "logistic"],
        "description": "the output as it is, or squashed by the logistic function (1997)",
    },
}
REFUSED = [
    {
        "when": {"variant": "uniform", "output": "logistic"},
        "why": "a logistic output cannot reach the targets of variant uniform, which lie in [0, 2]",
    }
]
LAGS = [{"when": {"variant": "uniform"}, "minimum": 1}, {"when": {"variant": "hochreiter1997"}, "minimum": 10}]
STOPS = [{"when": {"output": "logistic"}, "error": 0.01, "streak": 2000}]  # the published stop rule

TOLERANCE = 0.04
EARLY_PAIRS = 10  # the 1997 paper marks one of the first ten pairs


class Adding(Task):
    """The adding problem at one lag; T = 2 lag."""

    features = 2
    outputs = 1

    def __init__(self, *, lag: int, variant: str, output: str) -> None:
        options = {"variant": variant, "output": output}
        for option, value in options.items():
            check_option("adding", option, value=value, allowed=OPTIONS[option]["enum"])
        check_together("adding", refused=REFUSED, options=options)
        check_lag("adding", lag=lag, rules=LAGS, options=options)
        self.logistic = output == "logistic"
        self.stop = stop_of(STOPS, options=options)
        self.lag = lag
        self.variant = variant
        shortest = 2 * lag
        if variant == "uniform":
            self.sequence_length = shortest
            self.chance = Chance(loss=1 / 6, accuracy=1 - (1 - TOLERANCE) ** 2)
        else:
            self.sequence_length = shortest + shortest // 10
            first_marked = 1 / EARLY_PAIRS + (1 - 1 / EARLY_PAIRS) / (lag - 1)
            self.chance = Chance(
                loss=(1 - first_marked) / 24 + first_marked / 48,
                accuracy=(1 - first_marked) * (1 - (1 - 2 * TOLERANCE) ** 2) + first_marked * 4 * TOLERANCE,
            )
        self.first_target = self.sequence_length - 1

    def floor(self, num_steps: int) -> Chance:
        """Return the floors: an addend that the window does not show is best taken for its mean, whatever it shows.

        `uniform`: the second addend is unseen with probability 1 - min(n, T/2) / (T/2), the first with 1 - (n - T/2) /
        (T/2), each then costs its variance 1/12, and one or two unseen ones leave 8 % or 7.84 % right. 1997: of a
        sequence of length l the pairs before l - n are unseen, and cost 1/3 / 16 each unless they are the first pair;
        16 % or 15.36 % stay right. Averaged over the positions and the lengths.
        """
        if self.variant == "uniform":
            unseen = np.array([[1 - min(num_steps, self.lag) / self.lag, 1 - max(num_steps - self.lag, 0) / self.lag]])
            unseen = np.clip(unseen, 0, 1)
            return _floor(*unseen.T, both=unseen.prod(axis=1), variance=1 / 12, width=1)
        lengths = np.arange(2 * self.lag, self.sequence_length + 1)
        hidden = np.clip(lengths - num_steps, 1, self.lag) - 1  # pairs before the window, without the first
        first = np.minimum(hidden, EARLY_PAIRS - 1)  # those among the first ten
        pairs = EARLY_PAIRS * (self.lag - 1)  # equally probable (X1, X2)
        both = first * (hidden - 1) / pairs
        second = (EARLY_PAIRS * hidden - first) / pairs
        return _floor(first / EARLY_PAIRS, second, both=both, variance=1 / 48, width=1 / 2)

    def vectors(self, targets: np.ndarray) -> np.ndarray:
        """Return the targets (1, B) as (B, 1) float64."""
        return targets.T.astype(np.float64) if self.logistic else super().vectors(targets)

    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw `size` sequences; the target is one number at the last step."""
        return self._uniform(rng, size) if self.variant == "uniform" else self._hochreiter1997(rng, size)

    def _uniform(self, rng: np.random.Generator, size: int) -> Batch:
        inputs = np.zeros((self.sequence_length, size, 2), dtype=np.float32)
        inputs[:, :, 0] = rng.random((self.sequence_length, size), dtype=np.float32)
        marked = np.stack([rng.integers(0, self.lag, size), rng.integers(self.lag, 2 * self.lag, size)])
        sequences = np.arange(size)
        inputs[marked, sequences, 1] = 1
        targets = inputs[marked, sequences, 0].sum(axis=0, keepdims=True)
        return Batch(inputs, targets, starts=np.zeros(size, dtype=np.int64))

    def _hochreiter1997(self, rng: np.random.Generator, size: int) -> Batch:
        last = self.sequence_length - 1
        lengths = rng.integers(2 * self.lag, self.sequence_length, size, endpoint=True)
        starts = self.sequence_length - lengths
        first = rng.integers(0, EARLY_PAIRS, size)
        second = rng.integers(0, self.lag - 1, size)
        second += second >= first  # the chosen one of the still unmarked pairs
        marked = np.stack([first, second])
        sequences = np.arange(size)

        inputs = np.zeros((self.sequence_length, size, 2), dtype=np.float32)
        values = rng.uniform(-1, 1, (self.sequence_length, size)).astype(np.float32)
        inputs[:, :, 0] = np.where(np.arange(self.sequence_length)[:, None] >= starts, values, 0)
        inputs[starts + marked, sequences, 1] = 1
        inputs[starts, sequences, 1] = -1
        inputs[last, :, 1] = -1
        addends = np.where(marked == 0, 0, inputs[starts + marked, sequences, 0])
        targets = (0.5 + addends.sum(axis=0, keepdims=True) / 4).astype(np.float32)
        return Batch(inputs, targets, starts)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error per replica (R,)."""
        if self.logistic:
            return squared_error(outputs, targets[..., None])
        return mean_of((outputs[..., 0] - targets).square())

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return where |error| < 0.04: bool (R, 1, B)."""
        if self.logistic:
            return within(outputs, targets[..., None], tolerance=TOLERANCE)
        return torch.abs(outputs[..., 0] - targets) < TOLERANCE


def _floor(first: np.ndarray, second: np.ndarray, *, both: np.ndarray, variance: float, width: float) -> Chance:
    """Average the floors over lengths, from the probabilities that addends are unseen; each adds U[0, width]."""
    single, two = (first + second - 2 * both).mean(), both.mean()
    share = 2 * TOLERANCE / width
    return Chance(
        loss=float(variance * (first + second).mean()),
        accuracy=float(1 - single - two + single * share + two * (1 - (1 - share / 2) ** 2)),
    )
