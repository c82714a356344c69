"""Tables of a made-up random search, for the tests: accuracy is a known function of size, rate, seed and variant."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from workflow.tables.schema.columns import set_types
from workflow.tables.summary import COLUMNS

SEARCH = {
    "hidden_size": {"draws": 6, "from": 8, "to": 64},
    "learning_rate": {"draws": 8, "from": 0.001, "to": 0.1},
    "seed": 0,
    "reference": "vanilla",
}
SIZES = (10, 14, 20, 28, 40, 55)


def search_of(variants: Iterable[str], *, sizes: Iterable[int] = SIZES) -> dict:
    """Return a search as the configuration hands it on."""
    return SEARCH | {"variants": {f"{variant}.h{size}": variant for variant in variants for size in sizes}}


def make_summary(
    accuracy: Callable[[str, float, float, int], float],
    *,
    variants: Iterable[str] = ("vanilla", "nfg"),
    tasks: Iterable[str] = ("adding", "copy"),
    lags: Iterable[int] = (15,),
    gradients: Iterable[str] = ("full",),
    sizes: Iterable[int] = SIZES,
    rates: int = 8,
    seeds: Iterable[int] = (0, 1),
    solved_at: float = 0.9,
) -> pd.DataFrame:
    """Make a table of replicas; `accuracy` is of (variant, u, v, seed), u and v in [-1, 1] as in importance.py."""
    rng = np.random.default_rng(5)
    rows = []
    trials = [
        (size, 2 * (k + rng.random()) / rates - 1, seed) for size in sizes for k in range(rates) for seed in seeds
    ]
    for task in tasks:
        for lag in lags:
            for gradient in gradients:
                for variant in variants:
                    for size, u, seed in trials:
                        v = 2 * np.log(size / 7.5) / np.log(64.5 / 7.5) - 1
                        score = accuracy(variant, u, v, seed)
                        solved = score >= solved_at
                        rows.append(
                            {"device": "cpu", "task": task, "lag": lag, "model": f"{variant}.h{size}"}
                            | {"gradient": gradient, "seed": seed, "learning_rate": 0.01 * 10.0**u}
                            | {"hidden_size": size, "validation_accuracy": score, "validation_loss": 1 - score}
                            | {"test_accuracy": score, "solved": solved, "diverged": False, "success_accuracy": 0.95}
                            | {"updates_to_solve": 100 if solved else None, "updates": 100 if solved else 500}
                            | {"budget": 8000, "batch_size": 16, "chance_accuracy": 0.1}
                        )
    return set_types(pd.DataFrame(rows), COLUMNS)
