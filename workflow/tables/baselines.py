"""One row per device, task, lag and model: random weight guessing, and the best predictor that remembers nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from workflow.experiment.experiment import Experiment
from workflow.tables.schema import columns
from workflow.tables.schema.columns import count, number, set_types

RECORDS = "baseline"
KEY = tuple(columns.BASELINE)
COLUMNS = {
    **columns.BASELINE,
    "guesses": count(
        "how many networks were sampled at random and not trained (Schmidhuber, Hochreiter & Bengio 2001; `baselines` "
        "in the config)"
    ),
    **{name: column for name, column in columns.CONTROLS.items() if name != "easy"},
    "success_accuracy": number("the task's success criterion"),
    "easy": columns.CONTROLS["easy"],
}


def compute(records: Sequence[Mapping[str, Any]], experiment: Experiment) -> pd.DataFrame:
    """Compute the table of baselines from their records."""
    rows = [_compute_row(record) for record in records]
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(list(KEY), ignore_index=True)


def join_baselines(
    table: pd.DataFrame, baselines: pd.DataFrame, *, variants: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return a table of accuracies with the columns `CONTROLS` at its end, joined by device, task, lag and model.

    `variants` maps labels of models that a search has sampled to the model as it is configured, whose baseline it is.
    """
    variants = variants or {}
    keys = table[list(KEY)].assign(model=[variants.get(model, model) for model in table["model"]])
    joined = keys.merge(baselines[[*KEY, *columns.CONTROLS]], on=list(KEY), how="left", validate="many_to_one")
    missing = joined[joined["easy"].isna()]
    if not missing.empty:
        name = ", ".join(f"{key} {missing.iloc[0][key]}" for key in KEY)
        raise ValueError(f"no baseline of {name}; run the workflow again")
    controls = set_types(joined[list(columns.CONTROLS)], columns.CONTROLS)
    return table.assign(**{name: controls[name].to_numpy() for name in columns.CONTROLS})


def _compute_row(record: Mapping[str, Any]) -> dict[str, Any]:
    settings, best = record["settings"], record["best"] or {}
    accuracy = best.get("test_accuracy", 0.0)
    return {
        "device": settings["device"],
        "task": settings["task"]["name"],
        "lag": settings["task"]["lag"],
        "model": settings["model"]["name"],
        "guesses": settings["guessing"]["guesses"],
        "guess_accuracy": accuracy,
        "guess_loss": best.get("test_loss"),
        "constant_accuracy": record["chance"]["accuracy"],
        "constant_loss": record["chance"]["loss"],
        "success_accuracy": record["success_accuracy"],
        "easy": accuracy >= record["success_accuracy"],
    }
