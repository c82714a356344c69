"""The columns of a table, each with its type and its meaning, and those that several tables share."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, NamedTuple

import pandas as pd


class Column(NamedTuple):
    """One column: the type of its values in memory, and what they mean."""

    dtype: str
    meaning: str


Columns = Mapping[str, Column]
Frames = Mapping[str, pd.DataFrame]
"""Tables by name."""
Records = Sequence[Mapping[str, Any]]
Rows = pd.DataFrame | Iterable[Mapping[str, Any]]
"""The rows of a table; of a mapping only the declared columns count."""


text = partial(Column, "str")
"""A column of labels or words."""
count = partial(Column, "int64")
"""A column of whole numbers, none of which is missing."""
optional_count = partial(Column, "Int64")
"""A column of whole numbers, of which some may be missing."""
number = partial(Column, "float64")
"""A column of floating-point numbers; one that does not exist is an empty field."""
flag = partial(Column, "bool")
"""A column of True and False."""


def limits(
    name: str = "", *, by: str = "bootstrap over seeds", column: Callable[[str], Column] = number
) -> dict[str, Column]:
    """Return the two columns of a 95 % interval: `<name>_low` and `<name>_high`."""
    meanings = {"low": f"lower end of the 95 % interval: {by}", "high": f"upper end: {by}"}
    return {f"{name}_{end}".lstrip("_"): column(meaning) for end, meaning in meanings.items()}


def estimate(name: str, meaning: str, *, by: str = "bootstrap over seeds") -> dict[str, Column]:
    """Return the three columns of a number and its 95 % interval."""
    return {name: number(meaning), **limits(name, by=by)}


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
    **limits("solved", by="Wilson"),
}


def set_types(rows: Rows, columns: Columns, *, sort_by: Collection[str] = ()) -> pd.DataFrame:
    """Return rows as a table with the declared types and order of columns, equal to the same table read from its file.

    Columns that a table lacks are left out; one that is not declared is a ValueError. Of `versions.*` all names that
    begin so are declared, without a type and in alphabetical order.
    """
    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows), columns=list(columns))
    names = [name for pattern in columns for name in sorted(map(str, table)) if fnmatchcase(name, pattern)]
    if extra := [name for name in table if name not in names]:
        raise ValueError(f"column {extra[0]} is not declared; declared: {', '.join(columns)}")
    if sort_by:
        table = table.sort_values([name for name in names if name in sort_by], ignore_index=True)
    return table[names].astype({name: columns[name].dtype for name in names if name in columns})
