"""Where things stand in a figure: panels, the lag axis, reference lines, and the legends below."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from workflow.figures.style.look import REFERENCE, SMALL, Series, Tables, series_of

PAGE_WIDTH, COLUMN_WIDTH = 7.0, 3.4  # inches: both columns of a paper, one column
PAD = 0.04  # inches


class Facet(NamedTuple):
    """One panel's share of the tables: a task on a device."""

    device: str
    task: str
    title: str


def facets_of(tables: Tables) -> list[Facet]:
    """Return the panels by device, then task in the order of the config; devices are named if there are several."""
    present = set(tables.statistics[["device", "task"]].itertuples(index=False, name=None))
    devices = sorted({device for device, _ in present})
    return [
        Facet(device, task, f"{task}, {device}" if len(devices) > 1 else task)
        for device in devices
        for task in tables.labels.tasks
        if (device, task) in present
    ]


def columns_for(facets: Sequence[Facet]) -> int:
    """Return how many panels stand side by side: all tasks of a device up to four, else three."""
    tasks = len({facet.task for facet in facets})
    return tasks if tasks <= 4 else 3


def new_figure(*, columns: int, height: float) -> Figure:
    """Return an empty figure, one column of a paper wide for one panel and both columns wide for more."""
    width = COLUMN_WIDTH if columns == 1 else PAGE_WIDTH
    layout = ConstrainedLayoutEngine(w_pad=PAD, h_pad=PAD, wspace=0.02, hspace=0.02)
    return Figure(figsize=(width, height), layout=layout)


def panel_grid(
    panels: int, *, columns: int, height: float, sharex: bool = False, sharey: bool = True
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its `panels` axes in reading order; `height` is that of one row in inches."""
    rows = math.ceil(panels / columns)
    figure = new_figure(columns=columns, height=rows * height)
    grid = figure.subplots(rows, columns, sharey=sharey, sharex=sharex, squeeze=False)
    axes = list(grid.flat)
    for spare in axes[panels:]:
        spare.remove()
    for above in axes[:panels]:
        above.tick_params(labelbottom=True)
    return figure, axes[:panels]


class LagAxis:
    """The lags of a panel: where they stand, and where several series stand at one lag without hiding each other."""

    def __init__(self, lags: Iterable[int]) -> None:
        self.lags = sorted({int(lag) for lag in lags})
        self.log = self.lags[-1] >= 3 * self.lags[0]
        places = [self._to_axis(lag) for lag in self.lags]
        self.span = places[-1] - places[0]
        gaps = [after - before for before, after in pairwise(places)]
        self.room = min(0.5 * min(gaps), 0.12 * self.span) if gaps else 0.5
        self.margin = 0.08 * self.span + 0.5 * self.room if gaps else 0.5

    def place(self, lags: pd.Series, *, offset: ArrayLike) -> NDArray[np.float64]:
        """Return the x values of lags, moved sideways by `offset` (-0.5 to 0.5) of the room that a lag has."""
        places = np.array([self._to_axis(lag) for lag in lags]) + np.asarray(offset) * self.room
        return np.array([self._from_axis(place) for place in places])

    @property
    def limits(self) -> tuple[float, float]:
        """The ends of the axis."""
        first, last = self._to_axis(self.lags[0]), self._to_axis(self.lags[-1])
        return self._from_axis(first - self.margin), self._from_axis(last + self.margin)

    def apply(self, axes: Axes) -> None:
        """Give the axes the scale, the limits and a tick at each lag; a label that would touch the next is left out."""
        axes.set_xscale("log", base=2) if self.log else axes.set_xscale("linear")
        axes.xaxis.set_major_locator(FixedLocator(self.lags))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlim(*self.limits)
        axes.set_xticks(
            self.lags, labels=thinned([self._to_axis(lag) for lag in self.lags], [str(lag) for lag in self.lags])
        )
        axes.set_xlabel("lag (steps)")

    def _to_axis(self, lag: float) -> float:
        return math.log2(lag) if self.log else float(lag)

    def _from_axis(self, place: float) -> float:
        return float(2.0**place) if self.log else place


def thinned(places: Sequence[float], labels: Sequence[str]) -> list[str]:
    """Return the labels of ascending ticks, empty where one would touch its right neighbour in a narrow panel."""
    kept: list[str] = []
    free = math.inf
    span = places[-1] - places[0] or 1.0
    for place, label in reversed(list(zip(places, labels, strict=True))):  # the largest is what a reader looks for
        centre, half = (place - places[0]) / span, 0.026 * len(label)
        fits = centre + half <= free
        kept.append(label if fits else "")
        free = centre - half - 0.02 if fits else free
    return kept[::-1]


def number_plainly(axis: Axis, *, dense: bool) -> None:
    """Number a logarithmic axis without powers, at 1, 10, 100 and so on, and if `dense` at 2 and 5 too."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if dense else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def seed_offsets(seeds: pd.Series, series: Series, *, count: int) -> list[float]:
    """Return the sideways places of single seeds around their series, evenly spaced in the order of the seeds."""
    ranks = {seed: rank for rank, seed in enumerate(sorted(set(seeds)))}
    width = 0.7 / count if len(ranks) > 1 else 0.0
    return [series.offset + width * (ranks[seed] / max(len(ranks) - 1, 1) - 0.5) for seed in seeds]


def reference_line(axes: Axes, lag_axis: LagAxis, y: pd.Series, *, label: str) -> None:
    """Draw a thin grey line through `y`, one value per lag by ascending lag, labelled outside the right edge."""
    left, right = lag_axis.limits
    heights = [y.iloc[0], *y, y.iloc[-1]]
    axes.plot([left, *lag_axis.lags, right], heights, color=REFERENCE, linewidth=0.7, zorder=1, gid=label)
    label_right(axes, float(y.iloc[-1]), label=label)


def level_line(axes: Axes, y: float, *, label: str) -> None:
    """Draw a thin grey line across the axes, labelled outside the right edge."""
    axes.axhline(y, color=REFERENCE, linewidth=0.7, zorder=1, gid=label)
    label_right(axes, y, label=label)


def label_right(axes: Axes, y: float, *, label: str) -> None:
    """Write a grey label outside the right edge of the axes at height `y`."""
    axes.annotate(
        label, (1, y), xycoords=axes.get_yaxis_transform(), xytext=(2, 0), textcoords="offset points",
        ha="left", va="center", fontsize=SMALL, color=REFERENCE, annotation_clip=False,
    )  # fmt: skip


def rate_axis(axes: Axes, rates: Sequence[float]) -> float:
    """Give the axes a logarithmic scale with a tick at each rate; return the smallest ratio between two rates."""
    step = min((after / before for before, after in pairwise(rates)), default=2.0)
    margin = max(step**0.4, (rates[-1] / rates[0]) ** 0.08)
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(rates, labels=thinned([math.log(rate) for rate in rates], [f"{rate:g}" for rate in rates]))
    axes.set_xlim(rates[0] / margin, rates[-1] * margin)
    return step


def finish(figure: Figure, tables: Tables, *, note: str, symbols: Sequence[Line2D] = (), markers: bool = True) -> None:
    """Add below the panels the legend of models, that of gradients, that of other symbols, and a note."""
    series = series_of(tables)
    models = [
        Line2D([], [], color=colour, linewidth=2, label=model)
        for model, colour in dict.fromkeys((line_style.model, line_style.colour) for line_style in series)
    ]
    looks = dict.fromkeys((line_style.gradient, line_style.dash, line_style.marker) for line_style in series)
    gradients = [
        Line2D([], [], color="0.2", linestyle=dash, marker=marker if markers else "", label=gradient)
        for gradient, dash, marker in sorted(looks, key=lambda look: tables.labels.gradients.index(look[0]))
    ]
    place_below(figure, [("", list(symbols)), ("gradient", gradients), ("model", models)], note=note)


def place_below(figure: Figure, legends: Sequence[tuple[str, list[Line2D]]], *, note: str) -> None:
    """Add below the panels legends, each a title and its entries, the last one on top, and a note."""
    width, height = figure.get_size_inches()
    bottom = PAD
    bottom += _note(figure, note, y=bottom, width=width)
    for title, handles in legends:
        if handles:
            bottom += _legend(figure, title, handles, y=bottom, width=width)
    bottom += PAD
    figure.set_size_inches(width, height + bottom)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(rect=(0, bottom / (height + bottom), 1, height / (height + bottom)))


def _legend(figure: Figure, title: str, handles: Sequence[Line2D], *, y: float, width: float) -> float:
    """Add one legend with its lower edge at `y` inches, in as few rows as the width allows; return its height."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(
            handles=_in_columns(title, handles, columns=columns),
            ncols=columns + bool(title),
            loc="lower center",
            bbox_to_anchor=(width / 2, y),
            bbox_transform=figure.dpi_scale_trans,
            frameon=False,
            borderaxespad=0,
            borderpad=0.2,
            handlelength=3,
            columnspacing=1.4,
        )
        extent = legend.get_window_extent(renderer)
        if extent.width <= (width - 2 * PAD) * figure.dpi or columns == 1:
            break
        legend.remove()
    return extent.height / figure.dpi


def _in_columns(title: str, handles: Sequence[Line2D], *, columns: int) -> list[Line2D]:
    """Order legend entries so that they read row by row, the title before the first row; matplotlib fills columns."""
    cells: list[Line2D] = []
    for start in range(0, len(handles), columns):
        cells += [Line2D([], [], linestyle="none", label="" if start else title)] if title else []
        cells += handles[start : start + columns]
    width = columns + bool(title)
    return [cell for column in range(width) for cell in cells[column::width]]


def _note(figure: Figure, note: str, *, y: float, width: float) -> float:
    renderer = FigureCanvasAgg(figure).get_renderer()
    text = figure.text(
        width / 2, y, note, transform=figure.dpi_scale_trans, ha="center", va="bottom", fontsize=SMALL, color=REFERENCE
    )
    for characters in range(len(note), 20, -2):
        text.set_text("\n".join(textwrap.wrap(note, characters)))
        extent = text.get_window_extent(renderer)
        if extent.width <= (width - 2 * PAD) * figure.dpi:
            break
    return extent.height / figure.dpi + PAD


def seeds_note(tables: Tables, *, spread: str) -> str:
    """Return how many seeds a condition has, and, if it has several, what shows their spread."""
    fewest, most = int(tables.statistics["seeds"].min()), int(tables.statistics["seeds"].max())
    if most == 1:
        return "n = 1 seed, so no interval over seeds"
    return f"n = {fewest} seeds; {spread}" if fewest == most else f"n = {fewest} to {most} seeds; {spread}"


def row_pairs(panels: int, *, columns: int, heights: tuple[float, float]) -> tuple[Figure, list[tuple[Axes, Axes]]]:
    """Return a figure and its panels in reading order, each an upper and a lower axes with heights in inches."""
    rows = math.ceil(panels / columns)
    figure = new_figure(columns=columns, height=rows * sum(heights))
    grid = figure.subplots(2 * rows, columns, height_ratios=heights * rows, squeeze=False)
    pairs = [(grid[2 * row, column], grid[2 * row + 1, column]) for row in range(rows) for column in range(columns)]
    for above, below in pairs[panels:]:
        above.remove()
        below.remove()
    return figure, pairs[:panels]
