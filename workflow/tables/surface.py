"""The truncation surface: accuracy and loss over lag and num_steps, beside the floor of what these steps show."""

import numpy as np
import pandas as pd

from workflow.statistics.intervals import mean_interval
from workflow.tables.baselines import with_baselines
from workflow.tables.columns import CONDITION, CONTROLS, SURFACE
from workflow.tables.statistics import chosen_replicas, scored
from workflow.tables.summary import typed

WINDOWINGS = ("aligned", "every_step", "half", "other", "whole")


def surface_table(summary: pd.DataFrame, statistics: pd.DataFrame, baselines: pd.DataFrame) -> pd.DataFrame:
    """Make the surface, one row per condition, each at the learning rate that validation chose.

    `windowing` is `aligned` (k1 = k2 = num_steps, windows that end with the sequence), `every_step` (k1 = 1: each loss
    goes back num_steps steps), `half` (k1 = num_steps / 2), `other`, or `whole` (no window). `reach` is the share of
    the scored steps whose window holds the step one lag before, `reach_law` the same for windows at a random place.

    The floor is that of the best predictor which sees only what a window shows. Where one step is scored, that is the
    last num_steps steps. Where several are (copy), each needs one symbol, one lag before: known with `reach`, else
    guessed. `excess_accuracy` is accuracy minus floor, `excess_loss` floor minus loss, so that more is better in both:
    what a network owes to the state that is carried into the window. Intervals are 95 % bootstrap intervals over
    seeds; the floor is the same for all. A loss that is not finite leaves its mean empty.
    """
    replicas = chosen_replicas(summary, statistics)
    rows = [dict(zip(CONDITION, key, strict=True)) | _row(part) for key, part in replicas.groupby(CONDITION, sort=True)]
    columns = [name for name in SURFACE if name not in CONTROLS]
    return with_baselines(typed(pd.DataFrame(rows, columns=columns)), baselines)[SURFACE]


def windowing_of(k1: int | None, k2: int | None) -> str:
    """Name the kind of window."""
    if k1 is None or k2 is None:
        return "whole"
    if k1 == k2:
        return "aligned"
    if k1 == 1:
        return "every_step"
    return "half" if 2 * k1 == k2 else "other"


def reach_law(lag: int, *, k1: int | None, k2: int | None) -> float:
    """Return the probability that a window holds both ends of a dependency, the window being at a random place.

    The later end is r = 0 ... k1 - 1 steps before the last of its window, all equally probable, and the earlier one is
    in it where r + lag < k2: clip((k2 - lag) / k1, 0, 1).
    """
    return 1.0 if k1 is None or k2 is None else float(np.clip((k2 - lag) / k1, 0, 1))


def reach(lag: int, *, k1: int | None, k2: int | None, scored_steps: int) -> float:
    """Return the share of the last `scored_steps` steps whose window, aligned to the end, holds the step `lag` back."""
    if k1 is None or k2 is None:
        return 1.0
    return float(np.mean(np.arange(scored_steps) % k1 + lag < k2))


def _row(replicas: pd.DataFrame) -> dict:
    first = replicas.iloc[0]
    k1, k2 = (None if pd.isna(first[name]) else int(first[name]) for name in ("k1", "num_steps"))
    lag, steps = int(first["lag"]), int(first["scored_steps"])
    reached = reach(lag, k1=k1, k2=k2, scored_steps=steps)
    floor_accuracy, floor_loss = float(first["floor_accuracy"]), float(first["floor_loss"])
    if steps > 1:
        floor_accuracy = reached + (1 - reached) * float(first["chance_accuracy"])
        floor_loss = (1 - reached) * float(first["chance_loss"])
    accuracies = scored(replicas["test_accuracy"])
    losses = replicas["test_loss"].to_numpy(dtype=float, na_value=np.nan)
    named = {
        "accuracy": accuracies,
        "loss": losses,
        "excess_accuracy": accuracies - floor_accuracy,
        "excess_loss": floor_loss - losses,
    }
    row: dict = {name: first[name] for name in ("paths", "num_steps", "k1", "learning_rate", "sequence_length")}
    row |= {"windowing": windowing_of(k1, k2), "seeds": len(replicas), "success_accuracy": first["success_accuracy"]}
    row |= {"reach": reached, "reach_law": reach_law(lag, k1=k1, k2=k2)}
    row |= {"floor_accuracy": floor_accuracy, "floor_loss": floor_loss}
    for name, values in named.items():
        low, high = mean_interval(values) if np.isfinite(values).all() else (np.nan, np.nan)
        row |= {name: values.mean(), f"{name}_low": low, f"{name}_high": high}
    return row
