"""Exact derivatives of networks at their initial weights, by the paths along which error may flow.

Left: what a path adds to the cell's own derivative dc(t)/dc(t-1), which is the forget gate, or 1 without one (median
spectral norm over steps). Middle: the factor per step by which dC/dc grows or shrinks over the lag. Right: the share of
the weights' gradient that is owed to the steps at the lag or further back, as a ratio of norms. Markers are medians
over n seeds at each task's largest lag, geometric means over tasks; lines go from the smallest to the largest seed.
"""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from workflow.figures.style.legends import place_below
from workflow.figures.style.look import MARKERS, Tables, apply_style, choose_colours
from workflow.figures.style.panels import draw_level, new_figure

NEEDS = ("derivatives",)
PATHS = {
    "cell_and_gates": "gates",
    "cell_and_block_input": "block\ninput",
    "cell_and_peepholes": "peep-\nholes",
    "full": "all",
}
FLOWS = {"truncated_1997": "truncated\n_1997", "full": "full"}
PANELS = {
    "added": ("added to one step's derivative", PATHS),
    "factor_per_step": ("factor per step of dC/dc", FLOWS),
    "beyond_lag": ("share from lag or beyond", FLOWS),
}


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = tables.needs["derivatives"]
    table = table[table["lag"] == table.groupby("task")["lag"].transform("max")]
    colours = choose_colours(tables.labels, table)
    markers = [MARKERS[rank % len(MARKERS)] for rank in range(len(colours))]
    figure = new_figure(columns=3, height=2.3)
    panels = figure.subplots(1, 3, width_ratios=(4, 3, 3))
    for axes, (column, (title, flows)) in zip(panels, PANELS.items(), strict=True):
        of_seed = average_tasks(table[table["flow"].isin(flows)], column)
        plotted = [flow for flow in flows if flow in set(of_seed["flow"])]
        if plotted:
            sns.pointplot(
                of_seed, x="flow", y=column, hue="model", order=plotted, hue_order=list(colours), palette=colours,
                markers=markers, markersize=3.2, linestyles="none", dodge=0.7 * (1 - 1 / len(colours)),
                estimator="median", errorbar=("pi", 100), err_kws={"linewidth": 1}, legend=False, ax=axes,
            )  # fmt: skip
        axes.set_xticks(range(len(plotted)), labels=[flows[flow] for flow in plotted])
        axes.set(title=title, xlabel="", ylabel="", yscale="linear" if column == "factor_per_step" else "log")
    draw_level(panels[1], 1)
    models = {
        model: {"color": colour, "marker": marker, "linestyle": "none"}
        for (model, colour), marker in zip(colours.items(), markers, strict=True)
    }
    note = f"n = {table['seed'].nunique()} seeds; marker: median; line: smallest to largest"
    return place_below(figure, {"model": models}, note=note)


def average_tasks(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the geometric mean over tasks of what is above 0, by model, flow and seed."""
    positive = table[table[column] > 0]
    logarithms = np.log(positive[column]).groupby([positive[name] for name in ("model", "flow", "seed")])
    return np.exp(logarithms.mean()).reset_index()
