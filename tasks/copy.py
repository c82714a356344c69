"""The copy task (copying memory): repeat ten symbols after a long blank.

Arjovsky, Shah & Bengio 2016, "Unitary evolution recurrent neural networks", after Hochreiter & Schmidhuber
1997. Alphabet of 10: data symbols 1 to 8, blank 0, delimiter 9. Ten data symbols, T - 1 blanks, the delimiter, ten
blanks: T + 20 steps; the target is T + 10 blanks and then the ten symbols. Every symbol is recalled lag = T + 10
steps after it was seen. Lag 13 (T = 3):

    input   5 1 8 8 2 7 4 3 6 1  0 0 9  0 0 0 0 0 0 0 0 0 0
    target  0 0 0 0 0 0 0 0 0 0  0 0 0  5 1 8 8 2 7 4 3 6 1

Loss: cross-entropy in nats, mean over all T + 20 steps (`loss: all`, published) or over the ten recall steps (`loss:
recall`). Accuracy: share of the ten recall steps that are right (per-step accuracy over all steps would flatter a
memoryless net). Chance (no memory): 10 ln 8 / (T + 20), or ln 8 over the recall steps alone; accuracy 12.5 %.
"""

import math

import numpy as np
from torch import Tensor

from tasks.task import Batch, Chance, Task, check_lag, check_option, cross_entropy

OPTIONS = {
    "loss": {
        "enum": ["all", "recall"],
        "description": "the steps that carry the loss: all T + 20 (Arjovsky 2016) or the ten recall steps",
    }
}
LAGS = [{"when": {}, "minimum": 11}]

SYMBOLS = 8  # data symbols 1 to 8
COPIED = 10  # symbols to be remembered
BLANK = 0
DELIMITER = 9


class Copy(Task):
    """The copy task at one lag; T = lag - 10 and sequences have T + 20 = lag + 10 steps."""

    features = SYMBOLS + 2
    outputs = SYMBOLS + 2

    def __init__(self, *, lag: int, loss: str) -> None:
        check_option("copy", "loss", value=loss, allowed=OPTIONS["loss"]["enum"])
        check_lag("copy", lag=lag, rules=LAGS, options={"loss": loss})
        self.lag = lag
        self.sequence_length = lag + COPIED
        self.first_target = 0 if loss == "all" else lag
        scored = self.sequence_length - self.first_target
        self.chance = Chance(loss=COPIED * math.log(SYMBOLS) / scored, accuracy=1 / SYMBOLS)

    def floor(self, num_steps: int) -> Chance:
        """Return the floors: symbol k = 0 ... 9 stands in step k, so the last n steps show n - lag of the ten.

        Each of the others costs ln 8 and is right in one of eight cases; that every earlier step is blank is known.
        """
        unseen = COPIED - min(max(num_steps - self.lag, 0), COPIED)
        scored = self.sequence_length - self.first_target
        accuracy = (COPIED - unseen + unseen / SYMBOLS) / COPIED
        return Chance(loss=unseen * math.log(SYMBOLS) / scored, accuracy=accuracy)

    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw `size` sequences; targets are the classes of the steps that carry the loss."""
        symbols = rng.integers(1, SYMBOLS, (COPIED, size), endpoint=True)
        sequence = np.full((self.sequence_length, size), BLANK)
        sequence[:COPIED] = symbols
        sequence[self.lag - 1] = DELIMITER
        targets = np.full((self.sequence_length, size), BLANK)
        targets[self.lag :] = symbols
        inputs = np.eye(self.features, dtype=np.float32)[sequence]
        return Batch(inputs, targets[self.first_target :], starts=np.zeros(size, dtype=np.int64))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy per replica (R,)."""
        return cross_entropy(outputs, targets)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return which of the ten recalled symbols are right: bool (R, 10, B)."""
        return outputs[:, -COPIED:].argmax(dim=-1) == targets[:, -COPIED:]
