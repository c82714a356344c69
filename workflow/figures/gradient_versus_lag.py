"""How far the error goes back: the norm of dC/dc(T-u), relative to u = 0, against the steps u back from the end T.

A row of panels per task (at its largest lag) and moment of a training under the full gradient, a column per gradient
flow along which the error of the same network is sent back; a model stands where it has all paths of the flow. The RNN,
which has no c, shows dC/dh. Lines are medians over n seeds, bands reach from the lower to the upper quartile; what is
below the axis leaves the panel. Solved: the best weights by validation, also where they do not solve the task.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from workflow.figures.style.look import Labels, Tables, model_colours, rows_of, styled
from workflow.figures.style.panels import new_figure, place_below
from workflow.figures.style.traces import (
    LAG,
    MOMENTS,
    broken,
    draw_quartiles,
    few_ticks,
    measured_in,
    model_legend,
    quartiles,
    seeds_in,
)

NEEDS = ("gradient_versus_lag",)
LOWEST = 1e-8  # of the norm at u = 0: float32 sees nothing of it


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    labels = tables.labels
    table = relative(tables.more["gradient_versus_lag"])
    measured = measured_in(table, labels=labels)
    flows = [flow for flow in labels.gradients if flow in set(table["flow"])]
    figure = new_figure(columns=len(flows), height=1.05 * len(measured) * len(MOMENTS) + 0.3)
    grid = figure.subplots(len(measured) * len(MOMENTS), len(flows), sharey=True, sharex="row", squeeze=False)
    rows = [(measurement, moment) for measurement in measured for moment in MOMENTS]
    for (measurement, moment), row in zip(rows, grid, strict=True):
        part = rows_of(measurement.select_rows(table), snapshot=moment)
        for flow, axes in zip(flows, row, strict=True):
            _draw_panel(axes, rows_of(part, flow=flow), labels=labels)
            axes.axvline(measurement.lag, **LAG)
            axes.tick_params(labelbottom=moment == list(MOMENTS)[-1])
        row[0].set_ylabel(
            f"{measurement.title}\n{MOMENTS[moment]}" if moment == "half_way" else f"\n\n{MOMENTS[moment]}"
        )
    for flow, axes in zip(flows, grid[0], strict=True):
        axes.set_title(broken(flow))
    for axes in grid[-1]:
        axes.set_xlabel("u (steps back)")
    highest = max(10.0, 3 * float(table["relative"].max()))
    grid[0, 0].set_yscale("log")
    grid[0, 0].set_ylim(LOWEST, min(highest, 1 / LOWEST))
    grid[0, 0].yaxis.set_major_locator(LogLocator(numticks=4))
    grid[0, 0].yaxis.set_minor_locator(NullLocator())
    note = f"{seeds_in(table)}; y: norm relative to u = 0; grey: the lag; trained under: {measured[0].gradient}"
    place_below(figure, [("model", model_legend(set(table["model"]), labels=labels))], note=note)
    return figure


def relative(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows about c, or h for a model without c, with the column `relative`: the norm over that at u = 0."""
    has_c = set(table.loc[table["quantity"] == "c", "model"])
    kept = table[(table["quantity"] == "c") | ((table["quantity"] == "h") & ~table["model"].isin(has_c))]
    key = [name for name in kept.columns if name not in ("u", "norm")]
    at_end = kept.loc[kept["u"] == 0, [*key, "norm"]].rename(columns={"norm": "at_end"})
    joined = kept.merge(at_end, on=key, validate="many_to_one")
    return joined.assign(relative=joined["norm"] / joined["at_end"])


def _draw_panel(axes: Axes, table: pd.DataFrame, *, labels: Labels) -> None:
    for model, colour in model_colours(labels).items():
        line = rows_of(table, model=model)
        if len(line):
            draw_quartiles(axes, quartiles(line, by="u", value="relative").clip(lower=1e-300), color=colour)
    few_ticks(axes)
