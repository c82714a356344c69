"""The baselines beside every accuracy: random weight guessing, and the best predictor that remembers nothing."""

from collections.abc import Mapping, Sequence

import pandas as pd

from workflow.tables.columns import BASELINE, BASELINES, CONTROLS
from workflow.tables.summary import typed


def baselines_table(records: Sequence[Mapping]) -> pd.DataFrame:
    """Make the table of baselines, one row per device, task, lag and model.

    `guess_accuracy` and `guess_loss` are those, on test data, of the guess that validation preferred; `constant_...`
    the closed-form chance level. `easy`: guessing reaches the success criterion. Where every guess overflows, the
    accuracy is 0 and the loss empty.
    """
    return typed(pd.DataFrame([_row(record) for record in records], columns=BASELINES)).sort_values(
        BASELINE, ignore_index=True
    )


def with_baselines(
    table: pd.DataFrame, baselines: pd.DataFrame, *, variants: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Return a table of accuracies with the columns `CONTROLS` at its end, joined by device, task, lag and model.

    `variants` maps labels of models that a search has drawn to the model that they are drawn of, whose baseline it is.
    """
    known = variants or {}
    keys = table[BASELINE].assign(model=[known.get(model, model) for model in table["model"]])
    found = keys.merge(baselines[[*BASELINE, *CONTROLS]], on=BASELINE, how="left", validate="many_to_one")
    lacking = found[found["easy"].isna()]
    if not lacking.empty:
        name = ", ".join(f"{key} {lacking.iloc[0][key]}" for key in BASELINE)
        raise ValueError(f"no baseline of {name}; run the workflow again")
    return typed(table.assign(**{name: found[name].to_numpy() for name in CONTROLS}))


def _row(record: Mapping) -> dict:
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
