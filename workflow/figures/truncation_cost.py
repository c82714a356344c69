"""What the truncated gradient of 1997 costs against the full one: difference of accuracy, and of updates to solve.

One column of panels per task, one point per model and lag: the mean over the n seeds trained under both gradients,
which saw the same data and began with the same weights, of truncated minus full; bars are 95 % bootstrap intervals over
seeds. Below 0 in accuracy and above 0 in updates, truncation costs. A seed that does not solve the task counts with the
updates of its budget: where any does, the symbol is open, and the true difference may be larger.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from workflow.figures.style.legends import OPEN, describe_count, list_model_looks, name_omitted, place_below
from workflow.figures.style.look import Tables, apply_style, choose_colours, select_rows, spread_evenly
from workflow.figures.style.panels import SweepAxis, draw_level, list_facets, make_panels
from workflow.tables.truncation_cost import ALL

NEEDS = ("truncation_cost",)
MEASURES = {
    "test_accuracy": "accuracy,\ntruncated minus full",
    "updates_to_solve": "updates to solve,\ntruncated minus full",
}
SYMBOLS = {
    "all seeds solve the task under both": {"linestyle": "none", "marker": "o"},
    "some do not": OPEN | {"marker": "o"},
}


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    table = select_single_conditions(tables.needs["truncation_cost"])
    facets, colours = list_facets(table, tables.labels), choose_colours(tables.labels, table)
    ylabels, columns = [*MEASURES.values()], len(facets)
    figure, panels = make_panels(facets, heights=[1.8, 1.8], ylabels=ylabels, columns=columns)
    for facet, stack in panels:
        for measure, axes in zip(MEASURES, stack, strict=True):
            points = select_rows(facet.select(table), measure=measure)
            lag_axis = SweepAxis(axes, points["lag"])
            draw_level(axes, 0, label="no cost" if facet is facets[-1] else "")
            for (model, colour), offset in zip(colours.items(), spread_evenly(len(colours)), strict=True):
                line = select_rows(points, model=model).sort_values("lag")
                x = lag_axis.place(line["lag"], offset=offset)
                axes.vlines(x, line["low"], line["high"], color=colour, linewidth=1, alpha=0.7, zorder=2)
                axes.plot(x, line["difference"], color=colour, linewidth=0.6, alpha=0.4, zorder=2)
                faces = np.where(line["censored"], "white", colour)
                axes.scatter(x, line["difference"], s=13, color=faces, edgecolor=colour, zorder=4)
    note = describe_count(table["pairs"], "pairs of seeds", spread="bars: 95 % bootstrap interval")
    note += name_omitted(tables, colours, reason="not trained under both")
    return place_below(figure, {"": SYMBOLS, "model": list_model_looks(tables, table)}, note=note)


def select_single_conditions(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows about single conditions, with their `lag`, each once."""
    kept = table[~table["lags"].str.contains("+", regex=False) & (table["task"] != ALL) & (table["model"] != ALL)]
    kept = kept.assign(lag=kept["lags"].astype(int))
    return kept.drop_duplicates(["device", "task", "lag", "model", "measure"])
