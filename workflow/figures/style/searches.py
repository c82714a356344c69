"""Where things stand in the figures of a random search: a panel per task and lag, a row per variant."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow.figures.style.look import Labels, rows_of
from workflow.figures.style.panels import new_figure

ROW, FRAME = 0.2, 0.55  # inches: of a variant, of a panel's title and axis
COLUMNS = 3


class Facet(NamedTuple):
    """One panel's share of the tables."""

    device: str
    task: str
    lag: int
    gradient: str
    title: str

    def select_rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a table that belong to the panel."""
        return rows_of(table, device=self.device, task=self.task, lag=self.lag, gradient=self.gradient)


def facets_of(table: pd.DataFrame, *, labels: Labels) -> list[Facet]:
    """Return the panels by device, task and gradient in the order of the config, and lag; named by what varies."""
    present = set(table[["device", "task", "lag", "gradient"]].itertuples(index=False, name=None))
    devices, gradients = ({facet[column] for facet in present} for column in (0, 3))
    ordered = sorted(
        present, key=lambda facet: (facet[0], labels.tasks.index(facet[1]), labels.gradients.index(facet[3]), facet[2])
    )
    facets = []
    for device, task, lag, gradient in ordered:
        title = [task, f"lag {lag}"]
        title += ([device] if len(devices) > 1 else []) + ([gradient] if len(gradients) > 1 else [])
        facets.append(Facet(device, task, lag, gradient, ", ".join(title)))
    return facets


def row_panels(facets: Sequence[Facet], *, rows: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Return a figure and a panel per facet, with the names of the rows at the left, the first on top."""
    columns = min(len(facets), COLUMNS)
    lines = math.ceil(len(facets) / columns)
    figure = new_figure(columns=columns, height=lines * (ROW * max(len(rows), 3) + FRAME))
    grid = list(figure.subplots(lines, columns, sharey=True, squeeze=False).flat)
    for spare in grid[len(facets) :]:
        spare.remove()
    places = places_of(rows)
    for axes in grid[: len(facets)]:
        axes.set_yticks(list(places.values()), labels=list(places))
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    return figure, grid[: len(facets)]


def places_of(rows: Sequence[str]) -> dict[str, int]:
    """Return the height of every row, the first on top."""
    return {row: len(rows) - 1 - number for number, row in enumerate(rows)}


def trials_note(table: pd.DataFrame) -> str:
    """Return how many trials a variant has."""
    fewest, most = table["trials"].min(), table["trials"].max()
    return f"n = {fewest} trials of a variant" if fewest == most else f"n = {fewest} to {most} trials of a variant"
