"""How far the error goes back: the norm of dC/dc(T-u), relative to u = 0, against the steps u back from the end T.

A row of panels per task (at its largest lag) and moment of a training under the full gradient, a column per gradient
flow along which the error of the same network is sent back; a model stands where it has all paths of the flow. The RNN,
which has no c, shows dC/dh. Lines are medians over n seeds, bands reach from the lower to the upper quartile; what is
below the axis leaves the panel. Solved: the best weights by validation, also where they do not solve the task.
"""

from itertools import product

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from workflow.figures.style.legends import MOMENTS, describe_quartiles, list_model_looks, place_below
from workflow.figures.style.look import REFERENCE, Tables, apply_style, choose_colours, select_rows
from workflow.figures.style.panels import draw_quartiles, list_facets, make_grid, select_measured

NEEDS = ("gradient_versus_lag",)
LOWEST = 1e-8  # of the norm at u = 0: float32 sees nothing of it


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = compute_relative_norms(select_measured(tables.needs["gradient_versus_lag"], tables.labels))
    rows = list(product(list_facets(table, tables.labels, by=("device", "task", "lag")), MOMENTS))
    flows = [flow for flow in tables.labels.gradients if flow in set(table["flow"])]
    names = [(facet.title.replace(", ", "\n") if moment == "half_way" else "\n") for facet, moment in rows]
    labels = [f"{name}\n{MOMENTS[moment]}" for name, (_, moment) in zip(names, rows, strict=True)]
    sharing = {"sharex": "row", "sharey": True}
    figure, grid = make_grid(labels, flows, height=1.05, xlabel="u (steps back)", **sharing)
    for (facet, moment), row in zip(rows, grid, strict=True):
        for flow, axes in zip(flows, row, strict=True):
            panel = select_rows(facet.select(table), snapshot=moment, flow=flow)
            for model, colour in choose_colours(tables.labels).items():
                draw_quartiles(axes, select_rows(panel, model=model), x="u", y="relative", color=colour)
            axes.axvline(facet.keys["lag"], color=REFERENCE, linewidth=0.7, zorder=1, gid="lag")
            axes.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, prune="upper"))
            axes.tick_params(labelbottom=moment == list(MOMENTS)[-1])
    gradient = table["gradient"].iloc[0]
    corner, highest = grid[0, 0], max(10.0, 3 * float(table["relative"].max()))
    corner.set(yscale="log", ylim=(LOWEST, min(highest, 1 / LOWEST)))
    corner.yaxis.set_major_locator(LogLocator(numticks=4))
    corner.yaxis.set_minor_locator(NullLocator())
    note = f"{describe_quartiles(table)}; y: norm relative to u = 0; grey: the lag; trained under: {gradient}"
    return place_below(figure, {"model": list_model_looks(tables, table)}, note=note)


def compute_relative_norms(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows about c, or h for a model without c, with the column `relative`: the norm over that at u = 0."""
    has_c = set(table.loc[table["quantity"] == "c", "model"])
    kept = table[(table["quantity"] == "c") | ((table["quantity"] == "h") & ~table["model"].isin(has_c))]
    key = [name for name in kept.columns if name not in ("u", "norm")]
    at_end = kept.loc[kept["u"] == 0, [*key, "norm"]].rename(columns={"norm": "at_end"})
    joined = kept.merge(at_end, on=key, validate="many_to_one")
    return joined.assign(relative=(joined["norm"] / joined["at_end"]).clip(lower=1e-300))
