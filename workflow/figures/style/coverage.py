"""The map of an experiment's coverage, in which what is missing can be seen."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from workflow.figures.style.heatmaps import draw_cells
from workflow.figures.style.legends import place_below
from workflow.figures.style.look import Tables, apply_style
from workflow.figures.style.panels import list_facets, make_panels

MISSING, PARTLY, DONE = "#F3D3C2", "#A9CBE3", "#0072B2"
STALE = "#D55E00"


@apply_style
def draw_coverage(tables: Tables) -> Figure:
    """Draw the map: a panel per task, a row per model and gradient, a column per lag; tables.needs has `coverage`."""
    coverage = tables.needs["coverage"]
    done, requested = coverage["seeds_done"], coverage["seeds_wanted"]
    names = coverage["model"] + " " + coverage["gradient"]
    coverage = coverage.assign(state=np.select([done == requested, done > 0], [2, 1]), series=names)
    coverage["text"] = [f"{seeds}/{every}" for seeds, every in zip(done, requested, strict=True)]
    order = [f"{model} {gradient}" for model in tables.labels.models for gradient in tables.labels.gradients]
    rows = [name for name in order if name in set(names)]
    colours: dict[str, Any] = {"cmap": [MISSING, PARTLY, DONE], "vmin": 0, "vmax": 2}
    figure, panels = make_panels(list_facets(coverage, tables.labels), heights=[0.7 + 0.15 * max(len(rows), 2)])
    for facet, (axes,) in panels:
        cells: Any = facet.select(coverage).pivot(index="series", columns="lag").reindex(rows)
        lags = [str(lag) for lag in cells["state"].columns]
        draw_cells(axes, cells["state"], cells["text"], names=(rows, lags), **colours)
        for y, x in np.argwhere(cells["seeds_stale"].fillna(0).to_numpy() > 0):
            axes.add_patch(Rectangle((x + 0.06, y + 0.1), 0.88, 0.8, fill=False, edgecolor=STALE, linewidth=1))
    swatches = {"all seeds": DONE, "some": PARTLY, "none": MISSING}
    legend = {label: {"color": colour, "linewidth": 5} for label, colour in swatches.items()}
    if coverage["seeds_stale"].any():
        legend["stale: computed with other settings or code"] = {
            "marker": "s", "markersize": 6, "markerfacecolor": "none", "color": STALE, "linestyle": "none",
        }  # fmt: skip
    note = f"{done.sum()} of {requested.sum()} seeds of all conditions are done; a cell: seeds done/wanted"
    return place_below(figure, {"": legend}, note=note)
