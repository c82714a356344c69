"""The panels of a figure: which part of the tables each shows, where it stands, its axes and reference lines."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from workflow.figures.style.look import REFERENCE, SMALL, Labels, Series, select_rows

PAGE_WIDTH, COLUMN_WIDTH = 7.0, 3.4  # inches: both columns of a paper, one column
PAD = 0.04  # inches


class Facet(NamedTuple):
    """One panel's share of the tables: the values of some columns, such as a task and a device."""

    keys: dict[str, Any]
    title: str

    def select(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a table that belong to the panel."""
        return select_rows(table, **self.keys)


def list_facets(table: pd.DataFrame, labels: Labels, *, by: Sequence[str] = ("device", "task")) -> list[Facet]:
    """Return the panels of a table in the order of the config; a device or gradient is named if there are several."""
    orders = {"task": labels.tasks, "model": labels.models, "gradient": labels.gradients}
    present = table[list(by)].drop_duplicates()
    ordered = present.sort_values(
        list(by), key=lambda column: column.map(orders[column.name].index) if column.name in orders else column
    )
    facets = []
    for keys in ordered.to_dict("records"):
        several = [name for name in ("device", "gradient") if name in by and present[name].nunique() > 1]
        first = [f"lag {keys[name]}" if name == "lag" else keys[name] for name in ("task", "lag") if name in by]
        second = [keys[name] for name in ("model", *several) if name in by]
        lines = [", ".join(first), ", ".join(second)] if len(by) > 2 and second else [", ".join(first + second)]
        facets.append(Facet({str(name): value for name, value in keys.items()}, "\n".join(lines)))
    return facets


def select_measured(table: pd.DataFrame, labels: Labels, *, every_lag: bool = False) -> pd.DataFrame:
    """Return the networks at each task's largest lag, trained under the config's first gradient that a table has."""
    table = select_rows(table, gradient=next(label for label in labels.gradients if label in set(table["gradient"])))
    return table if every_lag else table[table["lag"] == table.groupby(["device", "task"])["lag"].transform("max")]


def new_figure(*, columns: int, height: float) -> Figure:
    """Return an empty figure, one column of a paper wide for one panel and both columns wide for more."""
    width = COLUMN_WIDTH if columns == 1 else PAGE_WIDTH
    layout = ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD, wspace=0.02, hspace=0.02)
    return Figure(figsize=(width, height), layout=layout)


def make_panels(
    facets: Sequence[Facet],
    *,
    heights: Sequence[float],
    ylabels: Sequence[str] = (),
    xlabel: str = "lag (steps)",
    columns: int | None = None,
    sharey: bool = True,
) -> tuple[Figure, list[tuple[Facet, NDArray[Any]]]]:
    """Return a figure and each facet with its axes, in reading order, under its title.

    A facet has as many axes, one over the other, as there are `heights` in inches. Unless `columns` are given, there is
    one for each task up to four, else there are three.
    """
    if columns is None:
        tasks = len({facet.keys["task"] for facet in facets})
        columns = tasks if tasks <= 4 else 3
    rows = math.ceil(len(facets) / columns)
    figure = new_figure(columns=columns, height=rows * sum(heights))
    grid = figure.subplots(
        rows * len(heights), columns, sharey="row" if sharey else False, height_ratios=[*heights] * rows, squeeze=False
    )
    stacks = grid.reshape(rows, len(heights), columns).swapaxes(1, 2).reshape(-1, len(heights))
    for spare in stacks[len(facets) :].flat:
        spare.remove()
    for facet, (top, *_) in zip(facets, stacks, strict=False):
        top.set_title(facet.title)
    for place in range(0, len(facets), columns):
        for axes, label in zip(stacks[place], ylabels, strict=False):
            axes.set_ylabel(label)
    for bottom in stacks[: len(facets), -1][-columns:]:
        bottom.set_xlabel(xlabel)
    return figure, list(zip(facets, stacks, strict=False))


def make_grid(
    rows: Sequence[str], columns: Sequence[str], *, height: float, xlabel: str = "", **sharing: Any
) -> tuple[Figure, NDArray[Any]]:
    """Return a figure and its axes, row by row, with labels of rows and titles of columns; a row is `height` inches."""
    figure = new_figure(columns=len(columns), height=height * len(rows) + 0.2)
    grid = figure.subplots(len(rows), len(columns), squeeze=False, **sharing)
    for axes, title in zip(grid[0], columns, strict=True):
        axes.set_title(textwrap.fill(title.replace("_", "_ "), 14).replace("_ ", "_"))
    for axes, label in zip(grid[:, 0], rows, strict=True):
        axes.set_ylabel(label)
    for axes in grid[-1]:
        axes.set_xlabel(xlabel)
    return figure, grid


def make_variant_panels(
    table: pd.DataFrame, labels: Labels, *, xlabel: str
) -> tuple[Figure, list[tuple[Facet, NDArray[Any]]], dict[str, int]]:
    """Return a figure, the panels of a random search, and the heights in them of the variants, the first on top."""
    variants = [label for label in labels.models if label in set(table["variant"])]
    places = {variant: len(variants) - 1 - rank for rank, variant in enumerate(variants)}
    facets = list_facets(table, labels, by=("device", "task", "gradient", "lag"))
    height, columns = 0.2 * max(len(variants), 3) + 0.55, min(len(facets), 3)
    figure, panels = make_panels(facets, heights=[height], xlabel=xlabel, columns=columns)
    for _, (axes,) in panels:
        axes.set_yticks(list(places.values()), labels=list(places))
        axes.set_ylim(-0.6, len(variants) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    return figure, panels, places


class SweepAxis:
    """The x-axis of a panel: the values swept, lags or rates, and the room of several series at each of them."""

    def __init__(self, axes: Axes, values: Iterable[float]) -> None:
        """Give the axes the scale, the limits and a tick at each value; a name that would touch the next is omitted."""
        self.axes, self.values = axes, np.unique(np.asarray(values, dtype=float))
        self._log = self.values[-1] >= 3 * self.values[0]
        places = self._to_axis(self.values)
        span, gaps = np.ptp(places), np.diff(places)
        self._room = min(0.5 * gaps.min(), 0.12 * span) if len(gaps) else 0.5
        margin = 0.08 * span + 0.5 * self._room if len(gaps) else 0.5
        self.limits = tuple(self._from_axis(places[[0, -1]] + [-margin, margin]))
        axes.set_xscale("log", base=2) if self._log else axes.set_xscale("linear")
        axes.set_xlim(*self.limits)
        axes.set_xticks(self.values, labels=thin_labels(places, [f"{value:g}" for value in self.values]))
        axes.xaxis.set_minor_locator(NullLocator())

    def place(self, values: ArrayLike, *, offset: ArrayLike) -> NDArray[np.float64]:
        """Return x for values, moved sideways by `offset` (-0.5 to 0.5) of the room that each has."""
        return self._from_axis(self._to_axis(values) + np.asarray(offset) * self._room)

    def draw_seeds(self, replicas: pd.DataFrame, y: ArrayLike, *, series: Series) -> None:
        """Draw single seeds as small dots around their series, evenly spaced in the order of the seeds."""
        ranks = replicas["seed"].rank(method="dense") - 1
        spread = series.width * (ranks / max(ranks.max(), 1) - 0.5) if ranks.any() else 0.0
        x = self.place(replicas["lag"], offset=series.offset + spread)
        self.axes.scatter(x, y, s=2.5, color=series.colour, alpha=0.55, linewidth=0, zorder=2)

    def draw_reference(self, y: ArrayLike, *, label: str) -> None:
        """Draw a thin grey line through `y`, a height per value by ascending x, labelled at the right edge."""
        heights = np.pad(np.asarray(y, dtype=float), 1, mode="edge")
        x = [self.limits[0], *self.values, self.limits[1]]
        self.axes.plot(x, heights, color=REFERENCE, linewidth=0.7, zorder=1, gid=label)
        label_right(self.axes, heights[-1], label=label)

    def _to_axis(self, values: ArrayLike) -> NDArray[np.float64]:
        places = np.asarray(values, dtype=float)
        return np.log2(places) if self._log else places

    def _from_axis(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        return 2.0**places if self._log else places


def thin_labels(places: Sequence[float] | NDArray[Any], labels: Sequence[str]) -> list[str]:
    """Return the labels of ascending ticks, empty where one would touch its right neighbour in a narrow panel."""
    kept: list[str] = []
    free = math.inf
    span = places[-1] - places[0] or 1.0
    for place, label in reversed(list(zip(places, labels, strict=True))):  # a reader looks for the largest
        centre, half = (place - places[0]) / span, 0.026 * len(label)
        fits = centre + half <= free
        kept.append(label if fits else "")
        free = centre - half - 0.02 if fits else free
    return kept[::-1]


def number_plainly(axis: Axis, *, dense: bool) -> None:
    """Number a logarithmic axis without powers, at 1, 10, 100 and so on, and if `dense` at 2 and 5 too."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if dense else (1.0,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def draw_level(axes: Axes, y: float, *, label: str = "", gid: str = "level") -> None:
    """Draw a thin grey line across the axes, labelled outside the right edge."""
    axes.axhline(y, color=REFERENCE, linewidth=0.7, zorder=1, gid=label or gid)
    label_right(axes, y, label=label)


def label_right(
    axes: Axes, y: float, *, label: str, x: float | None = None, gap: float = 2, colour: str = REFERENCE
) -> None:
    """Write a label `gap` points right of `x`, or of the right edge of the axes, at height `y`."""
    place, coordinates = ((1, y), axes.get_yaxis_transform()) if x is None else ((x, y), axes.transData)
    axes.annotate(
        label, place, xycoords=coordinates, xytext=(gap, 0), textcoords="offset points",
        ha="left", va="center", fontsize=SMALL, color=colour, annotation_clip=False,
    )  # fmt: skip


def draw_quartiles(axes: Axes, table: pd.DataFrame, *, x: str, y: str, **look: Any) -> None:
    """Draw the median of `y` over the rows of each `x` as a line and its quartiles as a band; nothing of no rows.

    This is seaborn's `lineplot(estimator="median", errorbar=("pi", 50))`, which takes 1 ms per point.
    """
    if len(table):
        quartiles = table.groupby(x)[y].quantile(np.array([0.25, 0.5, 0.75])).unstack()
        lower, middle, upper = quartiles.to_numpy().T
        axes.fill_between(quartiles.index, lower, upper, color=look["color"], alpha=0.15, linewidth=0, zorder=2)
        axes.plot(quartiles.index, middle, zorder=3, **look)
