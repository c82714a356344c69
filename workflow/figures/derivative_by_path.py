"""Exact derivatives of networks at their initial weights, by the paths along which error may flow.

Left: what a path adds to the cell's own derivative dc(t)/dc(t-1), which is the forget gate, or 1 without one (median
spectral norm over steps). Middle: the factor per step by which dC/dc grows or shrinks over the lag. Right: the share of
the weights' gradient that is owed to the steps at the lag or further back, as a ratio of norms. Markers are medians
over n seeds at each task's largest lag, geometric means over tasks; lines go from the smallest to the largest seed.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow.figures.style.look import MARKERS, REFERENCE, Tables, model_colours, rows_of, styled
from workflow.figures.style.panels import PAGE_WIDTH, new_figure, place_below

NEEDS = ("derivatives",)
PATHS = {
    "cell_and_gates": "gates",
    "cell_and_block_input": "block\ninput",
    "cell_and_peepholes": "peep-\nholes",
    "full": "all",
}
FLOWS = {"truncated_1997": "truncated\n_1997", "full": "full"}


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = tables.more["derivatives"]
    table = table[table["lag"] == table.groupby("task")["lag"].transform("max")]
    figure = new_figure(columns=2, height=2.3)
    left, middle, right = figure.subplots(1, 3, width_ratios=(4, 3, 3))
    colours = {model: colour for model, colour in model_colours(tables.labels).items() if model in set(table["model"])}
    for axes, column, flows in (
        (left, "added", PATHS),
        (middle, "factor_per_step", FLOWS),
        (right, "beyond_lag", FLOWS),
    ):
        _draw_panel(axes, table, column=column, flows=flows, colours=colours)
    middle.axhline(1, color=REFERENCE, linewidth=0.7, zorder=1)
    left.set_yscale("log")
    right.set_yscale("log")
    left.set_title("added to one step's derivative")
    middle.set_title("factor per step of dC/dc")
    right.set_title("share from lag or beyond")
    models = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", label=model)
        for (model, colour), marker in zip(colours.items(), _markers(len(colours)), strict=True)
    ]
    note = f"n = {table['seed'].nunique()} seeds; marker: median; line: smallest to largest"
    place_below(figure, [("model", models)], note=note)
    assert figure.get_size_inches()[0] <= PAGE_WIDTH
    return figure


def _draw_panel(
    axes: Axes, table: pd.DataFrame, *, column: str, flows: dict[str, str], colours: dict[str, str]
) -> None:
    shown = [flow for flow in flows if (rows_of(table, flow=flow)[column] > 0).any()]
    for rank, ((model, colour), marker) in enumerate(zip(colours.items(), _markers(len(colours)), strict=True)):
        offset = 0.7 * (rank + 0.5) / len(colours) - 0.35
        for place, flow in enumerate(shown):
            numbers = rows_of(table, model=model, flow=flow)[["seed", column]].dropna()
            numbers = numbers[numbers[column] > 0]
            if numbers.empty:
                continue
            of_seed = np.exp(np.log(numbers[column]).groupby(numbers["seed"]).mean())
            axes.vlines(place + offset, of_seed.min(), of_seed.max(), color=colour, linewidth=1)
            axes.plot(place + offset, of_seed.median(), color=colour, marker=marker, linestyle="none")
    axes.set_xticks(range(len(shown)), labels=[flows[flow] for flow in shown])
    axes.set_xlim(-0.5, max(len(shown), 1) - 0.5)


def _markers(count: int) -> Sequence[str]:
    return [MARKERS[index % len(MARKERS)] for index in range(count)]
