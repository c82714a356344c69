"""Test accuracy against the lag of the task, one panel per task, one line per model and gradient.

Lines join the means over seeds at the learning rate that validation chose; bands are 95 % bootstrap intervals of the
mean over seeds (bars where a panel has one lag), small dots are single seeds. The grey line is chance; the dotted one,
where the table has baselines, is the best that random weight guessing reaches with any of the models, and a grey band
marks a lag as easy that it solves. Series stand a little apart sideways at each lag so that none hides another; the
number of seeds n is given below the panels.
"""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow.figures.style.look import REFERENCE, Tables, rows_of, series_of, styled
from workflow.figures.style.panels import (
    Facet,
    LagAxis,
    columns_for,
    facets_of,
    finish,
    panel_grid,
    reference_line,
    seed_offsets,
    seeds_note,
)
from workflow.statistics.replicas import score_accuracies, select_replicas

GUESS: dict[str, Any] = {"color": REFERENCE, "linestyle": (0, (1, 1.5)), "linewidth": 1.0}
EASY: dict[str, Any] = {"color": "0.9", "linewidth": 7}
SYMBOLS = [
    Line2D([], [], **GUESS, label="best of random weight guessing"),
    Line2D([], [], **EASY, label="easy: guessing solves this lag"),
]


@styled
def draw(tables: Tables) -> Figure:
    """Draw the figure."""
    facets = facets_of(tables)
    tables = tables._replace(summary=select_replicas(tables.summary, tables.statistics))
    figure, panels = panel_grid(len(facets), columns=columns_for(facets), height=2.3)
    for facet, axes in zip(facets, panels, strict=True):
        _draw_panel(axes, facet, tables)
    for axes in panels[:: columns_for(facets)]:
        axes.set_ylabel("test accuracy")
    shape = "bands" if tables.statistics["lag"].nunique() > 1 else "bars"
    spread = f"{shape}: 95 % bootstrap interval of the mean; dots: single seeds"
    symbols = SYMBOLS[: 1 + tables.statistics["easy"].any()] if "easy" in tables.statistics else []
    finish(figure, tables, note=seeds_note(tables, spread=spread), symbols=symbols)
    return figure


def _draw_panel(axes: Axes, facet: Facet, tables: Tables) -> None:
    conditions = rows_of(tables.statistics, device=facet.device, task=facet.task)
    replicas = rows_of(tables.summary, device=facet.device, task=facet.task)
    lag_axis = LagAxis(conditions["lag"])
    chance = conditions.drop_duplicates("lag").sort_values("lag")
    reference_line(axes, lag_axis, chance["chance_accuracy"], label="chance")
    if "easy" in conditions:
        _draw_guesses(axes, conditions, lag_axis)
    series = series_of(tables)
    for line_style in series:
        line = rows_of(conditions, model=line_style.model, gradient=line_style.gradient).sort_values("lag")
        x = lag_axis.place(line["lag"], offset=line_style.offset)
        axes.plot(x, line["accuracy"], **line_style.points, zorder=3)
        if len(lag_axis.lags) > 1:
            low, high = line["accuracy_low"], line["accuracy_high"]
            axes.fill_between(x, low, high, color=line_style.colour, alpha=0.13, linewidth=0, zorder=2)
        else:
            axes.vlines(x, line["accuracy_low"], line["accuracy_high"], color=line_style.colour, linewidth=1, zorder=2)
        dots = rows_of(replicas, model=line_style.model, gradient=line_style.gradient)
        places = lag_axis.place(dots["lag"], offset=seed_offsets(dots["seed"], line_style, count=len(series)))
        axes.scatter(
            places,
            score_accuracies(dots["test_accuracy"]),
            s=2.5,
            color=line_style.colour,
            alpha=0.55,
            linewidth=0,
            zorder=2,
        )
    lag_axis.apply(axes)
    axes.set_ylim(-0.03, 1.03)
    axes.set_title(facet.title)


def _draw_guesses(axes: Axes, conditions: pd.DataFrame, lag_axis: LagAxis) -> None:
    """Draw the best guess of any model at each lag, and a band over each lag that a guess solves."""
    guesses = conditions.groupby("lag", as_index=False)[["guess_accuracy", "easy"]].max()
    x = lag_axis.place(guesses["lag"], offset=0)
    axes.plot(x, guesses["guess_accuracy"], **GUESS, marker="_", markersize=5, zorder=1.5, gid="guess")
    for lag in guesses.loc[guesses["easy"], "lag"]:
        left, right = lag_axis.place(pd.Series([lag, lag]), offset=[-0.5, 0.5])
        axes.axvspan(left, right, color=EASY["color"], linewidth=0, zorder=0, gid="easy")
