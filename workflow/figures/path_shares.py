"""Along which path the error reaches c(T-u): shares of the paths in dC/dc(T-u), which add up to 1, in trained networks.

Two rows of panels per task (at its largest lag). One step: what came from step T-u+1, by the path it took. All steps:
what each path contributed on the whole way from T, as its Shapley value (the mean of what opening the path adds, over
all orders of opening them; error may change paths, so that no path owns all it carries). A column per model, one line
per path; networks trained under the full gradient. Lines are medians over n seeds, bands reach from the lower to the
upper quartile; a share below 0 cancels error of the other paths.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from workflow.figures.style.look import REFERENCE, Dash, Tables, model_colours, rows_of, styled
from workflow.figures.style.panels import new_figure, number_plainly, place_below
from workflow.figures.style.traces import (
    broken,
    draw_quartiles,
    measured_in,
    name_left_out,
    path_looks,
    quartiles,
    seeds_in,
)

NEEDS = ("path_shares", "attribution")
LIMITS = (-0.6, 1.6)


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    one_step = rows_of(tables.more["path_shares"], snapshot="solved", quantity="c")
    all_steps = rows_of(tables.more["attribution"], snapshot="solved", quantity="c", kind="shapley")
    all_steps = all_steps.rename(columns={"paths": "path"})
    measured, looks = measured_in(one_step, labels=tables.labels), path_looks(one_step)
    colours = {
        model: colour for model, colour in model_colours(tables.labels).items() if model in set(one_step["model"])
    }
    figure = new_figure(columns=len(colours), height=2 * 1.1 * len(measured) + 0.2)
    grid = figure.subplots(2 * len(measured), len(colours), sharey=True, sharex="row", squeeze=False)
    for place, measurement in enumerate(measured):
        for table, row, title in zip((one_step, all_steps), grid[2 * place :], ("one step", "all steps"), strict=False):
            for (model, colour), axes in zip(colours.items(), row, strict=True):
                _draw_panel(axes, rows_of(measurement.select_rows(table), model=model), colour=colour, looks=looks)
            row[0].set_ylabel(f"{measurement.title}\n{title}")
    for model, axes in zip(colours, grid[0], strict=True):
        axes.set_title(broken(model))
    for axes in grid[-1]:
        axes.set_xlabel("u (steps back)")
    legend = [
        Line2D(
            [], [], color="0.2", linestyle=dash, marker=marker, markeredgecolor="white", markeredgewidth=0.4, label=path
        )
        for path, (dash, marker) in looks.items()
    ]
    note = f"{seeds_in(one_step)}; y: share of dC/dc(T-u)" + name_left_out(tables, colours, reason="without a c")
    place_below(figure, [("path", legend)], note=note)
    return figure


def _draw_panel(axes: Axes, table: pd.DataFrame, *, colour: str, looks: dict[str, tuple[Dash, str]]) -> None:
    for level in (0, 1):
        axes.axhline(level, color=REFERENCE, linewidth=0.5, zorder=1, gid="level")
    for path, (dash, marker) in looks.items():
        line = rows_of(table, path=path)
        if len(line):
            look = {"linestyle": dash, "marker": marker, "markeredgecolor": "white", "markeredgewidth": 0.4}
            draw_quartiles(axes, quartiles(line, by="u", value="share"), color=colour, **look)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(LogLocator(base=2, subs=(1.0,), numticks=4))
    number_plainly(axes.xaxis, dense=False)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(*LIMITS)
