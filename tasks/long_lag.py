"""The noise-free long time lag problem with no local regularities: name the second symbol after a random sequence.

Hochreiter & Schmidhuber 1997, "Long short-term memory", sec. 5.2, experiment 2c. One-hot over p + 4 symbols: the
distractors a_1 ... a_p (indices 0 ... p - 1), e (trigger), b (start), x and y. A sequence is b, then x or y, then q
distractors and a random number k more (an e follows with probability 1/10 instead: k is geometric with mean 9), then
e, after which the net is to name which of x and y came. The paper predicts it as the next symbol; here it is the target
of the step of e. The minimal time lag as the paper states it is q + 1: lag = q + 1. Lag 4 (q = 3), p = 5, k = 2:

    b x a2 a5 a1 a1 a3 e        target x

Two logistic outputs, one for x and one for y. Loss: the sum of their squared errors; right: both within 0.2 of their
targets. Chance: 1/2 (both outputs 1/2) and 1/2. Published stop rule: 10 000 successive training sequences right.

Sequences are aligned at their ends, so k needs a bound: 131, the largest k with P(k >= 131) > 10^-6. Draws beyond it,
9 in 10^7, are as if sampled again; that shortens the mean by 0.0001 steps.
"""

import math
from typing import Any

import numpy as np
from torch import Tensor

from tasks.logistic import one_hot, one_hot_array, squared_error, within
from tasks.task import Batch, Chance, Task, check_lag, stop_of

OPTIONS = {
    "symbols": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100000,
        "description": "number of distractors, p; the alphabet has four more",
    }
}
LAGS = [{"when": {}, "minimum": 2}]
STOPS: list[dict[str, Any]] = [{"when": {}, "error": None, "streak": 10000}]  # the published stop rule

TRIGGER, START, X = 0, 1, 2  # e, b, x, y follow the distractors
CONTINUED = 0.9  # probability of one more distractor
LONGEST = 131  # the bound of k
BEYOND = CONTINUED ** (LONGEST + 1)  # P(k > LONGEST)
TOLERANCE = 0.2


class LongLag(Task):
    """The long time lag problem at one lag, q = lag - 1."""

    outputs = 2
    logistic = True
    stop = stop_of(STOPS, options={})
    chance = Chance(loss=0.5, accuracy=0.5)

    def __init__(self, *, lag: int, symbols: int) -> None:
        if not isinstance(symbols, int) or symbols < 1:
            raise ValueError(f"unknown symbols {symbols!r} of task 'long_lag'; known: integers from 1 on")
        check_lag("long_lag", lag=lag, rules=LAGS, options={"symbols": symbols})
        self.lag = lag
        self.symbols = symbols
        self.features = symbols + 4
        self.sequence_length = lag + 2 + LONGEST  # b, x or y, q + LONGEST distractors, e
        self.first_target = self.sequence_length - 1

    def floor(self, num_steps: int) -> Chance:
        """Return the floors: x or y stands lag + k steps before the end, so the last n steps show it if k < n - lag.

        That has the probability (1 - 0.9^(n - lag)) / (1 - 0.9^132). Otherwise both are equally probable.
        """
        shown = min(max(num_steps - self.lag, 0), LONGEST + 1)
        seen = (1 - CONTINUED**shown) / (1 - BEYOND)
        return Chance(loss=(1 - seen) / 2, accuracy=(1 + seen) / 2)

    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw `size` sequences, one-hot as integers; the target is 0 for x and 1 for y."""
        answers = rng.integers(0, 2, size)
        more = np.floor(np.log1p(-rng.random(size) * (1 - BEYOND)) / math.log(CONTINUED)).astype(np.int64)
        starts = LONGEST - np.minimum(more, LONGEST)
        sequences = np.arange(size)
        sequence = rng.integers(0, self.symbols, (self.sequence_length, size))
        sequence[:LONGEST][np.arange(LONGEST)[:, None] < starts] = -1
        sequence[starts, sequences] = self.symbols + START
        sequence[starts + 1, sequences] = self.symbols + X + answers
        sequence[-1] = self.symbols + TRIGGER
        return Batch(sequence, answers[None], starts)

    def vectors(self, targets: np.ndarray) -> np.ndarray:
        """Return the answers (1, B) as one-hot vectors (B, 2) float64."""
        return one_hot_array(targets, outputs=self.outputs)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error per replica (R,), summed over both outputs."""
        return squared_error(outputs, one_hot(targets, like=outputs))

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return where both outputs are within 0.2 of their targets: bool (R, 1, B)."""
        return within(outputs, one_hot(targets, like=outputs), tolerance=TOLERANCE)
