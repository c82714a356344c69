"""The columns of a table, each with its type and its meaning, and those that several tables share."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd


class Column(NamedTuple):
    """One column: the type of its values in memory, and what they mean."""

    dtype: str
    meaning: str


Columns = Mapping[str, Column]


def text(meaning: str) -> Column:
    """Return a column of labels or words."""
    return Column("str", meaning)


def count(meaning: str) -> Column:
    """Return a column of whole numbers, none of which is missing."""
    return Column("int64", meaning)


def optional_count(meaning: str) -> Column:
    """Return a column of whole numbers, of which some may be missing."""
    return Column("Int64", meaning)


def number(meaning: str) -> Column:
    """Return a column of floating-point numbers; one that does not exist is an empty field."""
    return Column("float64", meaning)


def flag(meaning: str) -> Column:
    """Return a column of True and False."""
    return Column("bool", meaning)


def limits(
    low: str, high: str, *, by: str = "bootstrap over seeds", column: Callable[[str], Column] = number
) -> dict[str, Column]:
    """Return the two columns of a 95 % interval."""
    return {low: column(f"lower end of the 95 % interval: {by}"), high: column(f"upper end: {by}")}


BASELINE = {
    "device": text("cpu or cuda"),
    "task": text("label of the task in the config"),
    "lag": count("the minimal time lag of the task, in steps"),
    "model": text("label of the model in the config"),
}
CONDITION = {**BASELINE, "gradient": text("label of the gradient in the config, under which the network was trained")}
WINDOW = optional_count(
    "k2 of the window: the steps through which the error flows back; empty: the whole sequence. "
    "In the config `num_steps: n` sets k1 = k2 = n"
)
CHANCE = number("accuracy of the best predictor that remembers nothing, in closed form")
CONTROLS = {
    "guess_accuracy": number(
        "on test data, of the guess that was best on validation data (accuracy, then loss): it may lie below chance; "
        "0 where every guess overflows"
    ),
    "guess_loss": number("loss of the same guess"),
    "constant_accuracy": CHANCE,
    "constant_loss": number("loss of that predictor"),
    "easy": flag("whether guessing reaches the success criterion: such a lag tests no learning"),
}
"""The columns of `baselines` that join tables of accuracies."""
SOLVED = {
    "seeds": count("how many seeds ran"),
    "solved": count("how many of them solved the task"),
    "solved_fraction": number("their share"),
    **limits("solved_low", "solved_high", by="Wilson"),
}


def set_types(table: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Return a table with the declared types and order of columns, equal to the same table read from its file.

    Columns that are not there are left out; one that is not declared is a ValueError, unless the declaration is open
    (`versions.*`).
    """
    extra = [name for name in table.columns if name not in columns]
    if any(name.endswith(".*") for name in columns):
        return table
    if extra:
        raise ValueError(f"column {extra[0]} is not declared; declared: {', '.join(columns)}")
    return table[[name for name in columns if name in table.columns]].astype(
        {name: columns[name].dtype for name in table.columns}
    )
