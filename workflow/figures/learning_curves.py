"""Validation accuracy against updates, a row of panels per task and a column per lag, one line per model and gradient.

Lines are medians over n seeds at the learning rate that validation chose, bands reach from the lower to the upper
quartile. A seed that solved the task or diverged keeps its last accuracy until the end of the budget. The axis is
logarithmic and begins at the first evaluation; the grey line is chance. Of more than four lags, four are drawn, the
smallest and the largest among them.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow.figures.style.look import REFERENCE, Series, Tables, rows_of, series_of, styled
from workflow.figures.style.panels import Facet, facets_of, finish, label_right, new_figure, number_plainly, seeds_note
from workflow.statistics.replicas import compute_budgets, score_accuracies, select_replicas

COLUMNS = 4


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    replicas = select_replicas(tables.summary, tables.statistics)
    facets = facets_of(tables)
    lags = {facet: spread_lags(rows_of(replicas, device=facet.device, task=facet.task)["lag"]) for facet in facets}
    replicas = replicas.assign(allowed=compute_budgets(replicas))
    curves = select_replicas(tables.curves({lag for plotted in lags.values() for lag in plotted}), tables.statistics)
    series = series_of(tables)
    columns = max(len(plotted) for plotted in lags.values())
    figure = new_figure(columns=columns, height=1.45 * len(facets) + 0.2)
    grid = figure.subplots(len(facets), columns, sharey=True, squeeze=False)
    for facet, row in zip(facets, grid, strict=True):
        for axes, lag in zip(row, lags[facet], strict=False):
            _draw_panel(axes, facet, lag, replicas=replicas, curves=curves, series=series)
            axes.set_title(f"lag {lag}")
        for spare in row[len(lags[facet]) :]:
            spare.remove()
        row[0].set_ylabel(f"{facet.title}\nvalidation accuracy")
        chance = rows_of(replicas, device=facet.device, task=facet.task)["chance_accuracy"].iloc[-1]
        label_right(row[len(lags[facet]) - 1], chance, label="chance")
    for axes in grid[-1][: len(lags[facets[-1]])]:
        axes.set_xlabel("updates")
    some = any(len(plotted) < rows_of(replicas, task=facet.task)["lag"].nunique() for facet, plotted in lags.items())
    selection = f"; {COLUMNS} of the tested lags are drawn" if some else ""
    note = seeds_note(tables, spread="line: median; band: quartiles")
    finish(figure, tables, note=note + selection, markers=False)
    return figure


def spread_lags(lags: Sequence[int] | pd.Series) -> list[int]:
    """Return at most four of the lags, evenly spaced in rank, with the smallest and the largest."""
    tested = sorted({int(lag) for lag in lags})
    if len(tested) <= COLUMNS:
        return tested
    return [tested[rank] for rank in np.linspace(0, len(tested) - 1, COLUMNS).round().astype(int)]


def carried(curves: pd.DataFrame, *, until: float) -> pd.DataFrame:
    """Return accuracies by update (rows) and seed (columns); a curve that ends early keeps its last value."""
    table = curves.assign(accuracy=score_accuracies(curves["validation_accuracy"])).pivot(
        index="update", columns="seed", values="accuracy"
    )
    updates = sorted({*table.index, int(until)})
    return table.reindex(updates).ffill()


def _draw_panel(
    axes: Axes, facet: Facet, lag: int, *, replicas: pd.DataFrame, curves: pd.DataFrame, series: Sequence[Series]
) -> None:
    where = {"device": facet.device, "task": facet.task, "lag": lag}
    replicas, curves = rows_of(replicas, **where), rows_of(curves, **where)
    until, first = replicas["allowed"].max(), replicas["evaluate_every"].min()
    axes.axhline(replicas["chance_accuracy"].iloc[0], color=REFERENCE, linewidth=0.7, zorder=1, gid="chance")
    for line_style in series:
        curve = rows_of(curves, model=line_style.model, gradient=line_style.gradient)
        if curve.empty:
            continue
        table = carried(curve, until=until)
        table = table[table.index >= first]
        lower, middle, upper = np.quantile(table.to_numpy(), [0.25, 0.5, 0.75], axis=1)
        axes.fill_between(table.index, lower, upper, color=line_style.colour, alpha=0.13, linewidth=0, zorder=2)
        axes.plot(table.index, middle, **line_style.line, zorder=3)
    low, high = 0.9 * first, 1.1 * max(until, 1.5 * first)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    number_plainly(axes.xaxis, dense=high / low < 12)
    axes.set_ylim(-0.03, 1.03)
