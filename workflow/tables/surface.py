"""The truncation surface: one row per condition, accuracy and loss next to the floor of what its windows show.

Each condition is at the learning rate that validation chose. The floor is that of the best predictor which sees only
what a window shows. Where one step is scored, that is the last num_steps steps. Where several are (copy), each needs
one symbol, one lag before: known with `reach`, else guessed. The excess is what a network owes to the state that is
carried into the window. Intervals are over seeds; the floor is the same for all. A loss that is not finite leaves its
mean empty.
"""

from typing import Any

import numpy as np
import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.statistics.intervals import NOTHING, compute_interval
from workflow.statistics.replicas import CONDITION, list_groups, score_accuracies, select_replicas
from workflow.tables.baselines import join_baselines
from workflow.tables.schema import columns
from workflow.tables.schema.columns import Frames, count, estimate, number, optional_count, text

WINDOWINGS = ("aligned", "every_step", "half", "other", "whole")

NEEDS = ("summary", "statistics", "baselines")
KEY = tuple(CONDITION)
COLUMNS = {
    **columns.CONDITION,
    "paths": text("the paths that carry error back, joined by +"),
    "windowing": text(
        "`aligned`: k1 = k2 = num_steps, windows that end with the sequence; `every_step`: k1 = 1, each loss goes back "
        "num_steps steps; `half`: k1 = num_steps / 2; `other`; `whole`: no window"
    ),
    "num_steps": columns.WINDOW,
    "k1": optional_count("steps between two backward passes; empty: the whole sequence"),
    "sequence_length": count("steps of the longest sequence"),
    "learning_rate": number("chosen by validation"),
    "seeds": count("how many seeds ran"),
    **estimate("accuracy", "mean test accuracy over the seeds"),
    **estimate("loss", "mean test loss over the seeds; empty where one is not finite"),
    "success_accuracy": number("the task's success criterion"),
    "reach": number("share of the scored steps whose window holds the step one lag before"),
    "reach_law": number("the same for windows at a random place: clip((num_steps - lag) / k1, 0, 1)"),
    "floor_accuracy": number("of the best predictor that sees only what the windows show"),
    "floor_loss": number("loss of that predictor"),
    **estimate("excess_accuracy", "accuracy minus floor: above 0 the network uses the state carried into the window"),
    **estimate("excess_loss", "floor minus loss, so that more is better here too"),
    **columns.CONTROLS,
}


def compute(tables: Frames, experiment: Experiment) -> pd.DataFrame:
    """Compute the surface."""
    replicas = select_replicas(tables["summary"], tables["statistics"])
    rows = [key | _compute_row(part) for key, part in list_groups(replicas, CONDITION)]
    return join_baselines(pd.DataFrame(rows), tables["baselines"])


def name_window(k1: int | None, k2: int | None) -> str:
    """Return the name of the kind of window."""
    if k1 is None or k2 is None:
        return "whole"
    if k1 == k2:
        return "aligned"
    if k1 == 1:
        return "every_step"
    return "half" if 2 * k1 == k2 else "other"


def compute_reach_law(lag: int, *, k1: int | None, k2: int | None) -> float:
    """Return the probability that a window holds both ends of a dependency, the window being at a random place.

    The later end is r = 0 ... k1 - 1 steps before the last of its window, all equally probable, and the earlier one is
    in it where r + lag < k2: clip((k2 - lag) / k1, 0, 1).
    """
    return 1.0 if k1 is None or k2 is None else float(np.clip((k2 - lag) / k1, 0, 1))


def compute_reach(lag: int, *, k1: int | None, k2: int | None, scored_steps: int) -> float:
    """Return the share of the last `scored_steps` steps whose window, aligned to the end, holds the step `lag` back."""
    if k1 is None or k2 is None:
        return 1.0
    return float(np.mean(np.arange(scored_steps) % k1 + lag < k2))


def _compute_row(replicas: pd.DataFrame) -> dict[str, Any]:
    first = replicas.iloc[0]
    k1, k2 = (None if pd.isna(first[name]) else int(first[name]) for name in ("k1", "num_steps"))
    lag, steps = int(first["lag"]), int(first["scored_steps"])
    reach = compute_reach(lag, k1=k1, k2=k2, scored_steps=steps)
    floor_accuracy, floor_loss = float(first["floor_accuracy"]), float(first["floor_loss"])
    if steps > 1:
        floor_accuracy = reach + (1 - reach) * float(first["chance_accuracy"])
        floor_loss = (1 - reach) * float(first["chance_loss"])
    accuracies = score_accuracies(replicas["test_accuracy"])
    losses = replicas["test_loss"].to_numpy(dtype=float, na_value=np.nan)
    values_of = {
        "accuracy": accuracies,
        "loss": losses,
        "excess_accuracy": accuracies - floor_accuracy,
        "excess_loss": floor_loss - losses,
    }
    row = {name: first[name] for name in COLUMNS if name in replicas.columns}
    row |= {"windowing": name_window(k1, k2), "seeds": len(replicas)}
    row |= {"reach": reach, "reach_law": compute_reach_law(lag, k1=k1, k2=k2)}
    row |= {"floor_accuracy": floor_accuracy, "floor_loss": floor_loss}
    for name, values in values_of.items():
        interval = compute_interval(values) if np.isfinite(values).all() else NOTHING
        row |= {name: values.mean(), **interval.to_columns(name)}
    return row
