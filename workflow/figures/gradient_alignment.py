"""How like the full gradient the truncated one of 1997 is: cosine and norm ratio over all weights of the cell.

Left: against the lag, in networks as drawn (dashed) and with the best weights by validation (solid). Right: over a
training at the largest lag, from the first update (0) to the last (1). A row of panels per task, one line per model,
trained under the full gradient; lines are medians over n seeds, bands reach from the lower to the upper quartile. Where
both are 1 the truncation cuts nothing; a small step along the truncated gradient lowers the loss as long as the cosine
is above 0.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow.figures.style.look import DASHES, REFERENCE, Labels, Tables, model_colours, rows_of, styled
from workflow.figures.style.panels import LagAxis, new_figure, place_below
from workflow.figures.style.traces import (
    MOMENTS,
    Measured,
    draw_quartiles,
    measured_in,
    model_legend,
    name_left_out,
    quartiles,
    seeds_in,
)

NEEDS = ("alignment",)
PLOTTED = {"solved": DASHES[0], "initial": DASHES[1]}
QUANTITIES = {"cosine": "cosine", "norm_ratio": "norm ratio"}


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    labels, table = tables.labels, rows_of(tables.more["alignment"], quantity="all")
    measured = measured_in(table, labels=labels)
    figure = new_figure(columns=4, height=1.6 * len(measured) + 0.2)
    grid = figure.subplots(len(measured), 4, sharey="col", squeeze=False)
    for measurement, row in zip(measured, grid, strict=True):
        for axes, value in zip(row[:2], QUANTITIES, strict=True):
            _against_lag(axes, measurement, table, value=value, labels=labels)
        for axes, value in zip(row[2:], QUANTITIES, strict=True):
            _over_training(axes, measurement.select_rows(table), value=value, labels=labels)
            axes.set_xlabel(f"training, lag {measurement.lag}")
        row[0].set_ylabel(measurement.task)
    for axes, name in zip(grid[0], [*QUANTITIES.values()] * 2, strict=True):
        axes.set_title(name)
    moments = [Line2D([], [], color="0.2", linestyle=dash, label=MOMENTS[moment]) for moment, dash in PLOTTED.items()]
    note = f"{seeds_in(table)}; truncated_1997 against full; trained under the gradient {measured[0].gradient}"
    note += name_left_out(tables, set(table["model"]), reason="without the truncated gradient")
    legends = [("network", moments), ("model", model_legend(set(table["model"]), labels=labels))]
    place_below(figure, legends, note=note)
    return figure


def _against_lag(axes: Axes, measurement: Measured, table: pd.DataFrame, *, value: str, labels: Labels) -> None:
    part = rows_of(table, device=measurement.device, task=measurement.task, gradient=measurement.gradient)
    lag_axis = LagAxis(part["lag"])
    for moment, dash in PLOTTED.items():
        for model, colour in model_colours(labels).items():
            line = rows_of(part, model=model, snapshot=moment)
            if len(line):
                draw_quartiles(axes, quartiles(line, by="lag", value=value), color=colour, linestyle=dash, marker=".")
    lag_axis.apply(axes)
    _level(axes)


def _over_training(axes: Axes, table: pd.DataFrame, *, value: str, labels: Labels) -> None:
    part = rows_of(table, snapshot="evaluation")
    part = part.assign(rank=part.groupby(["model", "seed"])["update"].rank() - 1)
    part = part.assign(progress=part["rank"] / part.groupby(["model", "seed"])["rank"].transform("max").clip(lower=1))
    for model, colour in model_colours(labels).items():
        line = rows_of(part, model=model)
        if len(line):
            draw_quartiles(axes, quartiles(line, by="progress", value=value), color=colour)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], labels=["0", "0.5", "1"])
    _level(axes)


def _level(axes: Axes) -> None:
    axes.axhline(1, color=REFERENCE, linewidth=0.5, zorder=1, gid="level")
