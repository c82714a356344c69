"""Solved fraction against the lag of the task (above) and the horizon of every series (below), one column per task.

Above: the fraction of seeds that reached the success criterion on validation data at the learning rate that
validation chose, with its 95 % Wilson interval; the grey line is half of the seeds. Below: the horizon, the largest
lag that at least half of the n seeds solve, with its 95 % bootstrap interval over seeds; an open triangle pointing
right says that the largest lag tested was still solved, one pointing left that no lag was.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow.figures.style.look import Tables, rows_of, series_of, styled
from workflow.figures.style.panels import (
    Facet,
    LagAxis,
    columns_for,
    facets_of,
    finish,
    reference_line,
    row_pairs,
    seeds_note,
)

SYMBOLS = [
    Line2D([], [], color="0.2", linestyle="none", marker=marker, markerfacecolor="white", label=label)
    for marker, label in [(">", "horizon at or beyond the largest lag"), ("<", "horizon below the smallest lag")]
]


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    facets = facets_of(tables)
    lower = 0.5 + 0.11 * len(series_of(tables))
    figure, pairs = row_pairs(len(facets), columns=columns_for(facets), heights=(1.9, lower))
    for index, (facet, (above, below)) in enumerate(zip(facets, pairs, strict=True)):
        conditions = rows_of(tables.statistics, device=facet.device, task=facet.task)
        lag_axis = LagAxis(conditions["lag"])
        _draw_fractions(above, facet, conditions, lag_axis, tables)
        _draw_horizons(below, conditions, lag_axis, tables)
        if index % columns_for(facets) == 0:
            above.set_ylabel("solved fraction")
            below.set_ylabel("horizon")
    note = seeds_note(tables, spread="bars below: 95 % bootstrap interval over seeds")
    note += "; bars above: 95 % Wilson interval"
    finish(figure, tables, note=note, symbols=SYMBOLS)
    return figure


def _draw_fractions(axes: Axes, facet: Facet, conditions: pd.DataFrame, lag_axis: LagAxis, tables: Tables) -> None:
    reference_line(axes, lag_axis, pd.Series([0.5] * len(lag_axis.lags)), label="half")
    for line_style in series_of(tables):
        line = rows_of(conditions, model=line_style.model, gradient=line_style.gradient).sort_values("lag")
        x = lag_axis.place(line["lag"], offset=line_style.offset)
        axes.vlines(
            x, line["solved_low"], line["solved_high"], color=line_style.colour, linewidth=0.8, alpha=0.5, zorder=2
        )
        axes.plot(x, line["solved_fraction"], **line_style.points, zorder=3)
    lag_axis.apply(axes)
    axes.set_xlabel("")
    axes.set_ylim(-0.04, 1.04)
    axes.set_title(facet.title)


def _draw_horizons(axes: Axes, conditions: pd.DataFrame, lag_axis: LagAxis, tables: Tables) -> None:
    series = series_of(tables)
    left = lag_axis.limits[0]
    for height, line_style in enumerate(reversed(series)):
        rows = rows_of(conditions, model=line_style.model, gradient=line_style.gradient)
        if rows.empty:
            continue
        horizon, low, high, censored = (
            rows[["horizon", "horizon_low", "horizon_high", "horizon_censored"]]
            .astype("Float64")
            .to_numpy(dtype=float, na_value=np.nan)[0]
        )
        look = dict(line_style.points)
        if censored or not horizon:
            look |= {"marker": ">" if censored else "<", "markerfacecolor": "white"}
            look |= {"markeredgecolor": line_style.colour, "markeredgewidth": 0.9}
        axes.hlines(height, low or left, high or left, color=line_style.colour, linewidth=1)
        axes.plot([horizon or left], [height], **look, clip_on=False, zorder=3)
    lag_axis.apply(axes)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.7, len(series) - 0.3)
    axes.grid(axis="x", color="0.9", linewidth=0.5, zorder=0)
