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

from workflow.figures.style.legends import OPEN, finish
from workflow.figures.style.look import Series, Tables, apply_style, list_series
from workflow.figures.style.panels import SweepAxis, list_facets, make_panels

SYMBOLS = {
    "horizon at or beyond the largest lag": OPEN | {"marker": ">"},
    "horizon below the smallest lag": OPEN | {"marker": "<"},
}


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    every = list_series(tables)
    facets, heights = list_facets(tables.statistics, tables.labels), [1.9, 0.5 + 0.11 * len(every)]
    figure, panels = make_panels(facets, heights=heights, ylabels=["solved fraction", "horizon"])
    for facet, (above, below) in panels:
        conditions = facet.select(tables.statistics)
        lag_axis, left = SweepAxis(above, conditions["lag"]), SweepAxis(below, conditions["lag"]).limits[0]
        lag_axis.draw_reference([0.5] * len(lag_axis.values), label="half")
        for rank, series in enumerate(every):
            line = series.select(conditions)
            x = lag_axis.place(line["lag"], offset=series.offset)
            limits = (line["solved_low"], line["solved_high"])
            above.vlines(x, *limits, color=series.colour, linewidth=0.8, alpha=0.5, zorder=2)
            above.plot(x, line["solved_fraction"], **series.points, zorder=3)
            if len(line):
                _draw_horizon(below, line.iloc[0], series, height=len(every) - 1 - rank, left=left)
        above.set_ylim(-0.04, 1.04)
        below.set(yticks=[], ylim=(-0.7, len(every) - 0.3))
        below.spines["left"].set_visible(False)
        below.grid(axis="x", color="0.9", linewidth=0.5, zorder=0)
    spread = "bars below: 95 % bootstrap interval over seeds; bars above: 95 % Wilson interval"
    return finish(figure, tables, spread=spread, symbols=SYMBOLS)


def _draw_horizon(axes: Axes, condition: pd.Series, series: Series, *, height: int, left: float) -> None:
    names = ["horizon", "horizon_low", "horizon_high", "horizon_censored"]
    values = condition[names].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    horizon, low, high, censored = map(float, values)
    look = dict(series.points)
    if censored or not horizon:
        look |= {"marker": ">" if censored else "<", "markerfacecolor": "white"}
        look |= {"markeredgecolor": series.colour, "markeredgewidth": 0.9}
    axes.hlines(height, low or left, high or left, color=series.colour, linewidth=1)
    axes.plot([horizon or left], [height], **look, clip_on=False, zorder=3)
