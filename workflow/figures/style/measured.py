"""What the figures of measured gradients share: the rows that they draw, names and notes."""

import textwrap

import pandas as pd

from workflow.figures.style.legends import describe_count
from workflow.figures.style.look import Labels, select_rows

MOMENTS = {"initial": "as drawn", "half_way": "half-way", "solved": "solved"}


def select_trained(table: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Return the networks that were trained under the config's first gradient that a table has."""
    return select_rows(table, gradient=next(label for label in labels.gradients if label in set(table["gradient"])))


def select_largest_lag(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at the largest lag that was measured of each task."""
    return table[table["lag"] == table.groupby(["device", "task"])["lag"].transform("max")]


def describe_seeds(table: pd.DataFrame) -> str:
    """Return the beginning of a note: how many seeds the lines and bands are over."""
    seeds = table.groupby(["device", "task", "lag", "model"])["seed"].nunique()
    return describe_count(seeds, "seeds", spread="line: median; band: quartiles")


def break_label(label: str) -> str:
    """Break a label after underscores, for the title of a narrow panel."""
    return textwrap.fill(label.replace("_", "_ "), 14).replace("_ ", "_")
