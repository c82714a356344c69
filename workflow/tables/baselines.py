"""One row per device, task, lag and model: random weight guessing, and the best predictor that remembers nothing."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from records.condition import Condition
from workflow.experiment.experiment import Experiment
from workflow.tables.schema.columns import BASELINE, CONTROLS, Records, count, number, set_types

RECORDS = "baseline"
KEY = tuple(BASELINE)
COLUMNS = {
    **BASELINE,
    "guesses": count(
        "how many networks were sampled at random and not trained (Schmidhuber, Hochreiter & Bengio 2001; `baselines` "
        "in the config)"
    ),
    **{name: column for name, column in CONTROLS.items() if name != "easy"},
    "success_accuracy": number("the task's success criterion"),
    "easy": CONTROLS["easy"],
}


def compute(records: Records, experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Compute the rows from the records of baselines."""
    for record in records:
        best, success = record["best"] or {}, record["success_accuracy"]
        accuracy = best.get("test_accuracy", 0.0)
        yield Condition.from_settings(record["settings"])._asdict() | {
            "guesses": record["settings"]["guessing"]["guesses"],
            "guess_accuracy": accuracy,
            "guess_loss": best.get("test_loss"),
            "constant_accuracy": record["chance"]["accuracy"],
            "constant_loss": record["chance"]["loss"],
            "success_accuracy": success,
            "easy": accuracy >= success,
        }


def join_baselines(
    table: pd.DataFrame, baselines: pd.DataFrame | None, *, models: pd.Series | None = None
) -> pd.DataFrame:
    """Return a table of accuracies with the columns `CONTROLS` at its end, or as it is where there are no baselines.

    They are joined by device, task, lag and model; `models` are those as configured, where a search has sampled others.
    """
    if baselines is None:
        return table
    keys = table.assign(model=table["model"] if models is None else models)[[*KEY]]
    joined = keys.merge(baselines[[*KEY, *CONTROLS]], on=[*KEY], how="left", validate="many_to_one")
    missing = joined[joined["easy"].isna()]
    if not missing.empty:
        name = ", ".join(f"{key} {missing.iloc[0][key]}" for key in KEY)
        raise ValueError(f"no baseline of {name}; run the workflow again")
    controls = set_types(joined[[*CONTROLS]], CONTROLS)
    return table.assign(**{name: controls[name].to_numpy() for name in CONTROLS})
