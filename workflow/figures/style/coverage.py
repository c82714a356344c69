"""The map of an experiment's coverage, in which what is missing can be seen."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from workflow.figures.style.look import SMALL, Tables, rows_of, styled
from workflow.figures.style.panels import columns_for, facets_of, panel_grid, place_below, thinned

READABLE = 10  # lags up to which a count fits into a cell
MISSING, PARTLY, DONE = "#F3D3C2", "#A9CBE3", "#0072B2"
STALE = "#D55E00"


@styled
def draw_coverage(tables: Tables) -> Figure:
    """Draw the map: a panel per task, a row per model and gradient, a column per lag; tables.more has `coverage`."""
    coverage = tables.more["coverage"]
    facets = facets_of(tables)
    present = set(coverage[["model", "gradient"]].itertuples(index=False, name=None))
    series = [(m, g) for m in tables.labels.models for g in tables.labels.gradients if (m, g) in present]
    height = 0.7 + 0.15 * max(len(series), 2)
    figure, panels = panel_grid(len(facets), columns=columns_for(facets), height=height)
    for facet, axes in zip(facets, panels, strict=True):
        _draw_panel(axes, rows_of(coverage, device=facet.device, task=facet.task), series=series)
        axes.set_title(facet.title)
    panels[0].set_yticks(np.arange(len(series)) + 0.5, labels=[f"{model} {gradient}" for model, gradient in series])
    panels[0].set_ylim(len(series), 0)
    looks = {"all seeds": DONE, "some": PARTLY, "none": MISSING}
    legend = [Patch(facecolor=colour, label=label) for label, colour in looks.items()]
    if coverage["seeds_stale"].any():
        legend.append(Patch(facecolor="none", edgecolor=STALE, label="stale: computed with other settings or code"))
    done, requested = int(coverage["seeds_done"].sum()), int(coverage["seeds_wanted"].sum())
    note = f"{done} of {requested} seeds of all conditions are done; a cell: seeds done/wanted"
    place_below(figure, [("", legend)], note=note)  # type: ignore[list-item]
    return figure


def _draw_panel(axes: Axes, rows: pd.DataFrame, *, series: Sequence[tuple[str, str]]) -> None:
    lags = sorted(set(rows["lag"]))
    for row in rows.to_dict("records"):
        x, y = lags.index(row["lag"]), series.index((row["model"], row["gradient"]))
        done, requested = row["seeds_done"], row["seeds_wanted"]
        colour = DONE if done == requested else PARTLY if done else MISSING
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.8))
        if row["seeds_stale"]:
            axes.add_patch(
                Rectangle((x + 0.06, y + 0.1), 0.88, 0.8, fill=False, edgecolor=STALE, linewidth=1, zorder=2)
            )
        if len(lags) <= READABLE:
            axes.text(
                x + 0.5, y + 0.53, f"{done}/{requested}",
                ha="center", va="center", fontsize=SMALL - 1, color="white" if colour == DONE else "black",
            )  # fmt: skip
    axes.set_xlim(0, len(lags))
    axes.set_xticks(np.arange(len(lags)) + 0.5, labels=thinned(list(range(len(lags))), [str(lag) for lag in lags]))
    axes.set_xlabel("lag (steps)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
