"""The map of an experiment's coverage, in which what is missing can be seen."""

import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from workflow.figures.style.legends import place_below
from workflow.figures.style.look import SMALL, Tables, apply_style
from workflow.figures.style.panels import list_facets, make_panels, thin_labels

READABLE = 10  # lags up to which a count fits into a cell
MISSING, PARTLY, DONE = "#F3D3C2", "#A9CBE3", "#0072B2"
STALE = "#D55E00"


@apply_style
def draw_coverage(tables: Tables) -> Figure:
    """Draw the map: a panel per task, a row per model and gradient, a column per lag; tables.needs has `coverage`."""
    coverage = tables.needs["coverage"]
    done, requested = coverage["seeds_done"], coverage["seeds_wanted"]
    names = coverage["model"] + " " + coverage["gradient"]
    coverage = coverage.assign(
        series=names,
        state=np.select([done == requested, done > 0], [2, 1]),
        text=[f"{d}/{r}" for d, r in zip(done, requested, strict=True)],
    )
    present = set(names)
    rows = [name for m in tables.labels.models for g in tables.labels.gradients if (name := f"{m} {g}") in present]
    figure, panels = make_panels(list_facets(coverage, tables.labels), heights=[0.7 + 0.15 * max(len(rows), 2)])
    for facet, (axes,) in panels:
        cells = facet.select(coverage).pivot(index="series", columns="lag").reindex(rows)
        lags = list(cells["state"].columns)
        sns.heatmap(
            cells["state"], annot=cells["text"] if len(lags) <= READABLE else None, fmt="", vmin=0, vmax=2,
            cmap=[MISSING, PARTLY, DONE], linewidths=0.8, linecolor="white", cbar=False, yticklabels=rows,
            annot_kws={"fontsize": SMALL}, ax=axes,
        )  # fmt: skip
        for y, x in np.argwhere(cells["seeds_stale"].fillna(0).to_numpy() > 0):
            axes.add_patch(Rectangle((x + 0.06, y + 0.1), 0.88, 0.8, fill=False, edgecolor=STALE, linewidth=1))
        axes.set_xticks(np.arange(len(lags)) + 0.5, labels=thin_labels(range(len(lags)), lags), rotation=0)
        axes.set(xlabel="lag (steps)", ylabel="")
        axes.tick_params(length=0)
    swatches = {"all seeds": DONE, "some": PARTLY, "none": MISSING}
    legend = {label: {"color": colour, "linewidth": 5} for label, colour in swatches.items()}
    if coverage["seeds_stale"].any():
        legend["stale: computed with other settings or code"] = {
            "marker": "s", "markersize": 6, "markerfacecolor": "none", "color": STALE, "linestyle": "none",
        }  # fmt: skip
    note = f"{done.sum()} of {requested.sum()} seeds of all conditions are done; a cell: seeds done/wanted"
    place_below(figure, {"": legend}, note=note)
    return figure
