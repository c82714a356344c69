"""Validation accuracy against updates, one panel per task and lag, one line per model and gradient.

Lines are medians over n seeds at the learning rate that validation chose, bands reach from the lower to the upper
quartile. A seed that solved the task or diverged keeps its last accuracy until the end of the budget. The axis is
logarithmic and begins at the first evaluation; the grey line is chance. Of more than four lags, four are drawn, the
smallest and the largest among them.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from workflow.figures.style.legends import finish
from workflow.figures.style.look import Tables, apply_style, list_series
from workflow.figures.style.panels import draw_level, draw_quartiles, list_facets, make_panels, number_plainly
from workflow.statistics.replicas import compute_budgets, score_accuracies, select_replicas

COLUMNS = 4


@apply_style
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    replicas = select_replicas(tables.summary, tables.statistics)
    plotted = replicas[replicas.groupby(["device", "task"])["lag"].transform(lambda lags: lags.isin(spread_lags(lags)))]
    curves = select_replicas(tables.curves(set(plotted["lag"])), tables.statistics)
    curves = curves.assign(accuracy=score_accuracies(curves["validation_accuracy"]))
    facets = list_facets(plotted, tables.labels, by=("device", "task", "lag"))
    columns = int(plotted.groupby(["device", "task"])["lag"].nunique().max())
    figure, panels = make_panels(
        facets, heights=[1.55], ylabels=["validation accuracy"], xlabel="updates", columns=columns
    )
    for facet, (axes,) in panels:
        here = facet.select(replicas)
        until, first = compute_budgets(here).max(), here["evaluate_every"].min()
        last = facet.keys["lag"] == plotted.loc[plotted["task"] == facet.keys["task"], "lag"].max()
        draw_level(axes, here["chance_accuracy"].iloc[0], label="chance" if last else "", gid="chance")
        for series in list_series(tables):
            curve = extend_curves(series.select(facet.select(curves)), until=until)
            draw_quartiles(axes, curve[curve["update"] >= first], x="update", y="accuracy", **series.line)
        low, high = 0.9 * first, 1.1 * max(until, 1.5 * first)
        axes.set(xscale="log", xlim=(low, high), ylim=(-0.03, 1.03))
        number_plainly(axes.xaxis, dense=high / low < 12)
    selection = f"; {COLUMNS} of the tested lags are drawn" if len(plotted) < len(replicas) else ""
    return finish(figure, tables, spread=f"line: median; band: quartiles{selection}", markers=False)


def spread_lags(lags: Sequence[int] | pd.Series) -> list[int]:
    """Return at most four of the lags, evenly spaced in rank, with the smallest and the largest."""
    tested = np.unique(lags)
    ranks = np.linspace(0, len(tested) - 1, min(COLUMNS, len(tested))).round().astype(int)
    return [int(lag) for lag in tested[ranks]]


def extend_curves(curves: pd.DataFrame, *, until: float) -> pd.DataFrame:
    """Return the accuracy of every seed at every update of any; a curve that ends early keeps its last value."""
    table = curves.pivot(index="update", columns="seed", values="accuracy")
    extended = table.reindex(sorted({*table.index, int(until)})).ffill()
    return extended.melt(value_name="accuracy", ignore_index=False).reset_index()
